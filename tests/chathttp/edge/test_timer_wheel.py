"""The timer wheel against a sorted list, and its task on a mock clock."""

import math

import pytest
import structlog
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from chathttp.edge.timer_wheel import SLOTS, Timer, Timers, TimerWheel

TICK = 0.25
START = 1000.0

_delays = st.one_of(
    st.floats(-5, 60, allow_nan=False),
    st.floats(0, 3 * SLOTS * TICK, allow_nan=False),
    st.integers(0, 4 * SLOTS).map(lambda ticks: ticks * TICK),
)
_steps = st.one_of(
    st.tuples(st.just("schedule"), _delays),
    st.tuples(st.just("cancel"), st.floats(0, 1)),
    st.tuples(st.just("advance"), st.floats(0, 2 * SLOTS * TICK, allow_nan=False)),
    st.tuples(st.just("advance"), st.floats(0, 2, allow_nan=False)),
)


@given(st.lists(_steps, max_size=60))
def test_fires_what_a_sorted_list_would(steps: list[tuple[str, float]]) -> None:
    wheel = TimerWheel(START, tick=TICK)
    now = START
    waiting: dict[int, tuple[int, Timer]] = {}
    fired: list[int] = []
    for number, (step, value) in enumerate(steps):
        match step:
            case "schedule":
                passed = math.floor((now - START) / TICK)
                due = max(math.ceil((now + value - START) / TICK), passed + 1)
                waiting[number] = (due, wheel.schedule(lambda n=number: fired.append(n), now + value))
            case "cancel" if waiting:
                key = sorted(waiting)[int(value * (len(waiting) - 1))]
                waiting.pop(key)[1].cancel()
            case _:
                now += value
                passed = math.floor((now - START) / TICK)
                due_now = sorted((due, key) for key, (due, _) in waiting.items() if due <= passed)
                fired.clear()
                for timer in wheel.advance(now):
                    timer.fire()
                assert fired == [key for _, key in due_now]
                for _, key in due_now:
                    assert not waiting.pop(key)[1].active
        assert len(wheel) == len(waiting)


def test_is_never_early_and_late_by_less_than_a_tick() -> None:
    wheel = TimerWheel(START, tick=TICK)
    wheel.schedule(lambda: None, START + 0.3)
    assert not list(wheel.advance(START + 0.49))
    assert len(list(wheel.advance(START + 0.5))) == 1


def test_a_timer_cancelled_by_an_earlier_one_of_the_same_tick_does_not_fire() -> None:
    wheel = TimerWheel(START, tick=TICK)
    fired: list[str] = []
    wheel.schedule(lambda: second.cancel(), START + 1)
    second = wheel.schedule(lambda: fired.append("second"), START + 1)
    for timer in wheel.advance(START + 2):
        timer.fire()
    assert not fired
    assert len(wheel) == 0


def test_a_timer_that_schedules_itself_for_the_past_comes_once_a_tick() -> None:
    wheel = TimerWheel(START, tick=TICK)
    fired: list[int] = []

    def again() -> None:
        fired.append(1)
        wheel.schedule(again, START)

    again()
    for timer in wheel.advance(START + 4 * TICK):
        timer.fire()
    assert len(fired) == 5


def test_cancelling_twice_or_after_firing_does_nothing() -> None:
    wheel = TimerWheel(START, tick=TICK)
    timer = wheel.schedule(lambda: None, START + 1)
    for due in wheel.advance(START + 2):
        due.fire()
    timer.cancel()
    timer.cancel()
    assert not timer.active


async def test_the_task_fires_on_trios_clock(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    timers = Timers(tick=TICK)
    times: list[float] = []
    began = trio.current_time()
    nursery.start_soon(timers.run)
    done = trio.Event()
    timers.after(10, lambda: times.append(trio.current_time() - began))
    timers.after(3600, done.set)
    await done.wait()
    assert len(times) == 1
    assert 10 <= times[0] <= 10 + 2 * TICK
    assert 3600 <= trio.current_time() - began <= 3600 + 2 * TICK


async def test_a_callback_that_raises_stops_no_other(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    def broken() -> None:
        raise ValueError("no")

    timers = Timers(tick=TICK)
    done = trio.Event()
    timers.after(1, broken)
    timers.after(1, done.set)
    with structlog.testing.capture_logs() as logs:
        nursery.start_soon(timers.run)
        await done.wait()
    assert [entry["event"] for entry in logs] == ["timer failed"]


async def test_other_tasks_run_between_the_callbacks_of_a_crowded_tick(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    timers = Timers(tick=TICK)
    fired: list[int] = []
    first = trio.Event()
    timers.after(1, first.set)
    for number in range(2000):
        timers.after(1, lambda n=number: fired.append(n))
    nursery.start_soon(timers.run)
    await first.wait()
    assert 0 < len(fired) < 2000
    await trio.testing.wait_all_tasks_blocked()
    assert fired == list(range(2000))


@pytest.mark.parametrize("tick", [0.25, 1.0])
def test_next_tick_is_when_something_can_be_due(tick: float) -> None:
    wheel = TimerWheel(START, tick=tick)
    wheel.schedule(lambda: None, START)
    assert wheel.next_tick() == START + tick
    assert list(wheel.advance(wheel.next_tick()))
