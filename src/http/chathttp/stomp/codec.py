"""Frames to octets and octets to frames (STOMP 1.2, "Augmented BNF")."""

from chathttp.stomp.decoder import HEART_BEAT, Decoder, StompLimits
from chathttp.stomp.errors import StompSyntaxError, quoted
from chathttp.stomp.frame import BODY_COMMANDS, COMMANDS, Frame, Version
from chathttp.stomp.headers import UNESCAPED_COMMANDS, header_line, plain_header_line

__all__ = ["HEART_BEAT", "HEART_BEAT_BYTES", "Decoder", "StompLimits", "StompSyntaxError", "encode"]

HEART_BEAT_BYTES = b"\n"


def encode(frame: Frame, version: Version) -> bytes:
    """The frame's octets, with a `content-length` when there is a body.

    Raises `ValueError` for a frame that the version cannot express: an unknown command, a body on a
    command that has none, a `content-length` that is not the body's, or a header text (see `header_line`).
    """
    command, body = frame.command, frame.body
    if command not in COMMANDS:
        raise ValueError(f"no such command: {quoted(command)}")
    if body and command not in BODY_COMMANDS:
        raise ValueError(f"{command} has no body")
    if command in UNESCAPED_COMMANDS:
        lines = [plain_header_line(name, value) for name, value in frame.headers]
    else:
        lines = [header_line(name, value, version) for name, value in frame.headers]
    length = frame.header("content-length")
    if length is not None:
        if length != str(len(body)):
            raise ValueError(f"content-length {quoted(length)} is not the body's {len(body)}")
    elif body:
        lines.append(f"content-length:{len(body)}\n")
    return b"%b\n%b\n%b\0" % (command.encode(), "".join(lines).encode(), body)
