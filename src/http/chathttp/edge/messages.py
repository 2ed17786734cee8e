"""What a WebSocket's bytes say, without I/O: wsproto takes the frames apart, this puts them together to messages."""

from typing import Final, TypeAlias

from attrs import frozen
from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

from chathttp.errors import CLOSE_TOO_BIG

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
        self._frames = FrameProtocol(client=False, extensions=[])
        self._max_bytes = max_bytes
        self._parts: list[bytes | str] = []
        self._size = 0

    @property
    def idle(self) -> bool:
        """Nothing of a message or frame has come without its rest: another reader would go on as well as this one."""
        decoder = self._frames._frame_decoder  # pyright: ignore[reportPrivateUsage]  # nothing public tells
        return not self._parts and decoder.header is None and not len(decoder.buffer)

    def feed(self, data: bytes) -> list[Item]:
        """Feed no more after an `Ending`."""
        items: list[Item] = []
        self._frames.receive_bytes(data)
        try:
            for frame in self._frames.received_frames():
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


class _TooBig(Exception):  # never leaves this module
    pass


def _joined(parts: list[bytes | str]) -> bytes | str:
    """The parts are of one kind."""
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if texts else b"".join(part for part in parts if isinstance(part, bytes))
