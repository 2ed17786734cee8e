"""What a worker does later."""

import heapq
import select
import time
from collections.abc import Callable

from chatload.worker.pacing import FOREVER


class Timers:
    """Calls, each at its moment (nanoseconds of CLOCK_MONOTONIC), in the order of the moments."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: int, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, call))

    @property
    def next(self) -> int:
        """When the next call is due; `FOREVER` when there is none."""
        return self._heap[0][0] if self._heap else FOREVER

    def run(self, now: int) -> None:
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()


def wait_readable(epoll: select.epoll, until: int) -> None:
    """Returns when there is an event, or at `until`: select(2) is exact to the microsecond, epoll_wait(2) to 1000."""
    seconds = min(1.0, (until - time.monotonic_ns()) / 1e9)
    if seconds > 0:
        select.select([epoll], (), (), seconds)
