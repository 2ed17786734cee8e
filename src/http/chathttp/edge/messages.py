"""What a WebSocket's bytes say, without I/O: wsproto takes the frames apart, this puts them together to messages.

Whole text messages in one frame, which is what clients send, are taken here (RFC 6455, section 5.2): that costs a
fifth of the way through a protocol object. Whatever else comes, a breach above all, is wsproto's to judge.
"""

from typing import Final, TypeAlias

from attrs import frozen
from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

from chathttp.errors import CLOSE_TOO_BIG

_WHOLE_TEXT: Final = 0x81
_MASKED: Final = 0x80
MAX_FRAGMENTS: Final = 4096
"""Of one message, counting what was received of it at a time: an empty one costs memory too."""


@frozen
class Ping:
    """Is to be answered with a pong of the same payload, at most 125 bytes."""

    payload: bytes


@frozen
class Ending:
    """The last item: the peer's close frame, or its breach of the protocol.

    `code` is what a close frame answers it with, and 1005 for one that bore none (RFC 6455, section 7.1.5).
    """

    code: int
    reason: str


Item: TypeAlias = bytes | str | Ping | Ending
"""A text message, a binary one, or a control frame."""


class MessageReader:
    """Takes a client's bytes as they come, and gives what is whole with them, in order; any cut gives the same.

    A message is at most `max_bytes` long (an excess of less than four times is for the caller to find in text, which
    counts as characters here) and has at most `MAX_FRAGMENTS` parts: else the ending is 1009. Pongs say nothing.
    """

    __slots__ = ("_frames", "_max_bytes", "_parts", "_size")

    def __init__(self, max_bytes: int) -> None:
        self._frames: FrameProtocol | None = None
        """Made for the first bytes that are no whole text message; all that comes after them goes through it."""
        self._max_bytes = max_bytes
        self._parts: list[bytes | str] = []
        self._size = 0

    @property
    def idle(self) -> bool:
        """Nothing of a message or frame has come without its rest: another reader would go on as well as this one."""
        if self._frames is None:
            return True
        decoder = self._frames._frame_decoder  # pyright: ignore[reportPrivateUsage]  # nothing public tells
        return not self._parts and decoder.header is None and not len(decoder.buffer)

    def feed(self, data: bytes) -> list[Item]:
        """Feed no more after an `Ending`."""
        items: list[Item] = []
        frames = self._frames
        if frames is None:
            taken = _take_whole_texts(data, self._max_bytes, items)
            if taken == len(data):
                return items
            data = data[taken:]
            frames = self._frames = FrameProtocol(client=False, extensions=[])
        frames.receive_bytes(data)
        try:
            for frame in frames.received_frames():
                payload = frame.payload
                if isinstance(payload, tuple):
                    items.append(Ending(*payload))
                elif frame.opcode is Opcode.PING and isinstance(payload, bytes):
                    items.append(Ping(payload))
                elif frame.opcode in (Opcode.TEXT, Opcode.BINARY):
                    self._take(payload, items, is_last=frame.message_finished)
        except ParseFailed as error:
            items.append(Ending(error.code, str(error)))
        except _TooBig as error:
            items.append(Ending(CLOSE_TOO_BIG, str(error)))
        return items

    def _take(self, part: bytes | str, items: list[Item], *, is_last: bool) -> None:
        self._size += len(part)
        if self._size > self._max_bytes:
            raise _TooBig(f"a message may have {self._max_bytes} bytes")
        if is_last and not self._parts:
            items.append(part)
            self._size = 0
            return
        self._parts.append(part)
        if len(self._parts) > MAX_FRAGMENTS:
            raise _TooBig(f"a message may have {MAX_FRAGMENTS} fragments")
        if is_last:
            items.append(_joined(self._parts))
            self._parts = []
            self._size = 0


def _take_whole_texts(data: bytes, max_bytes: int, items: list[Item]) -> int:
    """Take the whole text messages that `data` begins with; where the first thing begins that is not plainly one."""
    position, size = 0, len(data)
    while size - position >= 6 and data[position] == _WHOLE_TEXT:
        length = data[position + 1] ^ _MASKED
        key = position + 2
        if length == 126:
            length = int.from_bytes(data[key : key + 2])
            key += 2
            if length < 126:
                break
        elif length > 126:
            break
        start = key + 4
        end = start + length
        if end > size or length > max_bytes:
            break
        mask = (data[key:start] * (length // 4 + 1))[:length]
        # As one number each: a loop over the bytes, or a table for each of the key's, costs several times as much.
        payload = (int.from_bytes(data[start:end]) ^ int.from_bytes(mask)).to_bytes(length)
        try:
            items.append(payload.decode())
        except UnicodeDecodeError:
            break
        position = end
    return position


class _TooBig(Exception):  # never leaves this module
    pass


def _joined(parts: list[bytes | str]) -> bytes | str:
    """The parts are of one kind."""
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if texts else b"".join(part for part in parts if isinstance(part, bytes))
