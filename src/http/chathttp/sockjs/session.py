"""One SockJS session over HTTP: a transport for STOMP whose client comes for what it gets, and brings what it sends."""

from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from typing import Final

import trio
from attrs import frozen

from chatcore.errors import not_found, overloaded
from chathttp.edge.transport import ConnectionEnded, Peer
from chathttp.errors import CLOSE_MALFORMED, CLOSE_OVERLOADED, CLOSE_TOO_BIG
from chathttp.sockjs.codec import HEARTBEAT, OPEN, close_frame, message_line, messages_frame
from chathttp.sockjs.limits import SockjsLimits
from chathttp.sockjs.outbox import PendingLines

LOST: Final = 1006
"""The code of an end that no close frame told of (RFC 6455, section 7.1.5)."""
GO_AWAY: Final = (3000, "Go away!")
STILL_OPEN: Final = (2010, "Another connection still open")
INTERRUPTED: Final = (CLOSE_MALFORMED, "Connection interrupted")
SLOW_CONSUMER: Final = "reads too slowly"
RETRY_AFTER: Final = 1.0
"""Seconds, for a client that sends faster than its session takes in."""


@frozen
class Out:
    """A frame for the client; after one that `ends` its response is over."""

    frame: bytes
    ends: bool = False


class HttpSession:
    """A `FrameTransport`. One request at a time receives: between `attach` and `detach` it asks for frames.

    A response that breaks off ends the session (close code 1002), because what it had may or may not have arrived.
    """

    frame = staticmethod(message_line)

    def __init__(self, name: str, peer: Peer, limits: SockjsLimits, *, owner: str | None = None) -> None:
        self.name = name
        self.peer = peer
        """Of the request that receives, or did so last."""
        self.owner = owner
        """What whoever opened it showed as his own, and has to show again; None when he showed nothing."""
        self.on_drained: Callable[[], None] | None = None
        self.last_received = trio.current_time()
        self._limits = limits
        self._pending = PendingLines(limits.outbox_limit_bytes)
        self._pending.on_overflow = self._close_slow
        self._pending.on_waiting = self._wake
        self._inbox: deque[str] = deque()
        self._senders = 0
        self._sending = trio.Lock()
        self._ended: tuple[int, str] | None = None
        self._opened = False
        self._attached = False
        self._told = False
        self._last = False
        self._end_response = False
        self._absent_since = trio.current_time()
        self._changed = trio.Event()
        """For whoever waits for anything of this session; each looks again for itself."""

    @property
    def queued_bytes(self) -> int:
        return self._pending.queued_bytes

    @property
    def closed(self) -> bool:
        return self._ended is not None

    @property
    def outlet(self) -> PendingLines:
        return self._pending

    def offer(self, frames: bytes) -> bool:
        return self._pending.offer(frames)

    async def send(self, frames: bytes) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._ended is not None:
            raise self._end()
        if not await self._pending.wait_written(self._pending.put(frames)):
            raise self._end()

    async def receive(self) -> bytes | str:
        while self._ended is None:
            if self._inbox:
                message = self._inbox.popleft()
                if not self._inbox:
                    self._wake()
                await trio.lowlevel.checkpoint()
                if len(message.encode()) <= self._limits.max_frame_bytes:
                    return message
                self.close(CLOSE_TOO_BIG, f"a message may have {self._limits.max_frame_bytes} bytes")
            elif not await self._wait(self._patience_ends):
                self._lose((LOST, ""))
        await trio.lowlevel.checkpoint()
        raise self._end()

    def ping(self) -> None:
        """Let the client's present request end, so that it makes another: that is its sign of life."""
        self._end_response = True
        self._wake()

    def close(self, code: int, reason: str = "") -> None:
        if self._ended is None:
            self._ended = (code, reason)
            self._inbox.clear()
            self._pending.close()
            self._absent_since = max(self._absent_since, trio.current_time())
            self._wake()

    async def put(self, messages: Sequence[str]) -> None:
        """Take in what one request sends, after all that came before. A slow session holds the request up.

        Raises `ChatError`: `NOT_FOUND` once it has ended, `OVERLOADED` when it does not take in in time what is there,
        or too many requests wait already; nothing of this one is taken in then.
        """
        self.last_received = trio.current_time()
        if self._senders >= self._limits.max_senders:
            raise overloaded("Too many requests send at once", retry_after=RETRY_AFTER)
        self._senders += 1
        try:
            deadline = trio.current_time() + self._limits.take_timeout
            async with self._sending:
                while self._inbox and self._ended is None:
                    if not await self._wait(lambda: deadline):
                        raise overloaded("What was sent before is not taken in yet", retry_after=RETRY_AFTER)
                if self._ended is not None:
                    raise not_found("This session")
                self._inbox.extend(messages)
        finally:
            self._senders -= 1
        self._wake()

    def attach(self, peer: Peer) -> bool:
        """A request comes to receive. False when another one does already."""
        self.last_received = trio.current_time()
        if self._attached:
            return False
        self._attached = True
        self.peer = peer
        self._end_response = False
        self._wake()
        return True

    def detach(self, *, interrupted: bool) -> None:
        """It has ended; `interrupted` when it may not have got all that it was given."""
        self._attached = False
        self._absent_since = trio.current_time()
        if interrupted and not self._told:
            self._lose(INTERRUPTED)
        self._wake()

    async def next_out(self) -> Out:
        """What the client gets next; nothing else until `written` has been called."""
        if not self._opened:
            self._opened = True
            return Out(OPEN)
        heartbeat_at = trio.current_time() + self._limits.heartbeat
        while True:
            if self._pending.waiting:
                return Out(messages_frame(self._pending.take()))
            if self._ended is not None:
                self._last = True
                return Out(close_frame(*(GO_AWAY if self._told else self._ended)), ends=True)
            if self._end_response:
                return Out(HEARTBEAT, ends=True)
            if not await self._wait(lambda: heartbeat_at):
                return Out(HEARTBEAT)

    def written(self) -> None:
        """The client's connection has taken what `next_out` gave."""
        if self._last:
            self._told = True
            self._wake()
        elif self._pending.written() and self._ended is None and self.on_drained is not None:
            self.on_drained()

    async def wait_told(self) -> None:
        """Once it has ended: until the client knows, or has not come for `disconnect_delay`."""
        while not self._told and self._ended is not None and self._ended[0] != LOST:
            if not await self._wait(self._patience_ends):
                return

    async def wait_forgotten(self) -> None:
        """Once it has ended: until a client that comes again need not be told that this session is over."""
        while await self._wait(self._patience_ends):
            pass
        self._pending.retire()
        self.on_drained = None

    def _patience_ends(self) -> float:
        return inf if self._attached else self._absent_since + self._limits.disconnect_delay

    async def _wait(self, deadline: Callable[[], float]) -> bool:
        """Until something changes; False when the time has come, as it is asked for then."""
        with trio.move_on_at(deadline()):
            await self._changed.wait()
        return trio.current_time() < deadline()

    def _wake(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def _close_slow(self) -> None:
        self._pending.lose()
        self.close(CLOSE_OVERLOADED, SLOW_CONSUMER)

    def _lose(self, end: tuple[int, str]) -> None:
        if self._ended is None:
            self._ended = end
            self._inbox.clear()
        self._pending.lose()
        self._wake()

    def _end(self) -> ConnectionEnded:
        """A fresh exception each time: one that is kept would keep its traceback, and with it this session."""
        return ConnectionEnded(*(self._ended or (LOST, "")))
