"""When the intervals of a run end."""

from chatload.messages import Go, Part
from chatload.worker.pacing import FOREVER


class Calendar:
    """The intervals that reports are about: whole ones, and a shorter one at the end of warm-up and hold."""

    def __init__(self, start: int, interval: int) -> None:
        self._interval = interval
        self._parts = [(Part.CONNECT, start, FOREVER)]
        self.number = 1
        self.next = start + interval
        """When the present interval ends."""

    def begin(self, go: Go) -> None:
        """The connecting ends when the traffic starts."""
        connect, since, _ = self._parts[0]
        self._parts = [(connect, since, go.start)]
        if go.measured > go.start:
            self._parts.append((Part.WARM_UP, go.start, go.measured))
        self._parts += [(Part.HOLD, go.measured, go.end), (Part.DRAIN, go.end, FOREVER)]
        self.next = self._interval_end()

    @property
    def part(self) -> Part:
        return self._parts[0][0]

    def advance(self) -> None:
        """To the interval after the present one."""
        if self.next < self._parts[0][2]:
            self.number += 1
        else:
            self._parts.pop(0)
            self.number = 1
        self.next = self._interval_end()

    def _interval_end(self) -> int:
        _, since, until = self._parts[0]
        return min(since + self.number * self._interval, until)
