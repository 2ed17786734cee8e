"""Latencies: recorded as plain numbers, folded to three significant digits, put together in an HDR histogram.

Raw values are nanoseconds, folded ones microseconds.
"""

import importlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol, cast

from chatload.result import Latency

LONGEST_US: Final = 3_600_000_000
_FIGURES: Final = 3
_EXACT_BITS: Final = 11
"""Values below 2 ** 11 microseconds are kept as they are, larger ones to 10 bits and their leading one."""


class _Hdr(Protocol):
    total_count: int

    def record_value(self, value: int, count: int) -> bool: ...
    def get_percentile_to_value_dict(self, percentile_list: list[float]) -> dict[float, int]: ...
    def get_max_value(self) -> int: ...
    def get_recorded_iterator(self) -> "Iterator[_Bucket]": ...


class _Bucket(Protocol):
    value_iterated_to: int
    count_at_value_iterated_to: int


def fold(nanoseconds: Iterable[int]) -> Counter[int]:
    """How often each latency came, in microseconds, rounded down to what the histogram tells apart."""
    return Counter(
        [us if (cut := (us := ns // 1000).bit_length() - _EXACT_BITS) <= 0 else us >> cut << cut for ns in nanoseconds]
    )


class LatencyHistogram:
    """An HDR histogram of one kind of latency, from a microsecond to an hour."""

    def __init__(self) -> None:
        module = importlib.import_module("hdrh.histogram")
        self._hdr = cast("_Hdr", module.HdrHistogram(1, LONGEST_US, _FIGURES))
        self._sum = 0

    def __len__(self) -> int:
        return self._hdr.total_count

    def add(self, folded: Mapping[int, int]) -> None:
        for microseconds, count in folded.items():
            self._hdr.record_value(min(max(microseconds, 0), LONGEST_US), count)
            self._sum += microseconds * count

    def milliseconds(self, *percentiles: float) -> list[float | None]:
        """The latency at each percentile; None when nothing was recorded."""
        if not len(self):
            return [None for _ in percentiles]
        values = self._hdr.get_percentile_to_value_dict(list(percentiles))
        return [values[each] / 1000 for each in percentiles]

    def latency(self) -> Latency:
        """All of it, in milliseconds."""
        p50, p90, p99, p999 = (value or 0.0 for value in self.milliseconds(50.0, 90.0, 99.0, 99.9))
        buckets = [
            (b.value_iterated_to / 1000, b.count_at_value_iterated_to) for b in self._hdr.get_recorded_iterator()
        ]
        return Latency(
            count=len(self),
            mean=self._sum / len(self) / 1000 if len(self) else 0.0,
            p50=p50,
            p90=p90,
            p99=p99,
            p999=p999,
            max=self._hdr.get_max_value() / 1000 if len(self) else 0.0,
            buckets=[(bound, count) for bound, count in buckets if count],
        )
