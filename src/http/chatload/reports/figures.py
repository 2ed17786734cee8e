"""Figures as people read them, and those that follow from a result."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from itertools import pairwise
from typing import Final

from chatload.result import Interval, Latency, Result

PERCENTILES: Final[Mapping[str, Callable[[Latency], float]]] = {
    "p50": lambda latency: latency.p50,
    "p90": lambda latency: latency.p90,
    "p99": lambda latency: latency.p99,
    "p99.9": lambda latency: latency.p999,
    "max": lambda latency: latency.max,
}

LATENCIES: Final[Mapping[str, str]] = {
    "delivery": "intended send until a subscriber has it",
    "completion": "intended send until the last subscriber has it",
    "receipt": "intended send until the RECEIPT",
    "connect": "TCP, WebSocket and CONNECTED",
    "resume": "SUBSCRIBE until the last missed message",
    "typing": "sent until a subscriber has it",
}
"""What each kind of latency is timed from and to."""

FEW_CORES_LEFT: Final = 0.85
"""Of a core, per process of the meter: above it the meter itself may be what limits."""

ABSENT: Final = "-"


class Unit(Enum):
    MILLISECONDS = "ms"
    MICROSECONDS = "µs"
    PER_SECOND = "/s"
    CORES = "cores"
    BYTES = "bytes"
    COUNT = ""


def three_digits(value: float) -> str:
    """With three significant digits, or all digits before the point: `0.043`, `4.30`, `12,300`."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:#.3g}".rstrip(".")


def shown(value: float | None, unit: Unit) -> str:
    """A figure with its unit, in the size that suits it; a hyphen where there is none."""
    if value is None:
        return ABSENT
    match unit:
        case Unit.MILLISECONDS:
            return f"{three_digits(value / 1000)} s" if value >= 999.5 else f"{three_digits(value)} ms"
        case Unit.MICROSECONDS:
            return f"{three_digits(value)} µs"
        case Unit.PER_SECOND:
            return f"{three_digits(value)}/s"
        case Unit.CORES:
            return f"{value:.2f} cores"
        case Unit.BYTES:
            size, name = next((size, name) for size, name in _SIZES if value >= size or size == 1)
            return f"{three_digits(value / size)} {name}"
        case Unit.COUNT:
            return f"{value:,.0f}" if value == int(value) else three_digits(value)


_SIZES: Final = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


def shown_parameter(value: str | float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:,}"


def cpu_per_delivery(result: Result) -> float | None:
    """The server's CPU time for one delivery, in microseconds; None without the server's CPU or deliveries."""
    deliveries = result.rates.get("deliveries")
    if result.server_cpu is None or not deliveries:
        return None
    return result.server_cpu / deliveries * 1e6


def measured_latencies(result: Result) -> Mapping[str, Latency]:
    """Those kinds that were measured at least once, the known ones in the order of `LATENCIES`, then the others."""
    kinds = [*LATENCIES, *(kind for kind in result.latencies if kind not in LATENCIES)]
    found = {kind: result.latencies.get(kind) for kind in kinds}
    return {kind: latency for kind, latency in found.items() if latency is not None and latency.count}


def interval_lengths(intervals: Sequence[Interval]) -> Sequence[float]:
    """How many seconds each interval is long: from the end of the one before, but no longer than they usually are.

    Usual is the median; a second where there are not two intervals. The first is taken to be as long as usual.
    """
    distances = [later.at - earlier.at for earlier, later in pairwise(intervals)]
    forward = sorted(each for each in distances if each > 0)
    usual = forward[len(forward) // 2] if forward else 1.0
    return [usual, *(min(each, usual) if each > 0 else usual for each in distances)][: len(intervals)]


def meter_near_its_limit(cores: float, processes: int) -> bool:
    return cores >= FEW_CORES_LEFT * processes
