"""What the observer counts of sockets, however many look."""

import pytest

from chathttp.management import observer as observing
from chathttp.management.findings import LATE_LOOKS
from chathttp.management.observer import Observer


class Clock:
    now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(observing, "time", made)
    return made


async def test_socket_is_as_late_for_three_who_look_as_for_one(clock: Clock) -> None:
    lateness: list[int] = []
    for watchers in (1, 3):
        observer = Observer()
        for _ in range(watchers):
            observer.attach()
        for _ in range(LATE_LOOKS):
            for _ in range(watchers):
                observer.look_at_sockets(["a"])
                clock.now += 1 / watchers
        lateness.append(observer.lateness("a"))
        for _ in range(watchers):
            observer.detach()
    assert lateness == [LATE_LOOKS, LATE_LOOKS]


async def test_socket_that_was_drained_is_late_no_more(clock: Clock) -> None:
    observer = Observer()
    observer.attach()
    for queued in (["a", "b"], ["a"]):
        observer.look_at_sockets(queued)
        clock.now += 1
    assert (observer.lateness("a"), observer.lateness("b")) == (2, 0)
    observer.detach()
