"""What an operator asks of one actor: a restart, or that it goes."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import ActorContext, ActorState, EventKind, MailboxClosed
from chatcore.errors import ChatError, ErrorCode
from tests.actors.runtime.worker import Pool, Work, running


class TestRestart:
    async def test_what_is_in_hand_goes_to_the_next_incarnation_at_once(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, takes=1000))
            await wait_all_tasks_blocked()
            supervisor.ref("a").tell(Work(2))
            at = trio.current_time()
            supervisor.restart("a")
            await wait_all_tasks_blocked()
            assert pool.in_hand == [("a", 1)]
            assert pool.handled == [("a", 2)]
            assert trio.current_time() == at
            assert [life[2:] for life in pool.lives] == [(0, None), (1, None)]

    async def test_it_counts_as_no_failure(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            for _ in range(10):
                await wait_all_tasks_blocked()
                supervisor.restart("a")
            await wait_all_tasks_blocked()
            told = supervisor.snapshot()
            assert (told.crashes, told.quarantines, told.actors[0].restarts) == (0, 0, 10)
            assert [event.kind for event in pool.events] == [EventKind.RESTARTING] * 10

    async def test_it_ends_a_wait_after_a_crash_and_a_quarantine(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, crash=True))
            await wait_all_tasks_blocked()
            assert supervisor.snapshot().actors[0].state is ActorState.BACKOFF
            supervisor.restart("a")
            await wait_all_tasks_blocked()
            assert supervisor.snapshot().actors[0].state is ActorState.RUNNING
            while supervisor.snapshot().actors[0].state is not ActorState.QUARANTINED:
                if supervisor.snapshot().actors[0].state is ActorState.RUNNING:
                    supervisor.ref("a").tell(Work(1, crash=True))
                await trio.sleep(1)
            supervisor.restart("a")
            await wait_all_tasks_blocked()
            supervisor.ref("a").tell(Work(9))
            await wait_all_tasks_blocked()
            assert pool.handled[-1] == ("a", 9)

    async def test_without_an_actor_there_is_nothing_to_restart(self) -> None:
        supervisor = Pool().supervisor()
        async with running(supervisor):
            with pytest.raises(ChatError) as refused:
                supervisor.restart("a")
            assert refused.value.code is ErrorCode.NOT_FOUND

    async def test_a_stop_is_not_undone(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, takes=1000))
            await wait_all_tasks_blocked()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(supervisor.stop, 100)
                await wait_all_tasks_blocked()
                supervisor.restart("a")
            assert (len(supervisor), len(pool.lives)) == (0, 1)
            assert [number for number, _ in pool.refused] == [1]


class Polite:
    """An actor that can be asked to go, unless `why` it must stay."""

    def __init__(self) -> None:
        self.why = ""
        self.handled: list[int] = []

    async def behave(self, context: ActorContext[Work]) -> None:
        leaving = False

        def leave() -> None:
            nonlocal leaving
            if self.why:
                raise ChatError(ErrorCode.CONFLICT, self.why)
            leaving = True
            context.mailbox.nudge()

        context.on_leave = leave
        while not (leaving and context.mailbox.close_if_empty()):
            try:
                for work in await context.mailbox.receive_batch_or_nudge(10):
                    await trio.sleep(work.takes)
                    self.handled.append(work.id)
            except MailboxClosed:
                return


class TestPassivation:
    async def test_it_waits_for_what_is_in_hand(self, autojump_clock: MockClock) -> None:
        polite = Polite()
        supervisor = Pool().supervisor(behaviour=polite.behave)
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, takes=3))
            await wait_all_tasks_blocked()
            supervisor.ref("a").tell(Work(2))
            await supervisor.passivate("a", 10)
            assert (polite.handled, len(supervisor), trio.current_time()) == ([1, 2], 0, 3)
            assert supervisor.snapshot().passivated == 1

    async def test_who_must_stay_says_why(self, autojump_clock: MockClock) -> None:
        polite = Polite()
        supervisor = Pool().supervisor(behaviour=polite.behave)
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            await wait_all_tasks_blocked()
            polite.why = "needed"
            with pytest.raises(ChatError, match="needed") as refused:
                await supervisor.passivate("a", 10)
            assert (refused.value.code, len(supervisor)) == (ErrorCode.CONFLICT, 1)

    async def test_who_cannot_be_asked_stays(self, autojump_clock: MockClock) -> None:
        supervisor = Pool().supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            await wait_all_tasks_blocked()
            with pytest.raises(ChatError) as refused:
                await supervisor.passivate("a", 10)
            assert refused.value.code is ErrorCode.CONFLICT

    async def test_who_is_busy_for_too_long_is_not_waited_for(self, autojump_clock: MockClock) -> None:
        polite = Polite()
        supervisor = Pool().supervisor(behaviour=polite.behave)
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, takes=100))
            await wait_all_tasks_blocked()
            with pytest.raises(ChatError) as refused:
                await supervisor.passivate("a", 10)
            assert (refused.value.code, trio.current_time()) == (ErrorCode.UNAVAILABLE, 10)
