"""From values to places on a drawing, and the round values to mark on the way."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from attrs import frozen

LARGEST: Final = 1e290
"""Values beyond it are drawn at it, so that the arithmetic of no finite value overflows."""

SMALLEST: Final = 1e-270
"""Spans below it count as none, and on a logarithmic axis so do values."""

_STEPS: Final = (1, 2, 5)
_MAX_DECADES: Final = 8


@frozen
class Scale:
    """Maps `low…high` to `start…end`. Values outside are put at the nearer end; `ticks` lie within."""

    low: float
    high: float
    start: float
    end: float
    log: bool
    ticks: Sequence[float]

    def place(self, value: float) -> float:
        within = min(max(value, self.low), self.high)
        if self.log:
            share = (math.log10(within) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        else:
            share = (within - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def drawable(value: float | None, *, log: bool) -> bool:
    """Whether a value has a place: a finite one, and on a logarithmic axis a positive one."""
    return value is not None and math.isfinite(value) and (not log or value >= SMALLEST)


def tight_scale(values: Iterable[float], start: float, end: float, *, count: int = 6) -> Scale:
    """Linear from the least to the greatest value."""
    low, high = _span(values)
    return Scale(low, high, start, end, False, _linear_ticks(low, high, _step(low, high, count)))


def zero_scale(values: Iterable[float], start: float, end: float, *, count: int = 5) -> Scale:
    """Linear from zero, so that heights compare, to a round value at or above the greatest."""
    low, high = _span([0.0, *values])
    step = _step(low, high, count)
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return Scale(low, high, start, end, False, _linear_ticks(low, high, step))


def log_scale(values: Iterable[float], start: float, end: float) -> Scale:
    """Logarithmic between round values around the drawable ones. Ticks are decades, or 1-2-5 over a short span."""
    positive = [min(value, LARGEST) for value in values if drawable(value, log=True)] or [1.0]
    low, high = _round_below(min(positive)), _round_above(max(positive))
    if low == high:
        high = _round_above(high * 1.5)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    stride = math.ceil((last - first) / _MAX_DECADES)
    marks = _STEPS if high / low <= 100 else (1,)
    ticks = [mark * 10.0**power for power in range(first, last + 1, stride) for mark in marks]
    slack = 1 + 1e-9
    return Scale(low, high, start, end, True, [tick for tick in ticks if low / slack <= tick <= high * slack])


def _span(values: Iterable[float]) -> tuple[float, float]:
    """From the least to the greatest, opened where they are too near to tell apart."""
    finite = [min(max(value, -LARGEST), LARGEST) for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    size = max(abs(low), abs(high))
    if size < SMALLEST:
        return 0.0, 1.0
    if high - low > size * 1e-9:
        return low, high
    return low - size / 2, high + size / 2


def _step(low: float, high: float, count: int) -> float:
    """A round distance that divides the span into at most `count` and a few parts."""
    least = (high - low) / count
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (*_STEPS, 10, 20) if step * power >= least)


def _linear_ticks(low: float, high: float, step: float) -> Sequence[float]:
    slack = 1e-9
    first, last = math.ceil(low / step - slack), math.floor(high / step + slack)
    return [number * step for number in range(first, last + 1)]


def _round_below(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return max(step * power for step in (0.5, *_STEPS) if step * power <= value)


def _round_above(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return min(step * power for step in (*_STEPS, 10, 20) if step * power >= value)
