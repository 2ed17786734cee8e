import signal
from collections.abc import Callable, Generator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import ActorState, EventKind, RestartIntensity, Strategy, Supervisor, SupervisorEvent
from tests.actors.runtime.drive import run_on_mock_clock
from tests.actors.runtime.puppet import Broken, Puppet, running, settle, supervisor_of

End = Callable[[Supervisor, trio.CancelScope], None]


async def started(supervisor: Supervisor, nursery: trio.Nursery) -> tuple[trio.CancelScope, trio.Event]:
    """Run it in a scope of its own; the event is set when no task of it is left."""
    scope = trio.CancelScope()
    ended = trio.Event()

    async def run() -> None:
        with scope:
            await supervisor.run()
        ended.set()

    nursery.start_soon(run)
    await wait_all_tasks_blocked()
    return scope, ended


@pytest.fixture(params=["stop", "cancel"])
def end(request: pytest.FixtureRequest) -> End:
    """The two ways to end a supervisor from outside."""

    def ask_to_stop(supervisor: Supervisor, _: trio.CancelScope) -> None:
        supervisor.stop()

    def cancel(_: Supervisor, scope: trio.CancelScope) -> None:
        scope.cancel()

    return ask_to_stop if request.param == "stop" else cancel


async def test_children_end_in_reverse_order_one_after_the_other(
    nursery: trio.Nursery, autojump_clock: MockClock, end: End
) -> None:
    log: list[str] = []
    supervisor = supervisor_of([Puppet("a", log), Puppet("b", log, cleanup=2), Puppet("c", log, cleanup=3)])
    scope, ended = await started(supervisor, nursery)
    await settle(log)
    end(supervisor, scope)
    assert await settle(log, 2.5) == []
    assert await settle(log, 1) == ["-c"]
    assert await settle(log, 2) == ["-b", "-a"]
    assert ended.is_set()
    assert trio.current_time() == 5.5
    assert {child.child.state for child in supervisor.snapshot().children} == {ActorState.FINISHED}


async def test_overdue_child_holds_up_the_others_only_for_its_timeout_but_is_outlasted(
    nursery: trio.Nursery, autojump_clock: MockClock, end: End
) -> None:
    log: list[str] = []
    events: list[SupervisorEvent] = []
    puppets = [Puppet("a", log), Puppet("b", log, shutdown_timeout=1, cleanup=10)]
    supervisor = supervisor_of(puppets, events=events)
    scope, ended = await started(supervisor, nursery)
    await settle(log)
    end(supervisor, scope)
    assert await settle(log, 1.5) == ["-a"]
    assert not ended.is_set()
    assert await settle(log, 10) == ["-b"]
    assert ended.is_set()
    assert (EventKind.OVERDUE, "b") in [(event.kind, event.child) for event in events]


async def test_nobody_is_restarted_while_stopping(nursery: trio.Nursery, autojump_clock: MockClock, end: End) -> None:
    log: list[str] = []
    puppets = [Puppet("a", log), Puppet("b", log, cleanup=3)]
    supervisor = supervisor_of(puppets)
    scope, ended = await started(supervisor, nursery)
    await settle(log)
    end(supervisor, scope)
    puppets[0].crash()
    assert await settle(log, 100) == ["-a", "-b"]
    assert ended.is_set()
    assert supervisor.snapshot().restarts == 0


async def test_crash_in_the_clean_up_is_reported_and_disturbs_nothing(
    nursery: trio.Nursery, autojump_clock: MockClock, end: End
) -> None:
    log: list[str] = []
    events: list[SupervisorEvent] = []
    error = Broken("clean-up")
    puppets = [Puppet("a", log), Puppet("b", log, cleanup=1, cleanup_error=error), Puppet("c", log)]
    supervisor = supervisor_of(puppets, events=events)
    scope, ended = await started(supervisor, nursery)
    await settle(log)
    end(supervisor, scope)
    assert await settle(log, 2) == ["-c", "-b", "-a"]
    assert ended.is_set()
    assert [event.error for event in events if event.kind is EventKind.STOPPED] == [None, error, None]


async def test_ends_at_once_while_a_child_is_in_its_back_off(
    nursery: trio.Nursery, autojump_clock: MockClock, end: End
) -> None:
    log: list[str] = []
    puppets = [Puppet("a", log), Puppet("b", log)]
    supervisor = supervisor_of(puppets)
    scope, ended = await started(supervisor, nursery)
    puppets[1].crash()
    await settle(log, 0.5)
    end(supervisor, scope)
    assert await settle(log) == ["-a"]
    assert ended.is_set()
    assert trio.current_time() == 0.5
    assert supervisor.snapshot().children[1].child.state is ActorState.CRASHED


async def test_ends_at_once_while_a_child_is_still_starting(
    nursery: trio.Nursery, autojump_clock: MockClock, end: End
) -> None:
    log: list[str] = []
    supervisor = supervisor_of([Puppet("a", log), Puppet("b", log, ready=False), Puppet("c", log)])
    scope, ended = await started(supervisor, nursery)
    end(supervisor, scope)
    assert await settle(log) == ["+a", "+b", "-b", "-a"]
    assert ended.is_set()


async def test_ends_while_it_waits_for_an_overdue_child_of_a_group(
    nursery: trio.Nursery, autojump_clock: MockClock, end: End
) -> None:
    log: list[str] = []
    puppets = [Puppet("a", log), Puppet("b", log), Puppet("c", log, shutdown_timeout=1, cleanup=10)]
    supervisor = supervisor_of(puppets, Strategy.ONE_FOR_ALL)
    scope, ended = await started(supervisor, nursery)
    puppets[0].crash()
    await settle(log, 2)
    end(supervisor, scope)
    assert await settle(log, 5) == ["-b"]
    assert not ended.is_set()
    assert await settle(log, 5) == ["-c"]
    assert ended.is_set()


async def test_stopped_while_a_group_goes_down_it_starts_nobody_new(
    nursery: trio.Nursery, autojump_clock: MockClock, end: End
) -> None:
    log: list[str] = []
    puppets = [Puppet("a", log), Puppet("b", log, cleanup=3), Puppet("c", log, ready=False), Puppet("d", log)]
    supervisor = supervisor_of(puppets, Strategy.ONE_FOR_ALL)
    scope, ended = await started(supervisor, nursery)
    assert await settle(log) == ["+a", "+b", "+c"]
    puppets[0].crash()
    await settle(log, 1)
    end(supervisor, scope)
    assert await settle(log, 3) == ["-b"]
    assert ended.is_set()


async def test_stopped_before_all_have_started_it_reports_its_start_all_the_same(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    log: list[str] = []
    supervisor = supervisor_of([Puppet("a", log, ready=False)])

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        await supervisor.run(task_status=task_status)

    async def stop_soon() -> None:
        await wait_all_tasks_blocked()
        supervisor.stop()

    nursery.start_soon(stop_soon)
    await nursery.start(run)
    assert await settle(log) == ["+a", "-a"]


async def test_stopped_before_it_runs_it_starts_nobody(autojump_clock: MockClock) -> None:
    log: list[str] = []
    supervisor = supervisor_of([Puppet("a", log)])
    supervisor.stop()
    await supervisor.run()
    assert log == []


async def test_stopped_it_can_run_again(autojump_clock: MockClock) -> None:
    log: list[str] = []
    puppet = Puppet("a", log)
    supervisor = supervisor_of([puppet])
    for _ in range(2):
        async with running(supervisor):
            assert await settle(log) == ["+a"]
        assert await settle(log) == ["-a"]
    assert supervisor.snapshot().children[0].child.restarts == 0


async def test_failing_with_more_than_an_error_it_stops_the_others_in_order(autojump_clock: MockClock) -> None:
    log: list[str] = []
    puppets = [Puppet("a", log), Puppet("b", log), Puppet("c", log, cleanup=1)]

    async def interrupt() -> None:
        await wait_all_tasks_blocked()
        puppets[1].crash(SystemExit(3))

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(interrupt)
            await supervisor_of(puppets).run()

    with pytest.raises(BaseExceptionGroup) as raised:
        await run()
    assert raised.value.subgroup(SystemExit) is not None
    assert log == ["+a", "+b", "+c", "-b", "-c", "-a"]


@pytest.fixture
def ctrl_c() -> Generator[None]:
    """SIGINT raises KeyboardInterrupt, also where whoever started the tests ignores it (a shell's background job)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_second_interrupt_ends_all_children_at_once() -> None:
    log: list[str] = []
    children = [Puppet("a", log), Puppet("b", log, cleanup=2), Puppet("c", log, cleanup=10, shutdown_timeout=60)]

    async def interrupt_twice() -> None:
        for _ in range(2):
            await trio.sleep(1)
            signal.raise_signal(signal.SIGINT)

    async def main() -> None:
        # A system task is protected, so that the interrupts reach the main task, as Ctrl-C does.
        trio.lowlevel.spawn_system_task(interrupt_twice)
        await supervisor_of(children).run()

    with pytest.raises(BaseExceptionGroup) as raised:
        run_on_mock_clock(main)
    assert raised.value.subgroup(KeyboardInterrupt) is not None
    assert log == ["+a", "+b", "+c", "-a", "-b", "-c"]


async def test_cancelled_while_giving_up_it_still_stops_in_order(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    log: list[str] = []
    puppets = [Puppet("a", log), Puppet("b", log, cleanup=2), Puppet("c", log)]
    supervisor = supervisor_of(puppets, intensity=RestartIntensity(0, 10))
    gave_up = trio.Event()
    scope = trio.CancelScope()

    async def run() -> None:
        with scope:
            try:
                await supervisor.run()
            except ExceptionGroup:
                gave_up.set()

    nursery.start_soon(run)
    await settle(log)
    puppets[2].crash()
    await settle(log, 1)
    scope.cancel()
    await gave_up.wait()
    assert log == ["-b", "-a"]
