import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatload.latencies import LatencyHistogram, fold


@given(st.lists(st.integers(0, 3_600_000_000_000)))
def test_folding_keeps_each_latency_to_a_thousandth(nanoseconds: list[int]) -> None:
    folded = fold(nanoseconds)
    assert sum(folded.values()) == len(nanoseconds)
    back = sorted(us for us, count in folded.items() for _ in range(count))
    for us, ns in zip(back, sorted(nanoseconds), strict=True):
        assert us <= ns / 1000 <= (us + 1) * 1.001


def test_percentiles_are_those_of_the_values() -> None:
    values = [random.Random(1).randrange(50_000, 200_000_000) for _ in range(20_000)]
    histogram = LatencyHistogram()
    for part in (values[:7000], values[7000:]):
        histogram.add(fold(part))
    latency = histogram.latency()
    ranked = sorted(value / 1e6 for value in values)
    assert latency.count == 20_000
    for found, rank in [(latency.p50, 0.5), (latency.p90, 0.9), (latency.p99, 0.99), (latency.p999, 0.999)]:
        assert found == pytest.approx(ranked[int(rank * 20_000) - 1], rel=2e-3)
    assert latency.max == pytest.approx(ranked[-1], rel=2e-3)
    assert latency.mean == pytest.approx(sum(ranked) / 20_000, rel=2e-3)
    assert sum(count for _, count in latency.buckets) == 20_000
    assert [bound for bound, _ in latency.buckets] == sorted(bound for bound, _ in latency.buckets)


def test_latency_beyond_the_histogram_counts_as_its_largest() -> None:
    histogram = LatencyHistogram()
    histogram.add(fold([10**16]))
    assert histogram.latency().max == pytest.approx(3_600_000, rel=2e-3)


def test_nothing_recorded_has_no_percentiles() -> None:
    assert LatencyHistogram().milliseconds(50.0) == [None]
    assert LatencyHistogram().latency().count == 0
