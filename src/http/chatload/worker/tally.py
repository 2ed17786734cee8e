"""What a worker counts between two reports."""

from collections import Counter
from collections.abc import Mapping

from chatload.latencies import fold
from chatload.messages import Seen


class Tally:
    """Counters, raw latencies in nanoseconds by kind, and what has been seen of each message."""

    def __init__(self) -> None:
        self.measured_from = 0
        """What was due before does not count."""
        self.sent = 0
        self.acknowledged = 0
        self.delivered = 0
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.seen: list[Seen] = []
        self._raw: dict[str, list[int]] = {}
        self._unmeasured: list[int] = []

    def latency(self, kind: str, nanoseconds: int) -> None:
        self._raw.setdefault(kind, []).append(nanoseconds)

    def timed(self, kind: str, due: int, now: int) -> None:
        """As `latency`, unless it was due in the warm-up."""
        if due >= self.measured_from:
            self.latency(kind, now - due)

    def deliveries(self, due: int, times: list[int]) -> None:
        """Receptions of one message."""
        raw = self._raw.setdefault("delivery", []) if due >= self.measured_from else self._unmeasured
        raw += [time - due for time in times]

    def take_latencies(self) -> dict[str, dict[int, int]]:
        folded: dict[str, dict[int, int]] = {kind: fold(raw) for kind, raw in self._raw.items() if raw}
        self._raw.clear()
        return folded

    def take_unmeasured(self) -> Mapping[int, int]:
        folded = fold(self._unmeasured)
        self._unmeasured.clear()
        return folded

    def reset(self) -> None:
        """After a report; the latencies have been taken."""
        self.sent = self.acknowledged = self.delivered = 0
        self.counts.clear()
        self.errors.clear()
        self.seen = []
