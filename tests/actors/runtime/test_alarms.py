from math import inf

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime.alarms import Alarm, Alarms


async def test_each_rings_at_its_time_whichever_was_set_first(autojump_clock: MockClock) -> None:
    alarms = Alarms()
    rung: list[tuple[str, float]] = []
    began = trio.current_time()

    def alarm(name: str) -> Alarm:
        return Alarm(alarms, lambda: rung.append((name, trio.current_time() - began)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(alarms.run)
        alarm("late").ring_by(began + 5)
        await wait_all_tasks_blocked()
        alarm("soon").ring_by(began + 1)
        alarm("never").ring_by(inf)
        alarm("at once").ring_by(began - 1)
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    assert rung == [("at once", 0), ("soon", 1), ("late", 5)]
    assert len(alarms) == 0


async def test_a_later_time_than_the_next_ring_is_not_noted(autojump_clock: MockClock) -> None:
    alarms = Alarms()
    alarm = Alarm(alarms, lambda: None)
    for second in range(1000):
        alarm.ring_by(60 + second)
    assert len(alarms) == 1


async def test_who_rings_may_ask_again(autojump_clock: MockClock) -> None:
    alarms = Alarms()
    times: list[float] = []

    def ring() -> None:
        times.append(trio.current_time() - began)
        if len(times) < 3:
            alarm.ring_by(trio.current_time() + 2)

    alarm = Alarm(alarms, ring)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(alarms.run)
        began = trio.current_time()
        alarm.ring_by(began + 2)
        await trio.sleep(20)
        nursery.cancel_scope.cancel()
    assert times == [2, 4, 6]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(-2, 20)), max_size=40))
def test_who_asks_again_when_rung_is_never_late(steps: list[tuple[int, int, int]]) -> None:
    """Three actors, each of which wants to be rung by the earliest of its deadlines."""

    async def main() -> None:
        alarms = Alarms()
        wanted: dict[int, list[float]] = {0: [], 1: [], 2: []}
        late: list[float] = []

        def ring(actor: int) -> None:
            now = trio.current_time()
            late.extend(at for at in wanted[actor] if at < now and at not in overdue)
            wanted[actor] = [at for at in wanted[actor] if at > now]
            mine[actor].ring_by(min(wanted[actor], default=inf))

        overdue: set[float] = set()
        mine = {actor: Alarm(alarms, lambda actor=actor: ring(actor)) for actor in wanted}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alarms.run)
            for pause, actor, ahead in steps:
                await trio.sleep(pause)
                at = trio.current_time() + ahead
                if ahead < 0:
                    overdue.add(at)
                wanted[actor].append(at)
                mine[actor].ring_by(min(wanted[actor]))
            await trio.sleep(100)
            nursery.cancel_scope.cancel()
        assert not late
        assert wanted == {0: [], 1: [], 2: []}
        assert len(alarms) == 0

    trio.run(main, clock=MockClock(autojump_threshold=0))
