import math
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatload.reports.scale import Scale, drawable, log_scale, tight_scale, zero_scale

FINITE = st.floats(allow_nan=False, allow_infinity=False)
MakeScale = Callable[[Iterable[float], float, float], Scale]
VALUES = st.lists(FINITE, max_size=6)


@pytest.mark.parametrize("make", [tight_scale, zero_scale, log_scale])
@given(values=VALUES, probe=FINITE)
def test_every_finite_value_has_a_place_within(make: MakeScale, values: list[float], probe: float) -> None:
    scale = make(values, 10.0, 110.0)
    if drawable(probe, log=scale.log):
        assert 10.0 - 1e-6 <= scale.place(probe) <= 110.0 + 1e-6
    places = [scale.place(tick) for tick in scale.ticks]
    assert places == sorted(places)
    assert all(math.isfinite(place) for place in places)
    assert len(places) <= 30


@given(low=FINITE, high=FINITE)
def test_greater_values_are_never_placed_before_lesser_ones(low: float, high: float) -> None:
    low, high = sorted((low, high))
    scale = tight_scale([low, high], 0.0, 100.0)
    assert scale.place(low) <= scale.place(high)


def test_scale_from_zero_ends_at_a_round_value() -> None:
    scale = zero_scale([87.0, 12.0], 0.0, 100.0)
    assert (scale.low, scale.high, scale.ticks) == (0.0, 100.0, [0.0, 20.0, 40.0, 60.0, 80.0, 100.0])


def test_tight_scale_spans_exactly_its_values() -> None:
    scale = tight_scale([4.0, 69.0], 0.0, 65.0)
    assert (scale.place(4.0), scale.place(69.0), scale.ticks) == (0.0, 65.0, [20.0, 40.0, 60.0])


def test_equal_values_lie_in_the_middle_of_a_tight_scale() -> None:
    assert tight_scale([7.0, 7.0], 0.0, 100.0).place(7.0) == 50.0


def test_logarithmic_scale_marks_decades_over_a_long_span_and_1_2_5_over_a_short_one() -> None:
    assert log_scale([1.0, 9000.0], 0.0, 1.0).ticks == [1.0, 10.0, 100.0, 1000.0, 10_000.0]
    assert log_scale([3.0, 40.0], 0.0, 1.0).ticks == [2.0, 5.0, 10.0, 20.0, 50.0]


def test_logarithmic_scale_gives_each_decade_the_same_room() -> None:
    scale = log_scale([1.0, 1000.0], 0.0, 300.0)
    assert [round(scale.place(value)) for value in (1, 10, 100, 1000)] == [0, 100, 200, 300]


def test_what_is_not_above_zero_has_no_place_on_a_logarithmic_axis() -> None:
    assert [drawable(value, log=True) for value in (None, math.nan, math.inf, -1.0, 0.0, 0.1)] == [False] * 5 + [True]
    assert [drawable(value, log=False) for value in (None, math.nan, math.inf, -1.0, 0.0)] == [False] * 3 + [True] * 2


def test_values_too_near_to_tell_apart_are_drawn_as_equal() -> None:
    scale = tight_scale([1e16, 1e16 + 2], 0.0, 100.0)
    assert [round(scale.place(value), 6) for value in (1e16, 1e16 + 2)] == [50.0, 50.0]
    assert len(set(scale.ticks)) == len(scale.ticks) > 2
