"""The short way for a message that is one frame and nothing else, as nearly all are."""

from chathttp.stomp.commands import Send
from chathttp.stomp.frame import BODY_COMMANDS, COMMANDS, Frame, Version
from chathttp.stomp.limits import StompLimits


def plain_frame(data: bytes, version: Version | None, limits: StompLimits) -> Frame | None:
    """`data` as one whole frame; None when the decoder has to look at it, octet by octet.

    It recognises good frames of 1.1 and 1.2 without a CR or a backslash in their head, and never judges: what is
    wrong, too long, cut, or followed by something is left to the decoder, and so are its errors.
    """
    head_end = data.find(b"\n\n")
    if (
        head_end < 0
        or data[-1]
        or len(data) > limits.max_frame_bytes
        or head_end > limits.max_header_line_bytes
        or version is None
        or version is Version.V10
    ):
        return None
    try:
        head = data[:head_end].decode()
    except UnicodeDecodeError:
        return None
    if "\\" in head or "\r" in head or "\0" in head:
        return None
    command, *lines = head.split("\n")
    if command not in COMMANDS or len(lines) > limits.max_headers:
        return None
    headers: list[tuple[str, str]] = []
    length: str | None = None
    for line in lines:
        name, colon, value = line.partition(":")
        if not name or not colon:
            return None
        if name == "content-length" and length is None:
            length = value
        headers.append((name, value))
    body = data[head_end + 2 : -1]
    is_whole = b"\0" not in body if length is None else length == str(len(body))
    if not is_whole or (body and command not in BODY_COMMANDS):
        return None
    return Frame(command, tuple(headers), body)


def plain_send(data: bytes, version: Version | None, limits: StompLimits) -> Send | None:
    """What a connected client asks for with `data`, where that is plainly one SEND outside any transaction.

    As `plain_frame`, and what the protocol makes of that; a repeated header, too, is left to them.
    """
    head_end = data.find(b"\n\n")
    if (
        not data.startswith(b"SEND\n")
        or head_end < 0
        or data[-1]
        or len(data) > limits.max_frame_bytes
        or head_end > limits.max_header_line_bytes
        or version is None
        or version is Version.V10
    ):
        return None
    try:
        head = data[5:head_end].decode()
        lines = head.split("\n")
        headers: dict[str, str] = dict([line.split(":", 1) for line in lines])
    except ValueError:  # no UTF-8, or a line without a colon
        return None
    if (
        "\\" in head
        or "\r" in head
        or "\0" in head
        or len(headers) < len(lines)
        or len(lines) > limits.max_headers
        or "" in headers
        or "transaction" in headers
    ):
        return None
    destination, length = headers.get("destination"), headers.get("content-length")
    body = data[head_end + 2 : -1]
    if not destination or (b"\0" in body if length is None else length != str(len(body))):
        return None
    return Send(destination, body, headers.get("receipt"))
