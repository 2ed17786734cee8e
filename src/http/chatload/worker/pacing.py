"""When what is due, on a clock that waits for nobody."""

from collections.abc import Sequence
from typing import Final

FOREVER: Final = 1 << 62


class OpenLoop:
    """Events due at a fixed rate whatever the answers: one each period and source, at the source's phase of it.

    Times are integers of any one unit, phases parts of the period. What is late keeps the time at which it was due, so
    a latency counted from there does not omit the wait (G. Tene, "How NOT to Measure Latency").
    """

    def __init__(self, start: int, end: int, period: int, phases: Sequence[float]) -> None:
        self._offsets = sorted((int(phase * period), source) for source, phase in enumerate(phases))
        self._end = end
        self._period = period
        self._cycle_start = start
        self._next = 0
        self.due = start + self._offsets[0][0] if phases else FOREVER
        """When the next event is due; `FOREVER` when none is."""
        if self.due >= end:
            self.due = FOREVER

    def take(self, now: int) -> tuple[int, int] | None:
        """The source of the next event and when it was due; None while it is not. Call it until it says None."""
        due = self.due
        if due > now:
            return None
        source = self._offsets[self._next][1]
        self._next += 1
        if self._next == len(self._offsets):
            self._next = 0
            self._cycle_start += self._period
        following = self._cycle_start + self._offsets[self._next][0]
        self.due = following if following < self._end else FOREVER
        return source, due


def last_due(now: int, start: int, period: int, phase: float) -> int:
    """When the latest event of the source at or before `now` was due."""
    first = start + int(phase * period)
    return first + max(0, now - first) // period * period
