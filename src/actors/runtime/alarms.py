"""The deadlines of many actors, kept by one task: a busy actor makes no cancel scope each time it waits."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import inf

import trio


class Alarms:
    """Rings the alarms of the actors that share it, while `run` runs."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Alarm]] = []
        self._order = count()
        self._sleep = trio.CancelScope()

    def __len__(self) -> int:
        return len(self._due)

    async def run(self) -> None:
        """Forever."""
        while True:
            with trio.CancelScope(deadline=self._due[0][0] if self._due else inf) as self._sleep:
                await trio.sleep_forever()
            now = trio.current_time()
            while self._due and self._due[0][0] <= now:
                heappop(self._due)[2].went_off()

    def add(self, at: float, alarm: "Alarm") -> None:
        heappush(self._due, (at, next(self._order), alarm))
        if self._due[0][2] is alarm and at < self._sleep.deadline:
            self._sleep.deadline = at


class Alarm:
    """One actor's. `ring` is called, in the task of `Alarms`, at each time that was asked for, and must not raise.

    A time later than the next ring is not noted: who is rung looks at what is due and asks again.
    """

    __slots__ = ("_alarms", "_ring", "_times")

    def __init__(self, alarms: Alarms, ring: Callable[[], None]) -> None:
        self._alarms = alarms
        self._ring = ring
        self._times: list[float] = []

    def ring_by(self, at: float) -> None:
        """Ring at `at` on Trio's clock, unless it rings before that anyway."""
        if at < inf and (not self._times or at < self._times[0]):
            heappush(self._times, at)
            self._alarms.add(at, self)

    def went_off(self) -> None:
        heappop(self._times)
        self._ring()
