import logging
import math
from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import Mailbox, MailboxClosed, MailboxFull, MailboxRef, Reply
from chatcore.errors import ChatError, ErrorCode, forbidden


class Asked(Exception):
    """Something that is not a refusal."""


def itself(reply: Reply[int]) -> Reply[int]:
    """The request of an actor that understands nothing but replies."""
    return reply


def mailbox_and_ref(capacity: int = 10) -> tuple[Mailbox[Reply[int]], MailboxRef[Reply[int]]]:
    mailbox = Mailbox[Reply[int]]("m", capacity)
    return mailbox, MailboxRef(mailbox)


class TestCallback:
    def test_success_is_handed_over_at_once(self) -> None:
        results: list[int | ChatError] = []
        reply = Reply[int].to(results.append)
        assert not reply.settled
        reply.succeed(5)
        assert results == [5]
        assert reply.settled

    def test_only_the_first_settlement_counts(self) -> None:
        results: list[int | ChatError] = []
        reply = Reply[int].to(results.append)
        refusal = forbidden()
        reply.fail(refusal)
        reply.succeed(5)
        reply.fail(forbidden())
        assert results == [refusal]

    def test_failing_callback_is_logged_and_harms_nobody(self, caplog: pytest.LogCaptureFixture) -> None:
        def callback(_: int | ChatError) -> None:
            raise Asked

        with caplog.at_level(logging.ERROR):
            Reply[int].to(callback).succeed(1)
        assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [Asked]

    def test_callback_that_settles_its_own_reply_is_called_once(self) -> None:
        results: list[int | ChatError] = []

        def callback(result: int | ChatError) -> None:
            results.append(result)
            reply.succeed(2)

        reply = Reply[int].to(callback)
        reply.succeed(1)
        assert results == [1]

    def test_abandoned_reply_calls_nobody(self) -> None:
        results: list[int | ChatError] = []
        reply = Reply[int].to(results.append)
        reply.abandon()
        reply.succeed(1)
        assert results == []
        assert reply.settled

    async def test_expires_at_its_deadline(self, mock_clock: MockClock) -> None:
        reply = Reply[int].to(lambda _: None, deadline=10.0)
        assert not reply.expired
        mock_clock.jump(10)
        assert reply.expired

    async def test_discarded_reply_awaits_settlement_like_any_other_and_never_expires(self) -> None:
        reply = Reply[int].discard()
        assert reply.deadline == math.inf
        assert not reply.expired
        assert not reply.settled
        reply.succeed(1)
        assert reply.settled


class TestAsk:
    async def test_answer_comes_back(self, nursery: trio.Nursery) -> None:
        mailbox, ref = mailbox_and_ref()

        async def actor() -> None:
            (await mailbox.receive()).succeed(7)

        nursery.start_soon(actor)
        assert await ref.ask(itself, timeout=1) == 7

    async def test_refusal_is_raised_as_it_is(self, nursery: trio.Nursery) -> None:
        mailbox, ref = mailbox_and_ref()
        refusal = forbidden()

        async def actor() -> None:
            (await mailbox.receive()).fail(refusal)

        nursery.start_soon(actor)
        with pytest.raises(ChatError) as raised:
            await ref.ask(itself, timeout=1)
        assert raised.value is refusal

    async def test_one_error_for_many_askers_keeps_their_tracebacks_apart(self, nursery: trio.Nursery) -> None:
        mailbox, ref = mailbox_and_ref()
        refusal = forbidden()
        depths: list[int] = []

        async def asker() -> None:
            try:
                await ref.ask(itself, timeout=1)
            except ChatError as error:
                traceback, depth = error.__traceback__, 0
                while traceback is not None:
                    traceback, depth = traceback.tb_next, depth + 1
                depths.append(depth)

        for _ in range(3):
            nursery.start_soon(asker)
        await wait_all_tasks_blocked()
        for reply in await mailbox.receive_batch(3):
            reply.fail(refusal)
        await wait_all_tasks_blocked()
        assert len(depths) == 3
        assert len(set(depths)) == 1

    async def test_no_answer_in_time_is_unavailable_and_a_late_one_is_ignored(self, autojump_clock: MockClock) -> None:
        mailbox, ref = mailbox_and_ref()
        with pytest.raises(ChatError) as raised:
            await ref.ask(itself, timeout=3)
        assert raised.value.code is ErrorCode.UNAVAILABLE
        assert trio.current_time() == 3.0
        reply = await mailbox.receive()
        assert reply.expired
        assert reply.settled
        reply.succeed(1)

    async def test_asker_that_is_cancelled_abandons_the_reply(self) -> None:
        mailbox, ref = mailbox_and_ref()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(ref.ask, itself, timeout=3))
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        reply = await mailbox.receive()
        assert reply.settled
        reply.succeed(1)

    async def test_answer_and_deadline_at_once_give_the_answer(
        self, nursery: trio.Nursery, mock_clock: MockClock
    ) -> None:
        mailbox, ref = mailbox_and_ref()
        answers: list[int] = []

        async def asker() -> None:
            answers.append(await ref.ask(itself, timeout=3))

        nursery.start_soon(asker)
        (await mailbox.receive()).succeed(1)
        mock_clock.jump(3)
        await wait_all_tasks_blocked()
        assert answers == [1]

    async def test_answers_in_the_very_moment_of_the_deadline_harm_nobody(
        self, nursery: trio.Nursery, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        mailbox, ref = mailbox_and_ref(capacity=50)
        outcomes: list[int | ErrorCode] = []

        async def asker() -> None:
            try:
                outcomes.append(await ref.ask(itself, timeout=3))
            except ChatError as error:
                outcomes.append(error.code)

        async def answerer() -> None:
            await trio.sleep_until(3)
            reply = mailbox.try_receive()
            assert reply is not None
            reply.succeed(1)

        for _ in range(50):
            nursery.start_soon(asker)
            nursery.start_soon(answerer)
        await trio.sleep(4)
        assert len(outcomes) == 50
        assert set(outcomes) <= {1, ErrorCode.UNAVAILABLE}
        assert caplog.records == []

    async def test_answer_given_while_the_request_is_made_is_not_lost(self, autojump_clock: MockClock) -> None:
        _, ref = mailbox_and_ref()

        def make(reply: Reply[int]) -> Reply[int]:
            reply.succeed(9)
            return reply

        with trio.testing.assert_checkpoints():
            assert await ref.ask(make, timeout=1) == 9
        assert trio.current_time() == 0.0

    async def test_full_or_closed_mailbox_refuses_the_request(self) -> None:
        mailbox, ref = mailbox_and_ref(capacity=1)
        ref.tell(Reply[int].discard())
        with pytest.raises(MailboxFull):
            await ref.ask(itself, timeout=1)
        mailbox.close()
        with pytest.raises(MailboxClosed):
            await ref.ask(itself, timeout=1)


class TestMailboxRef:
    async def test_tell_wait_waits_for_room(self, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
        mailbox, ref = mailbox_and_ref(capacity=1)
        assert ref.name == "m"
        first, second = Reply[int].discard(), Reply[int].discard()
        await ref.tell_wait(first, 1)
        nursery.start_soon(ref.tell_wait, second, 1)
        await wait_all_tasks_blocked()
        assert await mailbox.receive() is first
        assert await mailbox.receive() is second
        ref.tell(first)
        with pytest.raises(MailboxFull):
            await ref.tell_wait(second, 1)
