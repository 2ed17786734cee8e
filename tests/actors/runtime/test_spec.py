import random

from hypothesis import given
from hypothesis import strategies as st

from actors.runtime import RestartIntensity
from actors.runtime.spec import RestartWindow

seconds = st.floats(min_value=0.001, max_value=1000)


def test_delay_doubles_up_to_its_maximum() -> None:
    intensity = RestartIntensity(5, 60, backoff_initial=1, backoff_max=5, jitter=0)
    rng = random.Random(1)
    assert [intensity.delay(failures, rng) for failures in range(5)] == [1, 2, 4, 5, 5]


@given(seconds, seconds, st.floats(min_value=0, max_value=1), st.integers(0, 10**6), st.integers())
def test_jitter_only_shortens_and_by_no_more_than_its_part(
    initial: float, maximum: float, jitter: float, failures: int, seed: int
) -> None:
    plain = RestartIntensity(1, 1, initial, maximum, jitter=0).delay(failures, random.Random(seed))
    jittered = RestartIntensity(1, 1, initial, maximum, jitter).delay(failures, random.Random(seed))
    assert plain <= maximum
    assert plain * (1 - jitter) <= jittered <= plain


def test_jitter_spreads_what_would_come_at_once() -> None:
    intensity = RestartIntensity(1, 1, backoff_initial=1, jitter=0.5)
    rng = random.Random(1)
    assert len({intensity.delay(0, rng) for _ in range(20)}) == 20


@given(st.integers(0, 4), st.lists(st.floats(min_value=0, max_value=5), max_size=30))
def test_never_more_restarts_in_the_window_than_tolerated(most: int, gaps: list[float]) -> None:
    window = RestartWindow(RestartIntensity(most, within=10))
    allowed: list[float] = []
    now = 0.0
    for gap in gaps:
        now += gap
        recent = [moment for moment in allowed if now - moment < 10]
        assert window.left(now) == most - len(recent)
        if window.allow(now):
            allowed.append(now)
            assert len(recent) < most
        else:
            assert len(recent) == most
