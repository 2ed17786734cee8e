"""The part of a transport that writes: ready frames straight into the connection's outbox."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

import trio

from chathttp.edge.outbox import Outbox
from chathttp.edge.transport import ConnectionEnded, Peer
from chathttp.errors import CLOSE_OVERLOADED, CLOSE_TOO_BIG
from chathttp.stomp.websocket_frame import close_frame, text_frame

NO_CLOSE_FRAME: Final = 1006
"""The code of an end without a close frame (RFC 6455, section 7.1.5)."""
SLOW_CONSUMER: Final = "reads too slowly"
_PING: Final = b"\x89\x00"


class OutboxTransport(ABC):
    """Base of the transports.

    `_ended` (close code and reason) is set once, by whichever side ends first; from then on nothing is read.
    """

    __slots__ = ("_ended", "_max_bytes", "_outbox", "peer")

    name = "websocket"
    frame = staticmethod(text_frame)

    def __init__(self, outbox: Outbox, peer: Peer, *, max_bytes: int) -> None:
        self._outbox = outbox
        self._max_bytes = max_bytes
        self._ended: tuple[int, str] | None = None
        self.peer = peer
        self._outbox.on_overflow = self._close_slow

    @property
    @abstractmethod
    def last_received(self) -> float:
        """When the last byte came in, on Trio's clock."""

    @property
    def queued_bytes(self) -> int:
        return self._outbox.queued_bytes

    @property
    def closed(self) -> bool:
        return self._outbox.closed

    @property
    def on_drained(self) -> Callable[[], None] | None:
        return self._outbox.on_drained

    @on_drained.setter
    def on_drained(self, hook: Callable[[], None] | None) -> None:
        self._outbox.on_drained = hook

    @property
    def outlet(self) -> Outbox:
        return self._outbox

    def offer(self, frames: bytes) -> bool:
        return self._outbox.offer(frames)

    async def send(self, frames: bytes) -> None:
        try:
            await self._outbox.send(frames)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise self._end() from None

    def ping(self) -> None:
        if not self._outbox.queued_bytes:
            self._outbox.offer(_PING)

    def close(self, code: int, reason: str = "") -> None:
        self._close(code, reason, discard_queued=False)

    def _close_slow(self) -> None:
        """The outbox's limit was passed: 1013, without what the peer has not begun to read."""
        self._close(CLOSE_OVERLOADED, SLOW_CONSUMER, discard_queued=True)

    def _close(self, code: int, reason: str, *, discard_queued: bool) -> None:
        if self._ended is None:
            self._ended = (code, reason)
            self._outbox.close_after(close_frame(code, reason), discard_queued=discard_queued)
            self._stop_reading()

    @abstractmethod
    def _stop_reading(self) -> None:
        """Wake who waits in `receive`."""

    def _checked(self, message: bytes | str) -> bytes | str:
        """The message if it is within the limit, which is in bytes. Raises `ConnectionEnded`."""
        if len(message) * 4 > self._max_bytes and _size(message) > self._max_bytes:
            self._close(CLOSE_TOO_BIG, f"a message may have {self._max_bytes} bytes", discard_queued=False)
        if self._ended is not None:
            raise self._end()
        return message

    def _end(self) -> ConnectionEnded:
        """A fresh exception each time: one that is kept would keep its traceback, and with it this transport."""
        code, reason = self._ended or (NO_CLOSE_FRAME, "")
        return ConnectionEnded(code, reason)


def _size(message: bytes | str) -> int:
    return len(message) if isinstance(message, bytes) or message.isascii() else len(message.encode())
