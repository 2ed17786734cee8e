"""Limits that a run has to keep, as `--threshold 'p99<50ms'` gives them.

threshold  = figure operator number [unit]
figure     = [kind "."] ("p50" | "p90" | "p99" | "p99.9" | "max")     latency; `delivery` without a kind; us, ms, s
           | ("deliveries" | "sends" | "connects" | "resumes") "/s"   rate
           | "lost" | "doubled" | "out_of_order" | "unacknowledged" | "errors"
           | "server_cpu" | "meter_cpu"                               cores
           | "server_rss"                                             B, KiB, MiB, GiB
operator   = "<" | "<=" | ">" | ">=" | "=="
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Final

from attrs import frozen

from chatload.reports.figures import LATENCIES, PERCENTILES, Unit, shown
from chatload.result import Latency, Result

_GRAMMAR: Final = re.compile(r"([^<>=\s]+)\s*(<=|>=|==|<|>)\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-zµ]*)", re.ASCII)
_OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
_UNITS: Final[Mapping[Unit, Mapping[str, float]]] = {
    Unit.MILLISECONDS: {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3},
    Unit.BYTES: {"B": 1.0, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30},
}
"""How many of the figure's own unit each unit is. A figure that is not here takes none."""

_Read = Callable[[Result], float | None]
_RATES: Final = ("deliveries", "sends", "connects", "resumes")
_PLAIN: Final[Mapping[str, tuple[Unit, _Read]]] = {
    "lost": (Unit.COUNT, lambda result: result.faults.lost),
    "doubled": (Unit.COUNT, lambda result: result.faults.doubled),
    "out_of_order": (Unit.COUNT, lambda result: result.faults.out_of_order),
    "unacknowledged": (Unit.COUNT, lambda result: result.faults.unacknowledged),
    "errors": (Unit.COUNT, lambda result: sum(result.faults.errors.values())),
    "server_cpu": (Unit.CORES, lambda result: result.server_cpu),
    "meter_cpu": (Unit.CORES, lambda result: result.meter_cpu),
    "server_rss": (Unit.BYTES, lambda result: result.server_rss),
}


@frozen
class ThresholdOutcome:
    """`value` is what the run had, in milliseconds, bytes, cores, per second or a count; None when it had none.

    `figure` is the value as a person reads it.
    """

    text: str
    value: float | None
    passed: bool
    figure: str


@frozen
class Threshold:
    """One limit. `bound` is in the unit of the figure that `read` takes from a result."""

    text: str
    unit: Unit
    read: _Read
    holds: Callable[[float, float], bool]
    bound: float

    def check(self, result: Result) -> ThresholdOutcome:
        """A figure that the run does not have does not keep its threshold."""
        value = self.read(result)
        if value is None:
            return ThresholdOutcome(self.text, None, False, "not measured")
        return ThresholdOutcome(self.text, value, self.holds(value, self.bound), shown(value, self.unit))


def parse_threshold(text: str) -> Threshold:
    """Raises `ValueError`, which names what is wrong."""
    match = _GRAMMAR.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no threshold: write a figure, one of < <= > >= ==, and a number, as in p99<50ms")
    figure, sign, number, unit_name = match.groups()
    unit, read = _figure(text, figure)
    bound = float(number) * _unit_factor(text, figure, unit, unit_name)
    if not math.isfinite(bound):
        raise ValueError(f"{text!r}: the number is too large")
    return Threshold(text.strip(), unit, read, _OPERATORS[sign], bound)


def _figure(text: str, figure: str) -> tuple[Unit, _Read]:
    if figure in _PLAIN:
        return _PLAIN[figure]
    if figure.endswith("/s"):
        rate = figure.removesuffix("/s")
        if rate not in _RATES:
            raise ValueError(f"{text!r}: no rate {figure!r}; there are {', '.join(f'{name}/s' for name in _RATES)}")
        return Unit.PER_SECOND, lambda result: result.rates.get(rate)
    kind, percentile = ("delivery", figure) if figure in PERCENTILES else figure.partition(".")[::2]
    if kind not in LATENCIES:
        known = ", ".join([*PERCENTILES, *(f"{name}/s" for name in _RATES), *_PLAIN])
        raise ValueError(
            f"{text!r}: no figure {figure!r}; there are {known}, and a latency's kind before a percentile "
            f"({', '.join(LATENCIES)}), as in completion.p99"
        )
    if percentile not in PERCENTILES:
        raise ValueError(f"{text!r}: no percentile {percentile!r}; there are {', '.join(PERCENTILES)}")
    return Unit.MILLISECONDS, _latency(kind, PERCENTILES[percentile])


def _latency(kind: str, read: Callable[[Latency], float]) -> _Read:
    def latency(result: Result) -> float | None:
        found = result.latencies.get(kind)
        return read(found) if found is not None and found.count else None

    return latency


def _unit_factor(text: str, figure: str, unit: Unit, name: str) -> float:
    units = _UNITS.get(unit)
    if units is None:
        if name:
            raise ValueError(f"{text!r}: {figure} takes no unit")
        return 1.0
    if name not in units:
        missing = f"no unit {name!r} for {figure}" if name else f"{figure} needs a unit"
        raise ValueError(f"{text!r}: {missing}; there are {', '.join(units)}")
    return units[name]
