"""What a server sends, read with as little work as a measurement allows: no JSON, no header that is not needed."""

import re
from typing import Final

from attrs import frozen

_CLIENT_MESSAGE_ID: Final = re.compile(rb'"clientMessageId"\s*:\s*"([^"]*)"')
_USER_ID: Final = re.compile(rb'"userId"\s*:\s*"([^"]*)"')
_TYPES: Final = re.compile(rb'"isTyping"\s*:\s*true')
_ERROR_CODE: Final = re.compile(rb'"errorCode"\s*:\s*"([^"]*)"')
_RECEIPT: Final = re.compile(rb'"receipt"\s*:\s*"([^"]*)"')
_LARGEST: Final = 1 << 24

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class ProtocolError(Exception):
    """The server sent what is no WebSocket or no STOMP."""


class FrameSplitter:
    """A byte stream into WebSocket messages and control frames (RFC 6455 section 5), however it is cut."""

    __slots__ = ("_fragments", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._fragments: list[bytes] | None = None

    @property
    def between_frames(self) -> bool:
        """Nothing of an unfinished frame or message is kept."""
        return not self._rest and self._fragments is None

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Opcode and payload of what is complete. Raises `ProtocolError`."""
        if self._rest:
            data = self._rest + data
        found: list[tuple[int, bytes]] = []
        at, end = 0, len(data)
        while end - at >= 2:
            first, size = data[at], data[at + 1]
            if first & 0x70 or size & 0x80:
                raise ProtocolError("a WebSocket frame has reserved bits or a mask")
            head = 2
            if size >= 126:
                head = 4 if size == 126 else 10
                if end - at < head:
                    break
                size = int.from_bytes(data[at + 2 : at + head])
                if size > _LARGEST:
                    raise ProtocolError(f"a WebSocket frame has {size} bytes")
            stop = at + head + size
            if stop > end:
                break
            payload = data[at + head : stop]
            if first == 0x80 | TEXT and self._fragments is None:
                found.append((TEXT, payload))
            else:
                self._other(first, payload, found)
            at = stop
        self._rest = data[at:]
        return found

    def _other(self, first: int, payload: bytes, found: list[tuple[int, bytes]]) -> None:
        final, opcode = first & 0x80, first & 0x7F
        if opcode in (CLOSE, PING, PONG) and final:
            found.append((opcode, payload))
            return
        if opcode in (TEXT, BINARY) and self._fragments is None:
            self._fragments = [payload]
        elif opcode == CONTINUATION and self._fragments is not None:
            self._fragments.append(payload)
        else:
            raise ProtocolError(f"a WebSocket frame begins with {first:#04x}")
        if final:
            found.append((TEXT, b"".join(self._fragments)))
            self._fragments = None


@frozen
class Delivered:
    """A created message. `client_message_id` is empty when it has none."""

    seq: int
    client_message_id: bytes
    truncated: bool


@frozen
class Types:
    """A user types, or no longer."""

    user_id: bytes
    starts: bool


@frozen
class Receipted:
    """`seq` is 0 unless the receipt is a message's."""

    receipt: bytes
    seq: int


@frozen
class Connected:
    pass


@frozen
class Refused:
    """An ERROR frame, or what came on the errors queue; `receipt` is empty when the refused frame asked for none."""

    code: str
    receipt: bytes
    fatal: bool


StompEvent = Delivered | Types | Receipted | Connected | Refused


def read_stomp(payload: bytes) -> list[StompEvent]:
    """The events of one WebSocket message, heart-beats and other topics left out. Raises `ProtocolError`.

    No frame of the server has a NUL but at its end: its bodies are JSON, in which that is written otherwise.
    """
    events: list[StompEvent] = []
    for frame in payload.split(b"\0"):
        text = frame.lstrip(b"\r\n")
        if text:
            event = _read_frame(text)
            if event is not None:
                events.append(event)
    return events


def _read_frame(frame: bytes) -> StompEvent | None:
    head, blank, body = frame.partition(b"\n\n")
    command, _, lines = head.partition(b"\n")
    lines = b"\n" + lines + b"\n"
    if not blank:
        raise ProtocolError(f"a STOMP frame has no body: {frame[:60]!r}")
    match command:
        case b"MESSAGE":
            return _read_message(lines, body)
        case b"RECEIPT":
            return Receipted(_header(lines, b"receipt-id"), int(_header(lines, b"seq") or 0))
        case b"CONNECTED":
            return Connected()
        case b"ERROR":
            return Refused(_header(lines, b"message").decode(errors="replace"), _header(lines, b"receipt-id"), True)
        case _:
            raise ProtocolError(f"unknown STOMP command {command[:20]!r}")


def _read_message(lines: bytes, body: bytes) -> StompEvent | None:
    match _header(lines, b"subscription"):
        case b"m":
            if _header(lines, b"event") != b"message.created":
                return None
            found = _CLIENT_MESSAGE_ID.search(body)
            truncated = b"\nhistory-truncated:true\n" in lines
            return Delivered(int(_header(lines, b"seq")), found[1] if found else b"", truncated)
        case b"t":
            user = _USER_ID.search(body)
            return None if user is None else Types(user[1], _TYPES.search(body) is not None)
        case b"e":
            code, receipt = _ERROR_CODE.search(body), _RECEIPT.search(body)
            return Refused(code[1].decode() if code else "UNKNOWN", receipt[1] if receipt else b"", False)
        case other:
            raise ProtocolError(f"a message for the unknown subscription {other[:20]!r}")


def _header(lines: bytes, name: bytes) -> bytes:
    """The header's value, empty when there is none."""
    mark = b"\n" + name + b":"
    start = lines.find(mark)
    return b"" if start < 0 else lines[start + len(mark) : lines.index(b"\n", start + 1)]
