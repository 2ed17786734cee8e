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


class TestStart:
    async def test_children_start_in_order_each_when_the_one_before_is_ready(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppets = three(log)
        puppets[1].ready = False
        async with running(supervisor_of(puppets)):
            assert await settle(log) == ["+a", "+b"]
            puppets[1].contexts[0].started()
            assert await settle(log) == ["+c"]

    async def test_started_is_reported_when_all_children_are(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        log: list[str] = []
        puppets = three(log)
        puppets[2].ready = False
        supervisor = supervisor_of(puppets)
        reported = trio.Event()

        async def start() -> None:
            await nursery.start(run)
            reported.set()

        async def run(*, task_status: trio.TaskStatus[None]) -> None:
            await supervisor.run(task_status=task_status)

        nursery.start_soon(start)
        await wait_all_tasks_blocked()
        assert not reported.is_set()
        puppets[2].contexts[0].started()
        await reported.wait()
        supervisor.stop()

    async def test_child_that_ends_for_good_before_it_is_ready_holds_up_nobody(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppets = three(log, Restart.TRANSIENT)
        puppets[1].ready = False
        async with running(supervisor_of(puppets)):
            puppets[1].finish()
            assert await settle(log) == ["+a", "+b", "-b", "+c"]

    async def test_child_that_crashes_before_it_is_ready_is_tried_again_before_the_next(
        self, autojump_clock: MockClock
    ) -> None:
        log: list[str] = []
        puppets = three(log)
        puppets[1].ready = False
        async with running(supervisor_of(puppets)):
            puppets[1].crash()
            assert await settle(log) == ["+a", "+b", "-b"]
            puppets[1].ready = True
            assert await settle(log, 1.0) == ["+b", "+c"]

    async def test_names_must_differ(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        with pytest.raises(ValueError):
            supervisor_of([Puppet("a", log), Puppet("a", log)])

    async def test_without_children_it_waits_for_its_stop(self, autojump_clock: MockClock) -> None:
        supervisor = supervisor_of([])
        async with running(supervisor):
            await trio.sleep(100)
        assert supervisor.snapshot().children == ()


class TestRestartRules:
    @pytest.mark.parametrize(
        ("restart", "crash", "comes_back"),
        [
            (Restart.PERMANENT, True, True),
            (Restart.PERMANENT, False, True),
            (Restart.TRANSIENT, True, True),
            (Restart.TRANSIENT, False, False),
            (Restart.TEMPORARY, True, False),
            (Restart.TEMPORARY, False, False),
        ],
    )
    async def test_who_comes_back(
        self, autojump_clock: MockClock, restart: Restart, crash: bool, comes_back: bool
    ) -> None:
        log: list[str] = []
        puppets = three(log, restart)
        async with running(supervisor_of(puppets)):
            await settle(log)
            if crash:
                puppets[1].crash()
            else:
                puppets[1].finish()
            assert await settle(log, 100) == (["-b", "+b"] if comes_back else ["-b"])

    @pytest.mark.parametrize("strategy", list(Strategy))
    async def test_end_of_a_temporary_child_touches_nobody(self, autojump_clock: MockClock, strategy: Strategy) -> None:
        log: list[str] = []
        puppets = three(log, Restart.TEMPORARY)
        async with running(supervisor_of(puppets, strategy, RestartIntensity(0, 10))):
            await settle(log)
            puppets[1].crash()
            assert await settle(log, 100) == ["-b"]

    async def test_back_off_grows_with_each_failure_in_a_row(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppet = Puppet("a", log)
        gaps: list[float] = []
        async with running(supervisor_of([puppet])):
            for _ in range(4):
                puppet.crash()
                crashed_at = trio.current_time()
                await settle(log, 30)
                gaps.append(puppet.starts[-1] - crashed_at)
        assert gaps == [1.0, 2.0, 4.0, 8.0]

    async def test_back_off_starts_over_after_a_long_good_life(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppet = Puppet("a", log)
        async with running(supervisor_of([puppet])):
            for _ in range(3):
                puppet.crash()
                await settle(log, 10)
            await settle(log, GENEROUS.within)
            puppet.crash()
            assert await settle(log, 1.0) == ["-a", "+a"]

    async def test_context_tells_how_often_the_child_was_restarted(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppet = Puppet("a", log)
        async with running(supervisor_of([puppet])):
            assert puppet.contexts[0].restart_count == 0
            puppet.crash()
            await settle(log, 1)
            assert puppet.contexts[1].restart_count == 1
            assert puppet.contexts[1].name == "a"

    async def test_groups_of_errors_are_one_crash(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppet = Puppet("a", log)
        events: list[SupervisorEvent] = []
        async with running(supervisor_of([puppet], events=events)):
            group = ExceptionGroup("two", [Broken(), ExceptionGroup("inner", [Broken()])])
            puppet.crash(group)
            await settle(log, 1)
        assert [event.error for event in events if event.kind is EventKind.CRASHED] == [group]


class TestStrategies:
    async def test_one_for_one_restarts_the_child_alone(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppets = three(log)
        async with running(supervisor_of(puppets, Strategy.ONE_FOR_ONE)):
            await settle(log)
            puppets[1].crash()
            assert await settle(log, 1) == ["-b", "+b"]

    async def test_one_for_all_stops_all_in_reverse_and_starts_all_in_order(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppets = three(log)
        async with running(supervisor_of(puppets, Strategy.ONE_FOR_ALL)):
            await settle(log)
            puppets[1].crash()
            assert await settle(log, 1) == ["-b", "-c", "-a", "+a", "+b", "+c"]

    async def test_rest_for_one_restarts_those_that_started_later(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppets = three(log)
        async with running(supervisor_of(puppets, Strategy.REST_FOR_ONE)):
            await settle(log)
            puppets[1].crash()
            assert await settle(log, 1) == ["-b", "-c", "+b", "+c"]

    async def test_group_starts_in_order_each_when_the_one_before_is_ready(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppets = three(log)
        async with running(supervisor_of(puppets, Strategy.REST_FOR_ONE)):
            await settle(log)
            puppets[1].ready = False
            puppets[1].crash()
            assert await settle(log, 100) == ["-b", "-c", "+b"]
            puppets[1].contexts[-1].started()
            assert await settle(log) == ["+c"]

    async def test_one_for_one_restart_waits_for_no_sibling(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppets = three(log)
        async with running(supervisor_of(puppets, Strategy.ONE_FOR_ONE)):
            await settle(log)
            puppets[0].ready = False
            puppets[0].crash()
            puppets[2].crash()
            assert sorted(await settle(log, 1)) == ["+a", "+c", "-a", "-c"]
            assert puppets[2].alive

    async def test_crashes_at_once_restart_the_group_once(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppets = three(log)
        supervisor = supervisor_of(puppets, Strategy.ONE_FOR_ALL)
        async with running(supervisor):
            await settle(log)
            for puppet in puppets:
                puppet.crash()
            written = await settle(log, 100)
            assert sorted(written[:3]) == ["-a", "-b", "-c"]
            assert written[3:] == ["+a", "+b", "+c"]
            assert supervisor.snapshot().restarts == 1

    async def test_temporary_sibling_stopped_with_the_group_stays_down(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppets = [Puppet("a", log), Puppet("b", log, Restart.TEMPORARY)]
        async with running(supervisor_of(puppets, Strategy.ONE_FOR_ALL)):
            await settle(log)
            puppets[0].crash()
            assert await settle(log, 100) == ["-a", "-b", "+a"]

    async def test_temporary_sibling_not_started_yet_gets_its_turn(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppets = [Puppet("a", log, ready=False), Puppet("b", log, Restart.TEMPORARY), Puppet("c", log)]
        events: list[SupervisorEvent] = []
        async with running(supervisor_of(puppets, Strategy.ONE_FOR_ALL, events=events)):
            puppets[0].crash()
            assert await settle(log, 0.5) == ["+a", "-a"]
            puppets[0].ready = True
            assert await settle(log, 0.5) == ["+a", "+b", "+c"]
        assert [event.child for event in events if event.kind is EventKind.RESTARTING] == ["a"]

    async def test_finished_transient_sibling_runs_again_with_the_group(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppets = [Puppet("a", log), Puppet("b", log, Restart.TRANSIENT)]
        async with running(supervisor_of(puppets, Strategy.ONE_FOR_ALL)):
            puppets[1].finish()
            await settle(log)
            puppets[0].crash()
            assert await settle(log, 1) == ["-a", "+a", "+b"]

    async def test_overdue_sibling_is_outlasted_before_the_group_comes_back(self, autojump_clock: MockClock) -> None:
        log: list[str] = []
        puppets = [Puppet("a", log), Puppet("b", log, shutdown_timeout=1, cleanup=30)]
        events: list[SupervisorEvent] = []
        async with running(supervisor_of(puppets, Strategy.ONE_FOR_ALL, events=events)):
            await settle(log)
            puppets[0].crash()
            assert await settle(log, 29) == ["-a"]
            assert await settle(log, 3) == ["-b", "+a", "+b"]
        kinds = [event.kind for event in events if event.child == "b"]
        assert kinds[:4] == [EventKind.STARTED, EventKind.OVERDUE, EventKind.STOPPED, EventKind.RESTARTING]


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
