from hypothesis import given
from hypothesis import strategies as st

from chathttp.rate import RateLimiter


def test_a_burst_passes_and_then_the_rate_holds() -> None:
    limiter = RateLimiter[str](rate=2.0, burst=3)
    assert [limiter.take("a", 0.0) for _ in range(4)] == [None, None, None, 0.5]
    assert limiter.take("a", 0.5) is None
    assert limiter.take("a", 0.75) == 0.25


def test_one_user_does_not_hold_up_another() -> None:
    limiter = RateLimiter[str](rate=1.0, burst=1)
    assert limiter.take("a", 0.0) is None
    assert limiter.take("a", 0.0) is not None
    assert limiter.take("b", 0.0) is None


def test_a_bucket_that_is_given_back_is_full() -> None:
    limiter = RateLimiter[str](rate=1.0, burst=2)
    assert [limiter.take("a", 0.0) for _ in range(2)] == [None, None]
    limiter.give_back("a")
    assert [limiter.take("a", 0.0) for _ in range(2)] == [None, None]


def test_idle_buckets_are_forgotten_and_the_number_is_bounded() -> None:
    limiter = RateLimiter[int](rate=1.0, burst=10, capacity=100)
    for user in range(1000):
        limiter.take(user, 0.0)
    assert len(limiter) == 100
    limiter.take(5000, 60.0)
    assert len(limiter) == 1


@given(
    st.lists(st.floats(min_value=0.0, max_value=2.0), max_size=200),
    st.floats(min_value=0.5, max_value=50.0),
    st.integers(min_value=1, max_value=20),
)
def test_never_more_than_burst_plus_rate_times_time_passes(gaps: list[float], rate: float, burst: int) -> None:
    limiter = RateLimiter[str](rate, burst)
    now, passed = 0.0, 0
    for gap in gaps:
        now += gap
        passed += limiter.take("a", now) is None
    assert passed <= burst + rate * now + 1e-6
