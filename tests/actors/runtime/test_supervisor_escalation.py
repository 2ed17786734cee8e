import random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import (
    ActorState,
    ChildContext,
    ChildSpec,
    EventKind,
    IntensityExceeded,
    Restart,
    RestartIntensity,
    Strategy,
    Supervisor,
    SupervisorEvent,
    UnexpectedReturn,
)
from tests.actors.runtime.puppet import GENEROUS, Broken, Puppet, running, settle, supervisor_of


def three(log: list[str], middle: Restart = Restart.PERMANENT) -> list[Puppet]:
    return [Puppet("a", log), Puppet("b", log, middle), Puppet("c", log)]


class TestIntensity:
    async def test_exceeded_it_stops_all_in_reverse_and_raises_the_last_errors(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppets = three(log)
        supervisor = supervisor_of(puppets, intensity=RestartIntensity(2, 100, 1, 1, 0))

        async def keep_breaking() -> None:
            for _ in range(3):
                await trio.sleep(5)
                puppets[1].crash()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_breaking)
            with pytest.raises(IntensityExceeded) as raised:
                await supervisor.run()
        assert [type(error) for error in raised.value.exceptions] == [Broken] * 3
        assert log == ["+a", "+b", "+c", "-b", "+b", "-b", "+b", "-b", "-c", "-a"]

    async def test_restarts_that_are_far_apart_never_exceed_it(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppet = Puppet("a", log)
        async with running(supervisor_of([puppet], intensity=RestartIntensity(1, 10, 1, 1, 0))):
            for _ in range(20):
                puppet.crash()
                assert await settle(log, 11)
            assert puppet.alive

    async def test_return_of_a_permanent_child_counts_and_is_named(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppet = Puppet("a", log)

        async def finish() -> None:
            await wait_all_tasks_blocked()
            puppet.finish()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(finish)
            with pytest.raises(IntensityExceeded) as raised:
                await supervisor_of([puppet], intensity=RestartIntensity(0, 10)).run()
        assert isinstance(raised.value.exceptions[0], UnexpectedReturn)


class TestNesting:
    async def test_failure_of_an_inner_supervisor_is_a_crash_to_the_outer_one(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        inner_child, neighbour = Puppet("x", log), Puppet("n", log)
        inner = Supervisor(
            "inner", [inner_child.spec], Strategy.ONE_FOR_ONE, RestartIntensity(1, 1000, 1, 1, 0), random.Random(1)
        )
        events: list[SupervisorEvent] = []
        outer = Supervisor(
            "outer", [inner.spec(), neighbour.spec], Strategy.REST_FOR_ONE, GENEROUS, random.Random(1), events.append
        )
        async with running(outer):
            assert await settle(log) == ["+x", "+n"]
            inner_child.crash()
            assert await settle(log, 1) == ["-x", "+x"]
            inner_child.crash()
            assert await settle(log, 1) == ["-x", "-n", "+x", "+n"]
            inner_child.crash()
            assert await settle(log, 1) == ["-x", "+x"]
            inner_child.crash()
            assert await settle(log, 2) == ["-x", "-n", "+x", "+n"]
        assert log == ["-n", "-x"]
        failures = [event.error for event in events if event.kind is EventKind.CRASHED]
        assert [len(error.exceptions) for error in failures if isinstance(error, IntensityExceeded)] == [2, 2]

    async def test_inner_supervisor_is_ready_when_its_children_are(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        inner_child, neighbour = Puppet("x", log, ready=False), Puppet("n", log)
        inner = supervisor_of([inner_child])
        outer = Supervisor("outer", [inner.spec(), neighbour.spec], Strategy.ONE_FOR_ONE, GENEROUS, random.Random(1))
        async with running(outer):
            assert await settle(log) == ["+x"]
            inner_child.contexts[0].started()
            assert await settle(log) == ["+n"]

    async def test_inner_supervisor_stopped_on_purpose_stays_down(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        inner = supervisor_of([Puppet("x", log)])
        outer = Supervisor("outer", [inner.spec()], Strategy.ONE_FOR_ONE, GENEROUS, random.Random(1))
        async with running(outer):
            inner.stop()
            assert await settle(log, 100) == ["+x", "-x"]

    async def test_inner_shutdown_timeout_is_what_its_children_may_take(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        inner = supervisor_of([Puppet("x", log, shutdown_timeout=3), Puppet("y", log, shutdown_timeout=4)])
        assert inner.spec().shutdown_timeout >= 7


class TestSnapshot:
    async def test_tells_the_state_of_each_child(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppets = [
            Puppet("a", log),
            Puppet("b", log, Restart.TEMPORARY),
            Puppet("c", log),
            Puppet("d", log, Restart.TRANSIENT),
            Puppet("e", log, ready=False),
            Puppet("f", log),
        ]
        supervisor = supervisor_of(puppets)
        async with running(supervisor):
            puppets[1].crash()
            puppets[2].crash()
            puppets[3].finish()
            await settle(log)
            snapshot = supervisor.snapshot()
            assert (snapshot.name, snapshot.strategy) == ("top", "one-for-one")
            assert (snapshot.restarts, snapshot.intensity_left) == (1, 99)
            states = {child.child.name: child.child.state for child in snapshot.children}
            assert states == {
                "a": ActorState.RUNNING,
                "b": ActorState.CRASHED,
                "c": ActorState.BACKOFF,
                "d": ActorState.FINISHED,
                "e": ActorState.STARTING,
                "f": ActorState.WAITING,
            }
            assert snapshot.children[2].child.last_error == "Broken('c')"
            await settle(log, 1)
            assert supervisor.snapshot().children[2].child.restarts == 1

    async def test_shows_what_is_inside_a_child(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        inner = supervisor_of([Puppet("x", log)])
        outer = Supervisor("outer", [inner.spec()], Strategy.ONE_FOR_ONE, GENEROUS, random.Random(1))
        async with running(outer):
            assert outer.snapshot().children[0].inside == inner.snapshot()

    async def test_a_child_without_a_word_is_known_by_its_state(self, autojump_clock: MockClock) -> None:
        async def run(context: ChildContext) -> None:
            context.started()
            await trio.sleep_forever()

        supervisor = Supervisor("s", [ChildSpec("c", run)], Strategy.ONE_FOR_ONE, GENEROUS, random.Random(1))
        async with running(supervisor):
            assert supervisor.snapshot().children[0].inside is None
