from hypothesis import given
from hypothesis import strategies as st

from chatload.worker.pacing import FOREVER, OpenLoop, last_due


def taken(loop: OpenLoop, now: int) -> list[tuple[int, int]]:
    events: list[tuple[int, int]] = []
    while (event := loop.take(now)) is not None:
        events.append(event)
    return events


def test_nothing_is_due_before_its_time() -> None:
    loop = OpenLoop(1000, 2000, 100, [0.0])
    assert loop.take(999) is None
    assert loop.take(1000) == (0, 1000)
    assert loop.take(1099) is None
    assert loop.due == 1100


def test_after_a_stall_everything_missed_is_due_at_once_with_its_own_time() -> None:
    loop = OpenLoop(0, 1000, 100, [0.0, 0.5])
    assert taken(loop, 260) == [(0, 0), (1, 50), (0, 100), (1, 150), (0, 200), (1, 250)]


def test_latency_from_the_due_time_grows_while_the_sender_is_held_up() -> None:
    loop = OpenLoop(0, 1000, 10, [0.0])
    waits = [500 - due for _, due in taken(loop, 500)]
    assert waits == list(range(500, -1, -10))


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20), st.lists(st.integers(0, 3000)))
def test_each_source_is_due_once_a_period_whenever_one_looks(phases: list[float], looks: list[int]) -> None:
    loop = OpenLoop(500, 2500, 400, phases)
    events = [event for now in sorted(looks) for event in taken(loop, now)] + taken(loop, FOREVER - 1)
    assert [due for _, due in events] == sorted(due for _, due in events)
    for source, phase in enumerate(phases):
        first = 500 + int(phase * 400)
        assert [due for each, due in events if each == source] == list(range(first, 2500, 400))
    assert loop.due == FOREVER


def test_no_source_is_never_due() -> None:
    assert OpenLoop(0, 1000, 10, []).due == FOREVER


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_last_due_is_the_latest_at_or_before_now(now: int, phase: float) -> None:
    due = last_due(now, 100, 300, phase)
    first = 100 + int(phase * 300)
    assert (due - first) % 300 == 0
    assert due == first or now - 300 < due <= now
