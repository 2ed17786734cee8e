import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import (
    EventKind,
    Restart,
    RestartIntensity,
    Strategy,
    SupervisorEvent,
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
