"""What a result looks like: its charts."""

import math
from collections.abc import Callable, Sequence
from typing import Final

from chatload.reports.chart import Axis, Series, Span, histogram, line_chart
from chatload.reports.figures import Unit, interval_lengths, measured_latencies, shown
from chatload.result import Interval, Latency, Result

_BARS: Final = 60
_MICROSECOND: Final = 1e-3
_CURVE_POINTS_A_DECADE: Final = 40


def _axis(label: str, unit: Unit, *, log: bool = False) -> Axis:
    return Axis(label, log, figure=lambda value: shown(value, unit))


_TIME: Final = Axis("seconds", figure=lambda value: f"{value:.0f} s")
_COUNT: Final = _axis("samples", Unit.COUNT)
_LATENCY: Final = _axis("ms", Unit.MILLISECONDS, log=True)


def percentile_name(inverse: float) -> str:
    """Of `1 / (1 - percentile)`: 1 is 0 %, 10 is 90 %, 1,000 is 99.9 %."""
    nines = max(0, math.floor(math.log10(inverse) + 1e-9) - 1)
    figure = f"{100 - 100 / inverse:.{nines}f}"
    return f"{figure.rstrip('0').rstrip('.') if '.' in figure else figure} %"


_PERCENTILE: Final = Axis("percentile", True, tick=percentile_name, figure=percentile_name)


def latency_histograms(result: Result) -> Sequence[str]:
    """One for each kind of latency, with bars of equal width on a logarithmic axis."""
    return [
        histogram(_bars(latency.buckets), title=f"Latency: {kind}", x=_LATENCY, y=_COUNT)
        for kind, latency in measured_latencies(result).items()
        if latency.buckets
    ]


def percentile_curve(result: Result, old: Result | None) -> str:
    """Every kind of latency by percentile; the older run's delivery dashed beside it."""
    series = [Series(kind, _curve(latency)) for kind, latency in measured_latencies(result).items()]
    before = measured_latencies(old).get("delivery") if old is not None else None
    if before is not None:
        series.append(Series("delivery before", _curve(before), dashed=True))
    return line_chart(series, title="Latency by percentile", x=_PERCENTILE, y=_LATENCY)


def over_time(result: Result) -> Sequence[str]:
    """Latency, throughput, CPU of server and meter, the server's memory, connections, and errors if any."""
    intervals = result.intervals
    lengths = interval_lengths(intervals)
    rate = _axis("per second", Unit.PER_SECOND)

    def chart(title: str, y: Axis, **lines: Callable[[Interval], float | None]) -> str:
        series: list[Series] = []
        for name, read in lines.items():
            values = [read(each) for each in intervals]
            if y is rate:
                values = [value and value / length for value, length in zip(values, lengths, strict=True)]
            series.append(Series(name, [(each.at, value) for each, value in zip(intervals, values, strict=True)]))
        return line_chart(series, title=title, x=_TIME, y=y, shaded=_left_out(intervals, lengths))

    charts = [
        chart(
            "Delivery latency over time",
            _LATENCY,
            p50=lambda each: each.delivery_p50,
            p99=lambda each: each.delivery_p99,
            max=lambda each: each.delivery_max,
        ),
        chart("Delivered", rate, delivered=lambda each: each.delivered),
        chart(
            "Sent",
            rate,
            sent=lambda each: each.sent,
            acknowledged=lambda each: each.acknowledged,
        ),
        chart(
            "CPU",
            _axis("cores", Unit.CORES),
            server=lambda each: each.server_cpu,
            meter=lambda each: each.meter_cpu,
        ),
        chart("Server memory", _axis("MiB", Unit.COUNT), rss=lambda each: each.server_rss and each.server_rss / 2**20),
        chart("Connections", _axis("open", Unit.COUNT), connected=lambda each: each.connected),
    ]
    if any(each.errors for each in intervals):
        charts.append(chart("Errors", _axis("per interval", Unit.COUNT), errors=lambda each: each.errors))
    return charts


def _left_out(intervals: Sequence[Interval], lengths: Sequence[float]) -> Sequence[Span]:
    """The stretches before, after and between what was measured."""
    spans: list[Span] = []
    before = True
    for each, length in zip(intervals, lengths, strict=True):
        if not each.measured:
            low = each.at - length if before else spans.pop().low
            spans.append(Span(low, each.at, "not measured"))
        before = each.measured
    return spans


def _bars(buckets: Sequence[tuple[float, int]]) -> Sequence[tuple[float, float, int]]:
    """The buckets gathered into at most 60 bars over the logarithm of their bounds, which is a microsecond at least."""
    placed = [(math.log(max(bound, _MICROSECOND)), count) for bound, count in buckets]
    if not placed:
        return []
    low = min(place for place, _ in placed)
    width = max((max(place for place, _ in placed) - low) / _BARS, math.log(2) / _BARS)
    counts: dict[int, int] = {}
    for place, count in placed:
        bar = min(int((place - low) / width), _BARS - 1)
        counts[bar] = counts.get(bar, 0) + count
    return [(math.exp(low + bar * width), math.exp(low + (bar + 1) * width), counts[bar]) for bar in sorted(counts)]


def _curve(latency: Latency) -> Sequence[tuple[float, float | None]]:
    """`(1 / (1 - percentile), latency)` at the same percentiles for every kind, as far as its samples tell them apart.

    The greatest value, whose percentile is 100, is drawn where half a sample would be above it.
    """
    points: list[tuple[float, float | None]] = []
    total, seen, step = sum(count for _, count in latency.buckets), 0, 0
    for bound, count in latency.buckets:
        seen += count
        while (inverse := 10 ** (step / _CURVE_POINTS_A_DECADE)) <= 2 * total and total - total / inverse <= seen:
            points.append((inverse, bound))
            step += 1
    return points
