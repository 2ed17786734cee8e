from collections.abc import Generator
from contextvars import ContextVar

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import ActorContext, ActorState, MailboxClosed, MailboxFull
from actors.runtime.snapshot import DynamicSnapshot
from chatcore.errors import ChatError, ErrorCode
from tests.actors.runtime.worker import Pool, Work, running


class TestStart:
    async def test_first_message_starts_the_actor_of_its_key_and_the_next_finds_it(
        self, autojump_clock: MockClock
    ) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            assert supervisor.keys() == []
            supervisor.ref("a").tell(Work(1))
            supervisor.ref("b").tell(Work(2))
            supervisor.ref("a").tell(Work(3))
            await wait_all_tasks_blocked()
            assert sorted(pool.handled) == [("a", 1), ("a", 3), ("b", 2)]
            assert sorted(life[0] for life in pool.lives) == ["a", "b"]
            assert (supervisor.keys(), len(supervisor)) == (["a", "b"], 2)

    async def test_ref_names_its_actor_and_starts_nothing(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            assert supervisor.ref("a").name == "pool/a"
            assert len(supervisor) == 0

    async def test_tell_wait_starts_the_actor_and_waits_for_room(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor(capacity=1)
        async with running(supervisor):
            ref = supervisor.ref("a")
            for number in range(4):
                await ref.tell_wait(Work(number, takes=1), 5)
            await trio.sleep(5)
            assert [number for _, number in pool.handled] == [0, 1, 2, 3]
            ref.tell(Work(5, takes=20))
            await wait_all_tasks_blocked()
            ref.tell(Work(6))
            with pytest.raises(MailboxFull):
                await ref.tell_wait(Work(7), 5)

    async def test_live_finds_but_never_starts(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            assert supervisor.live("a") is None
            supervisor.ref("a").tell(Work(1))
            live = supervisor.live("a")
            assert live is not None
            live.tell(Work(2))
            await trio.sleep(pool.idle + 1)
            assert supervisor.live("a") is None
            with pytest.raises(MailboxClosed):
                live.tell(Work(3))
            assert len(supervisor) == 0
            assert pool.handled == [("a", 1), ("a", 2)]

    async def test_actors_do_not_inherit_the_context_of_their_first_sender(self, autojump_clock: MockClock) -> None:
        request: ContextVar[str] = ContextVar("request", default="none")
        seen: list[str] = []

        async def live(context: ActorContext[Work]) -> None:
            seen.append(request.get())
            await context.mailbox.receive()

        supervisor = Pool().supervisor(behaviour=live)
        async with running(supervisor):
            request.set("of a sender")
            supervisor.ref("a").tell(Work(1))
            await wait_all_tasks_blocked()
        assert seen == ["none"]

    async def test_when_not_running_it_is_unavailable(self, autojump_clock: MockClock) -> None:
        supervisor = Pool().supervisor()
        with pytest.raises(ChatError) as before:
            supervisor.ref("a").tell(Work(1))
        async with running(supervisor):
            pass
        with pytest.raises(ChatError) as after:
            supervisor.ref("a").tell(Work(1))
        assert before.value.code is after.value.code is ErrorCode.UNAVAILABLE
        assert len(supervisor) == 0


class TestLimits:
    async def test_full_mailbox_is_overloaded(self, autojump_clock: MockClock) -> None:
        supervisor = Pool().supervisor(capacity=2)
        async with running(supervisor):
            ref = supervisor.ref("a")
            ref.tell(Work(1))
            ref.tell(Work(2))
            with pytest.raises(MailboxFull):
                ref.tell(Work(3))

    async def test_key_beyond_the_most_actors_is_overloaded_and_those_that_live_are_not(
        self, autojump_clock: MockClock
    ) -> None:
        pool = Pool()
        supervisor = pool.supervisor(max_children=2)
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            supervisor.ref("b").tell(Work(2))
            with pytest.raises(ChatError) as refusal:
                supervisor.ref("c").tell(Work(3))
            assert refusal.value.code is ErrorCode.OVERLOADED
            supervisor.ref("a").tell(Work(4))
            assert supervisor.snapshot().refused == 1
            await trio.sleep(pool.idle + 1)
            supervisor.ref("c").tell(Work(5))
            await wait_all_tasks_blocked()
            assert sorted(pool.handled) == [("a", 1), ("a", 4), ("b", 2), ("c", 5)]


class TestPassivation:
    async def test_idle_actor_goes_and_the_next_message_starts_a_fresh_one(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            await trio.sleep(pool.idle + 1)
            assert len(supervisor) == 0
            assert supervisor.snapshot().passivated == 1
            supervisor.ref("a").tell(Work(2))
            await wait_all_tasks_blocked()
            assert pool.handled == [("a", 1), ("a", 2)]
            assert [restarts for _, _, restarts, _ in pool.lives] == [0, 0]

    async def test_message_during_the_last_flush_waits_for_the_next_incarnation(
        self, autojump_clock: MockClock
    ) -> None:
        pool = Pool(flush=5)
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            await trio.sleep(pool.idle + 1)
            assert supervisor.live("a") is None
            supervisor.ref("a").tell(Work(2))
            await wait_all_tasks_blocked()
            assert pool.handled == [("a", 1)]
            await trio.sleep(5)
            assert pool.handled == [("a", 1), ("a", 2)]
            assert [(start, restarts) for _, start, restarts, _ in pool.lives] == [(0.0, 0), (15.0, 0)]
            assert supervisor.snapshot().crashes == 0

    async def test_message_during_the_flush_of_an_actor_that_took_nothing_is_no_crash(
        self, autojump_clock: MockClock
    ) -> None:
        pool = Pool(flush=5)
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, crash=True))
            await trio.sleep(pool.idle + 2)
            supervisor.ref("a").tell(Work(2))
            await trio.sleep(5)
            assert pool.handled == [("a", 2)]
            assert supervisor.snapshot().crashes == 1

    async def test_actor_that_takes_nothing_after_such_a_flush_counts_as_crashed(
        self, autojump_clock: MockClock
    ) -> None:
        lives = 0

        async def once_good(context: ActorContext[Work]) -> None:
            nonlocal lives
            lives += 1
            if lives == 1:
                await context.mailbox.receive()
                assert context.mailbox.close_if_empty()
                await trio.sleep(5)
            assert lives < 10

        supervisor = Pool().supervisor(behaviour=once_good)
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            await trio.sleep(1)
            supervisor.ref("a").tell(Work(2))
            await trio.sleep(20)
            assert (lives, supervisor.snapshot().crashes) == (5, 4)

    async def test_message_at_the_moment_of_passivation_is_not_lost(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            for number in range(20):
                supervisor.ref("a").tell(Work(number))
                await trio.sleep(pool.idle)
            await wait_all_tasks_blocked()
            assert [number for _, number in pool.handled] == list(range(20))

    async def test_actor_that_returns_with_messages_waiting_runs_again_at_once(self, autojump_clock: MockClock) -> None:
        handled: list[int] = []

        async def take_one(context: ActorContext[Work]) -> None:
            handled.append((await context.mailbox.receive()).id)

        supervisor = Pool().supervisor(behaviour=take_one)
        async with running(supervisor):
            for number in range(10):
                supervisor.ref("a").tell(Work(number))
            await wait_all_tasks_blocked()
            assert handled == list(range(10))
            assert len(supervisor) == 0
            assert (supervisor.snapshot().crashes, supervisor.snapshot().handled) == (0, 10)

    async def test_actor_that_returns_without_taking_anything_counts_as_crashed(
        self, autojump_clock: MockClock
    ) -> None:
        async def take_none(_: ActorContext[Work]) -> None:
            await trio.lowlevel.checkpoint()

        pool = Pool()
        supervisor = pool.supervisor(behaviour=take_none)
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            await trio.sleep(20)
            assert [number for number, _ in pool.refused] == [1]
            assert supervisor.snapshot().actors[0].state is ActorState.QUARANTINED


class TestSnapshot:
    async def test_totals_survive_the_actors(self, mock_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor(capacity=3)
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, takes=2))
            supervisor.ref("a").tell(Work(2, takes=3))
            await wait_all_tasks_blocked()
            mock_clock.jump(1)
            busy = supervisor.snapshot().actors[0]
            assert (busy.name, busy.state, busy.mailbox_depth, busy.mailbox_capacity) == (
                "pool/a",
                ActorState.RUNNING,
                1,
                3,
            )
            assert (busy.oldest_age, busy.busy_since, busy.time_in_handler, busy.handled) == (1.0, 0.0, 1.0, 0)
            for _ in range(3):
                mock_clock.jump(10)
                await wait_all_tasks_blocked()
            snapshot = supervisor.snapshot()
            assert (snapshot.name, snapshot.live, snapshot.max_children, snapshot.actors) == ("pool", 0, 10, ())
            assert (snapshot.started, snapshot.passivated, snapshot.handled) == (1, 1, 2)
            assert snapshot.time_in_handler == 21.0

    async def test_shows_the_deepest_mailboxes_first_up_to_the_limit(self, autojump_clock: MockClock) -> None:
        supervisor = Pool().supervisor()
        async with running(supervisor):
            for key, depth in (("a", 1), ("b", 3), ("c", 2)):
                for number in range(depth):
                    supervisor.ref(key).tell(Work(number))
            assert [actor.name for actor in supervisor.snapshot(limit=2).actors] == ["pool/b", "pool/c"]
            assert len(supervisor.snapshot().actors) == 3

    async def test_thousands_of_actors_are_told_of_in_steps_between_which_they_may_go(
        self, autojump_clock: MockClock
    ) -> None:
        pool = Pool()
        supervisor = pool.supervisor(max_children=1000)
        async with running(supervisor):
            for number in range(1000):
                supervisor.ref(f"{number:03}").tell(Work(number))
            steps = supervisor.snapshot_in_steps(500)
            for _ in range(10):
                next(steps)
            await trio.sleep(pool.idle + 1)
            assert len(supervisor) == 0
            told: list[DynamicSnapshot] = []

            def rest() -> Generator[None]:
                told.append((yield from steps))

            assert sum(1 for _ in rest()) > 10
            assert len(told[0].actors) == 500
