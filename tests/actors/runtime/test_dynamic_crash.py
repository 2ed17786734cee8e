import logging
import random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import (
    ActorBehaviour,
    ActorContext,
    ActorState,
    DynamicSupervisor,
    EventKind,
    RestartIntensity,
)
from chatcore.errors import ChatError, ErrorCode
from tests.actors.runtime.worker import PATIENT, Broken, Pool, Work, running


class TestRestart:
    async def test_what_waits_survives_and_what_was_in_hand_is_handed_on(self, autojump_clock: MockClock) -> None:
        pool = Pool(batch=2)
        supervisor = pool.supervisor()
        async with running(supervisor):
            ref = supervisor.ref("a")
            for work in (Work(1), Work(2, crash=True), Work(3), Work(4)):
                ref.tell(work)
            await wait_all_tasks_blocked()
            ref.tell(Work(5))
            await trio.sleep(1)
            await wait_all_tasks_blocked()
            assert pool.in_hand == [("a", 1), ("a", 2)]
            assert pool.handled == [("a", 3), ("a", 4), ("a", 5)]
            assert pool.refused == []

    async def test_finished_batches_are_not_handed_on(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            supervisor.ref("a").tell(Work(2, crash=True))
            await trio.sleep(2)
            assert pool.in_hand == [("a", 2)]

    async def test_what_an_incarnation_did_not_settle_goes_to_the_next_with_its_own(
        self, autojump_clock: MockClock
    ) -> None:
        seen: list[list[int]] = []

        async def settle_at_the_third_try(context: ActorContext[Work]) -> None:
            seen.append([work.id for work in context.in_hand])
            if context.restart_count == 0:
                await context.mailbox.receive_batch(2)
            if context.restart_count == 1:
                context.mailbox.try_receive()
            if context.restart_count < 2:
                raise Broken
            context.done()
            await context.mailbox.receive()

        supervisor = Pool().supervisor(behaviour=settle_at_the_third_try)
        async with running(supervisor):
            for number in range(3):
                supervisor.ref("a").tell(Work(number))
            await trio.sleep(10)
        assert seen == [[], [0, 1], [0, 1, 2]]

    async def test_back_off_grows_and_the_context_tells_of_the_crash(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            for number in range(3):
                supervisor.ref("a").tell(Work(number, crash=True))
            await trio.sleep(9)
            assert [(start, restarts) for _, start, restarts, _ in pool.lives] == [(0, 0), (1, 1), (3, 2), (7, 3)]
            errors = [error for *_, error in pool.lives]
            assert errors[0] is None
            assert all(isinstance(error, Broken) for error in errors[1:])
            delays = [event.delay for event in pool.events if event.kind is EventKind.RESTARTING]
            assert delays == [1.0, 2.0, 4.0]

    async def test_back_off_starts_over_after_a_long_good_life(self, autojump_clock: MockClock) -> None:
        pool = Pool(idle=1000)
        supervisor = pool.supervisor()
        async with running(supervisor):
            for wait in (5, 200, 5):
                supervisor.ref("a").tell(Work(1, crash=True))
                await trio.sleep(wait)
            delays = [event.delay for event in pool.events if event.kind is EventKind.RESTARTING]
            assert delays == [1.0, 2.0, 1.0]

    async def test_crash_of_one_leaves_the_others_alone(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("b").tell(Work(1))
            for number in range(10):
                supervisor.ref("a").tell(Work(number, crash=True))
            await trio.sleep(pool.idle - 1)
            supervisor.ref("b").tell(Work(2))
            await wait_all_tasks_blocked()
            assert [life[0] for life in pool.lives].count("b") == 1
            assert [number for key, number in pool.handled if key == "b"] == [1, 2]

    async def test_messages_during_the_back_off_wait_and_are_live(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, crash=True))
            await trio.sleep(0.5)
            pausing = supervisor.snapshot().actors[0]
            assert (pausing.state, pausing.busy_since) == (ActorState.BACKOFF, None)
            live = supervisor.live("a")
            assert live is not None
            live.tell(Work(2))
            await trio.sleep(1)
            assert pool.handled == [("a", 2)]

    async def test_behaviour_that_cannot_be_made_is_a_crash(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        tries: list[float] = []

        def make(key: str) -> ActorBehaviour[Work]:
            tries.append(trio.current_time())
            if len(tries) < 3:
                raise Broken
            return pool.behaviour(key)

        supervisor = DynamicSupervisor[str, Work](
            "pool",
            make,
            capacity=5,
            max_children=5,
            intensity=PATIENT,
            rng=random.Random(1),
            refuse=lambda work, error: None,
        )
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            await trio.sleep(5)
            assert tries == [0, 1, 3]
            assert pool.handled == [("a", 1)]

    async def test_crash_in_the_last_flush_restarts_the_actor_and_keeps_what_came_meanwhile(
        self, autojump_clock: MockClock
    ) -> None:
        pool = Pool(flush=2, crash_in_flush=True)
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            await trio.sleep(pool.idle + 1)
            supervisor.ref("a").tell(Work(2))
            await trio.sleep(3)
            assert pool.handled == [("a", 1), ("a", 2)]
            assert [restarts for _, _, restarts, _ in pool.lives] == [0, 1]
            await trio.sleep(pool.idle + 3)
            assert len(supervisor) == 0

    async def test_crash_in_the_last_flush_takes_messages_during_the_back_off(self, autojump_clock: MockClock) -> None:
        pool = Pool(crash_in_flush=True)
        supervisor = pool.supervisor()
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1))
            await trio.sleep(pool.idle + 0.5)
            live = supervisor.live("a")
            assert live is not None
            live.tell(Work(2))
            await trio.sleep(1)
            assert pool.handled == [("a", 1), ("a", 2)]


class TestQuarantine:
    async def test_over_its_intensity_all_is_refused_for_a_while(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor(intensity=RestartIntensity(1, 100, 1, 1, 0))
        async with running(supervisor):
            ref = supervisor.ref("a")
            for work in (Work(1, crash=True), Work(2, crash=True), Work(3), Work(4)):
                ref.tell(work)
            await trio.sleep(1.5)
            assert [number for number, _ in pool.refused] == [2, 3, 4]
            assert {error.code for _, error in pool.refused} == {ErrorCode.UNAVAILABLE}
            assert {error.retry_after for _, error in pool.refused} == {30.0}
            assert supervisor.live("a") is None
            with pytest.raises(ChatError) as refusal:
                ref.tell(Work(5))
            assert (refusal.value.code, refusal.value.retry_after) == (ErrorCode.UNAVAILABLE, 29.5)
            with pytest.raises(ChatError):
                await ref.tell_wait(Work(6), 5)
            snapshot = supervisor.snapshot()
            assert snapshot.actors[0].state is ActorState.QUARANTINED
            assert (snapshot.crashes, snapshot.quarantines, snapshot.refused) == (2, 1, 5)

    async def test_after_it_the_next_message_starts_the_actor_anew(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor(intensity=RestartIntensity(0, 100, 1, 1, 0))
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, crash=True))
            await trio.sleep(30.5)
            assert len(supervisor) == 0
            supervisor.ref("a").tell(Work(2))
            await wait_all_tasks_blocked()
            assert pool.handled == [("a", 2)]
            assert pool.in_hand == []
            assert pool.lives[-1][1:] == (30.5, 0, None)

    async def test_waiting_senders_are_refused_with_the_rest(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor(capacity=1, intensity=RestartIntensity(0, 100, 1, 1, 0))
        async with running(supervisor):
            ref = supervisor.ref("a")
            await ref.tell_wait(Work(1, takes=1, crash=True), 5)
            await ref.tell_wait(Work(2), 5)
            with pytest.raises(ChatError) as refusal:
                await ref.tell_wait(Work(3), 5)
            assert refusal.value.code is ErrorCode.UNAVAILABLE
            assert trio.current_time() == 1.0
            assert [number for number, _ in pool.refused] == [1, 2]

    async def test_others_go_on(self, autojump_clock: MockClock) -> None:
        pool = Pool()
        supervisor = pool.supervisor(intensity=RestartIntensity(0, 100, 1, 1, 0))
        async with running(supervisor):
            supervisor.ref("a").tell(Work(1, crash=True))
            await wait_all_tasks_blocked()
            supervisor.ref("b").tell(Work(2))
            await wait_all_tasks_blocked()
            assert pool.handled == [("b", 2)]

    async def test_refusal_that_fails_is_logged_and_the_rest_is_refused(
        self, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        refused: list[int] = []

        def refuse(work: Work, _: ChatError) -> None:
            if work.id == 1:
                raise Broken
            refused.append(work.id)

        supervisor = DynamicSupervisor[str, Work](
            "pool",
            Pool().behaviour,
            capacity=5,
            max_children=5,
            intensity=RestartIntensity(0, 100),
            rng=random.Random(1),
            refuse=refuse,
        )
        with caplog.at_level(logging.ERROR):
            async with running(supervisor):
                supervisor.ref("a").tell(Work(1, crash=True))
                supervisor.ref("a").tell(Work(2))
                await trio.sleep(1)
        assert refused == [2]
        assert "pool could not refuse a message" in caplog.text
