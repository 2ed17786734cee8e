"""The only writer of one socket: never blocks who offers, never cuts a frame, bounded in bytes.

While nothing is queued a frame goes straight from the caller to `send(2)`. Only what the kernel does not take is
queued, and only then does a writer task exist. So an idle connection pays for neither a queue nor a task, and one slow
reader costs the others nothing.
"""

import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import Final

import trio

from actors.conversation.subscription import DirectSend

GATHER: Final = 64
"""Queued pieces handed to one `sendmsg(2)`."""
TURN_BYTES: Final = 262_144
"""Written at most before the other tasks of the loop get their turn."""


def _no_writer(_: object) -> None:
    """In place of a writer where nothing will be written."""


def _not_now(_: bytes, /) -> int:
    """In place of `send(2)` where it may not be called."""
    raise BlockingIOError


class _Piece:
    """Bytes that wait for the kernel."""

    __slots__ = ("begun", "counted", "data", "lost", "written")

    def __init__(self, data: memoryview, *, counted: bool, begun: bool, written: trio.Event | None) -> None:
        self.data = data
        self.counted = counted
        self.begun = begun
        self.written = written
        self.lost = False


class Outbox:
    """Writes to one non-blocking socket, in the order of the calls.

    `limit` bounds the bytes that offers may leave queued; an offer that comes while nothing is queued is always taken
    whole, since its first bytes may be gone already. The first offer above it calls `on_overflow` and is dropped, as
    are all that follow: the owner closes the connection (a client resumes by its last `seq`, and memory stays bounded).

    `start_writer` is called with the outbox when the queue comes to be; it must see to it that `run_writer` runs in a
    task. A peer that
    takes nothing for `write_timeout` seconds is dropped: the socket is reset.
    """

    __slots__ = (
        "_closing",
        "_dead",
        "_drained",
        "_limit",
        "_queue",
        "_sock",
        "_start_writer",
        "_write_timeout",
        "_writing",
        "closed",
        "direct",
        "dropped",
        "high_water",
        "on_drained",
        "on_overflow",
        "queued_bytes",
    )

    def __init__(
        self,
        sock: socket.socket,
        *,
        limit: int,
        start_writer: "Callable[[Outbox], None]",
        write_timeout: float = 30.0,
    ) -> None:
        self._sock = sock
        self._limit = limit
        self._start_writer = start_writer
        self._write_timeout = write_timeout
        self._queue: deque[_Piece] | None = None
        self._writing = False
        self._closing = False
        self._dead = False
        self.closed = False
        """Nothing more is taken: a close frame is queued, the limit was passed, or the socket is gone."""
        self.direct: DirectSend = sock.send
        """`send(2)` while nothing is queued and nothing closed, so that a fan-out needs no step between."""
        self._drained: trio.Event | None = None
        self.queued_bytes = 0
        """Bytes of offers that wait; what `send` waits for is not counted."""
        self.high_water = 0
        """The most that `queued_bytes` has been."""
        self.dropped = 0
        """Offers that were dropped."""
        self.on_drained: Callable[[], None] | None = None
        """Called each time the queue has been written to its end; it may offer again."""
        self.on_overflow: Callable[[], None] | None = None
        """Called once, when an offer was dropped because the queue is full."""

    @property
    def peer(self) -> str:
        """Host and port at the other end, for people; `gone` when there is none any more."""
        try:
            host, port = self._sock.getpeername()[:2]
        except OSError:
            return "gone"
        return f"{host}:{port}"

    @property
    def dead(self) -> bool:
        """The socket is gone: no byte goes out any more."""
        return self._dead

    def offer(self, data: bytes) -> bool:
        """Write or queue whole frames without waiting. True when the kernel took all of it at once."""
        if self._queue is None:
            if self.closed:
                self.dropped += 1
                return False
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.dropped += 1
                self.abort()
                return False
            if sent == len(data):
                return True
            self._enqueue(_Piece(memoryview(data)[sent:], counted=True, begun=sent > 0, written=None))
            return False
        if self.closed:
            self.dropped += 1
        elif self.queued_bytes + len(data) > self._limit:
            self.dropped += 1
            self.closed = True
            if self.on_overflow is not None:
                self.on_overflow()
        else:
            self._enqueue(_Piece(memoryview(data), counted=True, begun=False, written=None))
        return False

    def rest(self, frames: bytes, taken: int) -> None:
        """Queue what `direct` left of `frames`."""
        self._enqueue(_Piece(memoryview(frames)[taken:], counted=True, begun=True, written=None))

    async def send(self, data: bytes) -> None:
        """Write after all that was queued before, and return when the kernel has it. Not held against the limit.

        When cancelled before its first byte was written, nothing of it is. Raises `trio.ClosedResourceError` once a
        close is queued, `trio.BrokenResourceError` when the socket is gone.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._dead:
            raise trio.BrokenResourceError("the connection is lost")
        if self.closed:
            raise trio.ClosedResourceError("the connection is closing")
        sent = 0
        if self._queue is None:
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self.abort()
                raise trio.BrokenResourceError("the connection is lost") from error
            if sent == len(data):
                await trio.lowlevel.cancel_shielded_checkpoint()
                return
        written = trio.Event()
        piece = _Piece(memoryview(data)[sent:], counted=False, begun=sent > 0, written=written)
        self._enqueue(piece)
        try:
            await written.wait()
        except trio.Cancelled:
            self._take_back(piece)
            raise
        if piece.lost:
            raise trio.BrokenResourceError("the connection is lost")

    def close_after(self, frame: bytes, *, discard_queued: bool = False) -> None:
        """Make `frame` the last that is written; later offers are dropped. Only the first call counts.

        With `discard_queued` what no byte was written of yet goes first, and those who wait in `send` for it get
        `trio.BrokenResourceError`.
        """
        if self._closing or self._dead:
            return
        self._closing = self.closed = True
        self.direct = _not_now
        if self._queue is not None and discard_queued:
            kept = deque(piece for piece in islice(self._queue, 1) if piece.begun)
            for piece in islice(self._queue, len(kept), None):
                self._lose(piece)
            self._queue = kept
            self.queued_bytes = sum(len(piece.data) for piece in kept if piece.counted)
        sent = 0
        if not self._queue:
            try:
                sent = self._sock.send(frame)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.abort()
                return
        if sent < len(frame):
            self._enqueue(_Piece(memoryview(frame)[sent:], counted=False, begun=sent > 0, written=None))
        elif self._queue is not None:
            self._empty()

    async def run_writer(self) -> None:
        """Write the queue to its end. Drops the connection when the peer takes nothing for `write_timeout` seconds."""
        try:
            progress = trio.current_time()
            while self._queue is not None and self._sock.fileno() >= 0:
                with trio.move_on_at(progress + self._write_timeout) as scope, suppress(trio.ClosedResourceError):
                    await trio.lowlevel.wait_writable(self._sock)
                if scope.cancelled_caught:
                    self.reset()
                elif self._flush():
                    progress = trio.current_time()
        except BaseException:
            self.abort()
            raise
        finally:
            self._writing = False

    async def wait_drained(self) -> None:
        """Return once nothing is queued, or the socket is gone."""
        if self._queue is None:
            await trio.lowlevel.checkpoint()
            return
        if self._drained is None:
            self._drained = trio.Event()
        await self._drained.wait()

    def abort(self) -> None:
        """Drop the connection: nothing more is written, who waits in `send` is told, the reader sees the end."""
        if not self._dead:
            self.retire()
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """As `abort`, and the kernel forgets what it has not sent yet."""
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    def retire(self) -> None:
        """Write nothing more, and let go of all callbacks, so that no reference cycle outlives the connection."""
        self._dead = self.closed = True
        self.direct = _not_now
        self.on_drained = None
        self.on_overflow = None
        self._start_writer = _no_writer
        queue, self._queue = self._queue, None
        self.queued_bytes = 0
        for piece in queue or ():
            self._lose(piece)
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    def _enqueue(self, piece: _Piece) -> None:
        if self._queue is None:
            self._queue = deque()
            self.direct = _not_now
        self._queue.append(piece)
        if piece.counted:
            self.queued_bytes += len(piece.data)
            self.high_water = max(self.high_water, self.queued_bytes)
        if not self._writing:
            self._writing = True
            self._start_writer(self)

    def _take_back(self, piece: _Piece) -> None:
        if self._queue is None or piece.begun:
            return
        with suppress(ValueError):
            self._queue.remove(piece)
        if not self._queue:
            self._empty()

    def _flush(self) -> int:
        """Hand the kernel what it takes; the number of bytes."""
        queue = self._queue
        total = 0
        while queue and total < TURN_BYTES:
            try:
                sent = self._sock.sendmsg([piece.data for piece in islice(queue, GATHER)])
            except BlockingIOError:
                break
            except OSError:
                self.abort()
                return total
            total += sent
            if not self._advance(queue, sent):
                break
        if queue is not None and not queue:
            self._empty()
        return total

    def _advance(self, queue: deque[_Piece], sent: int) -> bool:
        """Strike `sent` bytes off the queue; whether the kernel seems to want more."""
        while queue:
            piece = queue[0]
            size = len(piece.data)
            if piece.counted:
                self.queued_bytes -= min(sent, size)
            if sent < size:
                piece.data = piece.data[sent:]
                piece.begun = piece.begun or sent > 0
                return sent > 0
            sent -= size
            queue.popleft()
            if piece.written is not None:
                piece.written.set()
            if not sent:
                break
        return True

    def _empty(self) -> None:
        self._queue = None
        if not self.closed:
            self.direct = self._sock.send
        if self._drained is not None:
            self._drained.set()
            self._drained = None
        if self.on_drained is not None:
            self.on_drained()

    def _lose(self, piece: _Piece) -> None:
        if piece.written is None:
            self.dropped += piece.counted
        else:
            piece.lost = True
            piece.written.set()
