"""What has come in from Redis and waits to be fetched: filled on the asyncio side, fetched on Trio's."""

import asyncio
from collections.abc import Sequence

import trio
from trio.lowlevel import Abort, Task

from actors.bridge.broker import Happening, Received


class Inbox:
    """At `limit` messages, or `limit_bytes` of them, `room` waits: the socket is then not read any more.

    What is not a message is bounded by what is followed, and always accepted.
    """

    def __init__(self, limit: int, limit_bytes: int) -> None:
        self.received = 0
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._waiting: list[Happening] = []
        self._bytes = 0
        self._reader: Task | None = None
        self._held_back: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= self._limit or self._bytes >= self._limit_bytes

    def put(self, happening: Happening) -> None:
        if isinstance(happening, Received):
            self.received += 1
            self._bytes += len(happening.payload)
        self._waiting.append(happening)
        if self._reader is not None:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None

    async def room(self) -> None:
        """On the asyncio side: returns once there is room."""
        while self.is_full:
            fetched = asyncio.get_running_loop().create_future()
            self._held_back.append(fetched)
            await fetched

    async def fetch(self) -> Sequence[Happening]:
        """On Trio's side: all that waits, at least one, in order."""
        if self._waiting:
            await trio.lowlevel.checkpoint()
        else:
            if self._reader is not None:
                raise trio.BusyResourceError("another task receives already")
            self._reader = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._give_up)
        fetched, self._waiting = self._waiting, []
        self._bytes = 0
        held_back, self._held_back = self._held_back, []
        for future in held_back:
            if not future.done():
                future.set_result(None)
        return fetched

    def _give_up(self, _: object) -> Abort:
        self._reader = None
        return Abort.SUCCEEDED
