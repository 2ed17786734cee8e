import random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import (
    ActorContext,
    ActorState,
    EventKind,
    MailboxClosed,
    RestartIntensity,
    Strategy,
    Supervisor,
)
from chatcore.errors import ChatError, ErrorCode
from tests.actors.runtime.puppet import GENEROUS
from tests.actors.runtime.worker import Broken, Pool, Work, running


class TestCancellation:
    async def test_what_waits_and_what_is_in_hand_is_refused(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            supervisor.ref("a").tell(Work(2, takes=10))
            supervisor.ref("a").tell(Work(3))
            await trio.sleep(1)
        assert pool.handled == [("a", 1)]
        assert [number for number, _ in pool.refused] == [2, 3]
        assert {error.code for _, error in pool.refused} == {ErrorCode.UNAVAILABLE}
        assert (len(supervisor), pool.alive) == (0, set())

    async def test_actor_that_has_not_run_yet_has_its_message_refused(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
        assert [number for number, _ in pool.refused] == [1]

    async def test_nothing_is_accepted_while_actors_clean_up(self, autojump_clock: MockClock) -> None:
        started = trio.Event()

        async def slow_to_go(context: ActorContext[Work]) -> None:
            try:
                await context.mailbox.receive()
                started.set()
                await trio.sleep_forever()
            finally:
                with trio.move_on_after(5, shield=True):
                    await trio.sleep(3)

        supervisor = Pool().supervisor(behaviour=slow_to_go)
        async with trio.open_nursery() as outside, running(supervisor) as inside:
            supervisor.ref("a").tell(Work(1))
            await started.wait()

            async def tell_late() -> None:
                await trio.sleep(1)
                for key in ("a", "b"):
                    with pytest.raises(ChatError) as refusal:
                        supervisor.ref(key).tell(Work(2))
                    assert refusal.value.code is ErrorCode.UNAVAILABLE

            outside.start_soon(tell_late)
            inside.cancel_scope.cancel()
        assert trio.current_time() == 3.0

    @pytest.mark.parametrize("quarantined", [False, True])
    async def test_pause_after_a_crash_ends_at_once(self, autojump_clock: MockClock, quarantined: bool) -> None:
        pool = Pool()
        supervisor = pool.supervisor(intensity=RestartIntensity(0 if quarantined else 1, 100, 10, 10, 0))
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, crash=True))
            await trio.sleep(1)
        assert trio.current_time() == 1.0
        assert [number for number, _ in pool.refused] == [1]

    async def test_crash_while_being_cancelled_is_remembered_and_nothing_is_lost(
        self, autojump_clock: MockClock
    ) -> None:
        async def breaks_when_cancelled(context: ActorContext[Work]) -> None:
            await context.mailbox.receive()
            try:
                await trio.sleep_forever()
            finally:
                raise Broken

        pool = Pool()
        supervisor = pool.supervisor(behaviour=breaks_when_cancelled)
        async with running(supervisor) as nursery:
            supervisor.ref("a").tell(Work(1))
            supervisor.ref("a").tell(Work(2))
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert [number for number, _ in pool.refused] == [1, 2]
        assert len(supervisor) == 0

    async def test_more_than_an_error_ends_the_supervisor(self, autojump_clock: MockClock) -> None:
        async def exits(context: ActorContext[Work]) -> None:
            await context.mailbox.receive()
            raise SystemExit(3)

        pool = Pool()
        supervisor = pool.supervisor(behaviour=exits)

        async def run() -> None:
            async with running(supervisor):
                supervisor.ref("a").tell(Work(1))
                await trio.sleep_forever()

        with pytest.raises(BaseExceptionGroup) as raised:
            await run()
        assert raised.value.subgroup(SystemExit) is not None
        assert [number for number, _ in pool.refused] == [1]


class TestOrderlyStop:
    async def test_actors_handle_what_waits_flush_and_go(self, autojump_clock: MockClock) -> None:
        pool = Pool(flush=2)
        supervisor = pool.supervisor()
        async with running(supervisor):
            for number in range(3):
                supervisor.ref("a").tell(Work(number, takes=1))
            supervisor.ref("idle").tell(Work(9))
            await wait_all_tasks_blocked()
            await supervisor.stop(10)
            assert trio.current_time() == 5.0
            assert supervisor.snapshot().passivated == 0
            assert sorted(pool.handled) == [("a", 0), ("a", 1), ("a", 2), ("idle", 9)]
            assert (pool.refused, pool.alive, len(supervisor)) == ([], set(), 0)

    async def test_nothing_is_accepted_from_then_on(self, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, takes=5))
            await wait_all_tasks_blocked()
            nursery.start_soon(supervisor.stop, 10)
            await wait_all_tasks_blocked()
            for key in ("a", "b"):
                with pytest.raises(ChatError) as refusal:
                    supervisor.ref(key).tell(Work(2))
                assert refusal.value.code is ErrorCode.UNAVAILABLE
            assert supervisor.live("a") is None

    async def test_after_the_timeout_the_rest_is_cancelled_and_refused(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, takes=100))
            supervisor.ref("a").tell(Work(2))
            await wait_all_tasks_blocked()
            await supervisor.stop(3)
            assert trio.current_time() == 3.0
            assert [number for number, _ in pool.refused] == [1, 2]
            assert len(supervisor) == 0

    async def test_stop_that_is_cancelled_cancels_the_actors(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, takes=100))
            await wait_all_tasks_blocked()
            with trio.move_on_after(2):
                await supervisor.stop(50)
            await wait_all_tasks_blocked()
            assert trio.current_time() == 2.0
            assert len(supervisor) == 0

    async def test_behaviour_may_watch_for_the_stop_itself(self, autojump_clock: MockClock) -> None:
        async def watches(context: ActorContext[Work]) -> None:
            await context.stopping.wait()

        pool = Pool()
        supervisor = pool.supervisor(behaviour=watches)
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            await wait_all_tasks_blocked()
            await supervisor.stop(10)
            assert trio.current_time() == 0.0
            assert [number for number, _ in pool.refused] == [1]
            assert supervisor.snapshot().crashes == 0

    async def test_mailbox_that_runs_dry_ends_an_actor_without_a_crash(self, autojump_clock: MockClock) -> None:
        async def never_looks(context: ActorContext[Work]) -> None:
            while True:
                await context.mailbox.receive()

        supervisor = Pool().supervisor(behaviour=never_looks)
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            await wait_all_tasks_blocked()
            await supervisor.stop(10)
            assert trio.current_time() == 0.0
            assert (supervisor.snapshot().crashes, supervisor.snapshot().handled) == (0, 1)

    async def test_crash_while_stopping_is_not_restarted(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, takes=1, crash=True))
            supervisor.ref("a").tell(Work(2))
            await wait_all_tasks_blocked()
            await supervisor.stop(10)
            assert trio.current_time() == 1.0
            assert [number for number, _ in pool.refused] == [1, 2]
            assert supervisor.snapshot().crashes == 1
            assert [event.kind for event in pool.events] == [EventKind.CRASHED]

    async def test_closed_mailbox_of_another_is_a_crash_also_while_stopping(self, autojump_clock: MockClock) -> None:
        async def tells_another(context: ActorContext[Work]) -> None:
            await context.stopping.wait()
            raise MailboxClosed("another")

        supervisor = Pool().supervisor(behaviour=tells_another)
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            await wait_all_tasks_blocked()
            await supervisor.stop(10)
            assert supervisor.snapshot().crashes == 1

    @pytest.mark.parametrize("quarantined", [False, True])
    async def test_pause_after_a_crash_ends_at_once(self, autojump_clock: MockClock, quarantined: bool) -> None:
        pool = Pool()
        supervisor = pool.supervisor(intensity=RestartIntensity(0 if quarantined else 1, 100, 10, 10, 0))
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, crash=True))
            await trio.sleep(1)
            await supervisor.stop(20)
            assert trio.current_time() == 1.0
            assert [number for number, _ in pool.refused] == [1]

    async def test_when_not_running_there_is_nothing_to_stop(self, autojump_clock: MockClock) -> None:
        await Pool().supervisor().stop(5)
        assert trio.current_time() == 0.0

    async def test_stopped_it_can_run_again(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        for number in range(2):
            async with running(supervisor):
                supervisor.ref("a").tell(Work(number))
                await wait_all_tasks_blocked()
                await supervisor.stop(5)
        assert pool.handled == [("a", 0), ("a", 1)]


class TestAsAChild:
    async def test_it_is_ready_at_once_shows_itself_and_stays_down_after_a_stop(
        self, autojump_clock: MockClock
    ) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        root = Supervisor("root", [supervisor.spec()], Strategy.ONE_FOR_ONE, GENEROUS, random.Random(1))

        async def run(*, task_status: trio.TaskStatus[None]) -> None:
            await root.run(task_status=task_status)

        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            supervisor.ref("a").tell(Work(1))
            await wait_all_tasks_blocked()
            child = root.snapshot().children[0]
            assert child.inside == supervisor.snapshot()
            assert child.child.state is ActorState.RUNNING
            await supervisor.stop(5)
            await trio.sleep(100)
            assert root.snapshot().children[0].child.state is ActorState.FINISHED
            root.stop()

    async def test_stop_of_its_parent_cancels_the_actors(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        root = Supervisor("root", [supervisor.spec()], Strategy.ONE_FOR_ONE, GENEROUS, random.Random(1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(root.run)
            await wait_all_tasks_blocked()
            supervisor.ref("a").tell(Work(1, takes=100))
            await wait_all_tasks_blocked()
            root.stop()
        assert [number for number, _ in pool.refused] == [1]
        assert trio.current_time() == 0.0
