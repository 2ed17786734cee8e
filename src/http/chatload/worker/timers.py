"""What a worker does later."""

import heapq
import select
from collections.abc import Callable
from typing import Final

from chatload.worker.pacing import FOREVER

_MILLISECOND: Final = 1_000_000
_LONG_WAIT: Final = 2 * _MILLISECOND


class Timers:
    """Calls, each at its moment (nanoseconds of CLOCK_MONOTONIC), in the order of the moments."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self.next = FOREVER
        """When the next call is due; `FOREVER` when there is none."""

    def at(self, when: int, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, call))
        self.next = self._heap[0][0]

    def run(self, now: int) -> None:
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()
        self.next = self._heap[0][0] if self._heap else FOREVER


def ready_events(epoll: select.epoll, limit: int, wait: int) -> list[tuple[int, int]]:
    """What is ready within `wait` nanoseconds, none when nothing is.

    epoll_wait(2) counts in milliseconds, so that only the greater part of a long wait is left to it; select(2) is exact
    to some microseconds.
    """
    if wait > _LONG_WAIT:
        return epoll.poll(min(1.0, (wait - _MILLISECOND) / 1e9), limit)
    events = epoll.poll(0, limit)
    if not events and wait > 0:
        select.select([epoll], (), (), wait / 1e9)
    return events
