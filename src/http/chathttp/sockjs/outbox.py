"""What waits for the next HTTP response of one session, bounded in bytes."""

from collections import deque
from collections.abc import Callable
from typing import Final

import trio

from actors.conversation.subscription import DirectSend

TAKEN_BYTES: Final = 65_536
"""Handed to a response at a time, so that a slow one leaves what can still be dropped."""


def _never(_: bytes, /) -> int:
    raise BlockingIOError


class Piece:
    """Lines that wait, with what became of them."""

    __slots__ = ("counted", "lines", "lost", "written")

    def __init__(self, lines: bytes, *, counted: bool, written: trio.Event | None) -> None:
        self.lines = lines
        self.counted = counted
        self.written = written
        self.lost = False


class PendingLines:
    """An `Outlet` that nothing leaves by itself: a response comes and takes.

    `limit` bounds what offers may leave waiting; the first above it calls `on_overflow` and is dropped, as are all
    that follow. An offer that finds nothing waiting is taken whatever its size, as by a WebSocket's outbox. What was
    taken counts until it is known to be written.
    """

    __slots__ = (
        "_limit",
        "_queue",
        "_taken",
        "closed",
        "dropped",
        "high_water",
        "on_overflow",
        "on_waiting",
        "queued_bytes",
    )

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue: deque[Piece] = deque()
        self._taken: list[Piece] = []
        self.closed = False
        self.queued_bytes = 0
        """Bytes of offers that are not written."""
        self.high_water = 0
        self.dropped = 0
        self.on_overflow: Callable[[], None] | None = None
        self.on_waiting: Callable[[], None] | None = None
        """Called when there is something to take."""

    @property
    def direct(self) -> DirectSend:
        return _never

    def rest(self, frames: bytes, taken: int) -> None:
        self.offer(frames[taken:])

    def offer(self, lines: bytes, /) -> bool:
        """Never True: what is offered waits for a response."""
        if self.closed:
            self.dropped += 1
        elif (self._queue or self._taken) and self.queued_bytes + len(lines) > self._limit:
            self.dropped += 1
            if self.on_overflow is not None:
                self.on_overflow()
        else:
            self.queued_bytes += len(lines)
            self.high_water = max(self.high_water, self.queued_bytes)
            self._queue_up(Piece(lines, counted=True, written=None))
        return False

    def put(self, lines: bytes) -> Piece:
        """Queue what is not held against the limit; for `wait_written`."""
        piece = Piece(lines, counted=False, written=trio.Event())
        self._queue_up(piece)
        return piece

    async def wait_written(self, piece: Piece) -> bool:
        """Whether `piece` was written, and not lost. When cancelled before it was taken, nothing of it will be."""
        assert piece.written is not None
        try:
            await piece.written.wait()
        except trio.Cancelled:
            if piece in self._queue:
                self._queue.remove(piece)
            raise
        return not piece.lost

    @property
    def waiting(self) -> bool:
        """There is something to take."""
        return bool(self._queue)

    def take(self) -> bytes:
        """The lines that go out next; `written` or `lose` says what became of them."""
        size = 0
        while self._queue and (not size or size + len(self._queue[0].lines) <= TAKEN_BYTES):
            piece = self._queue.popleft()
            size += len(piece.lines)
            self._taken.append(piece)
        return b"".join([piece.lines for piece in self._taken])

    def written(self) -> bool:
        """What was taken has been written. Whether there was something, and nothing waits any more."""
        any_taken = bool(self._taken)
        for piece in self._taken:
            if piece.counted:
                self.queued_bytes -= len(piece.lines)
            if piece.written is not None:
                piece.written.set()
        self._taken.clear()
        return any_taken and not self._queue

    def close(self) -> None:
        """Take no more offers; what waits is still there to be taken."""
        self.closed = True

    def lose(self) -> None:
        """Drop all that is not written."""
        self.closed = True
        for piece in (*self._taken, *self._queue):
            if piece.written is None:
                self.dropped += 1
            else:
                piece.lost = True
                piece.written.set()
        self._taken.clear()
        self._queue.clear()
        self.queued_bytes = 0

    def retire(self) -> None:
        """Drop all, and let go of the callbacks, so that no reference cycle outlives the session."""
        self.lose()
        self.on_overflow = None
        self.on_waiting = None

    def _queue_up(self, piece: Piece) -> None:
        self._queue.append(piece)
        if self.on_waiting is not None:
            self.on_waiting()
