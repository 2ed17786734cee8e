from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from actors.conversation.recent import Recent
from actors.conversation.subscription import Encoded, highest_created
from chatcore.model import EventKind


def event(rev: int, size: int = 1, kind: EventKind = EventKind.CREATED) -> Encoded:
    return Encoded(kind, rev, rev, UUID(int=rev), b"x" * size)


batches = st.lists(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 9)), min_size=1, max_size=6), max_size=8)


@given(st.integers(0, 5), st.integers(0, 6), st.integers(0, 30), batches)
def test_it_has_all_after_its_floor_and_no_more_than_its_bounds(
    start: int, max_events: int, max_bytes: int, added: list[list[tuple[int, int]]]
) -> None:
    recent = Recent(start, max_events=max_events, max_bytes=max_bytes)
    everything: list[Encoded] = []
    rev = start
    for batch in added:
        events: list[Encoded] = []
        for step, size in batch:
            rev += step
            events.append(event(rev, size))
        everything += events
        recent.extend(events)
        kept = recent.after(recent.floor)
        assert kept is not None
        assert kept == [each for each in everything if each.rev > recent.floor]
        assert len(kept) <= max_events
        assert sum(len(each.body) for each in kept) <= max_bytes
        dropped = [each for each in everything if each.rev <= recent.floor]
        if dropped:
            more = dropped[-1:] + kept
            assert len(more) > max_events or sum(len(each.body) for each in more) > max_bytes
        else:
            assert recent.floor == start
        assert recent.after(recent.floor - 1) is None
        assert recent.after(rev) == []


def test_the_highest_created_passes_over_changes() -> None:
    events = [event(3), event(4), event(9, kind=EventKind.UPDATED)]
    assert highest_created(events) == 4
    assert highest_created(events[2:]) == 0
