import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import Mailbox, MailboxClosed, MailboxFull
from chatcore.errors import ErrorCode


def filled(*messages: int, capacity: int = 10) -> Mailbox[int]:
    mailbox = Mailbox[int]("m", capacity)
    for message in messages:
        mailbox.offer(message)
    return mailbox


async def put_later(mailbox: Mailbox[int], message: int, nursery: trio.Nursery, outcomes: dict[int, str]) -> None:
    """Start a sender that waits for room up to 5 seconds, and note in `outcomes` what became of it."""

    async def sender() -> None:
        try:
            await mailbox.put(message, timeout=5)
        except MailboxFull:
            outcomes[message] = "full"
        except MailboxClosed:
            outcomes[message] = "closed"
        else:
            outcomes[message] = "accepted"

    nursery.start_soon(sender)
    await wait_all_tasks_blocked()


class TestSending:
    def test_capacity_below_one_is_a_mistake(self) -> None:
        with pytest.raises(ValueError):
            Mailbox[int]("m", 0)

    async def test_full_mailbox_refuses_as_overloaded(self) -> None:
        mailbox = filled(1, 2, capacity=2)
        with pytest.raises(MailboxFull) as refusal:
            mailbox.offer(3)
        assert refusal.value.code is ErrorCode.OVERLOADED
        assert refusal.value.retry_after is not None
        assert (mailbox.depth, mailbox.refused_total) == (2, 1)

    async def test_closed_mailbox_refuses_as_unavailable(self) -> None:
        mailbox = filled()
        mailbox.close()
        with pytest.raises(MailboxClosed) as refusal:
            mailbox.offer(1)
        assert refusal.value.code is ErrorCode.UNAVAILABLE
        with pytest.raises(MailboxClosed):
            await mailbox.put(1, timeout=1)
        assert mailbox.refused_total == 2

    async def test_put_with_room_accepts_at_once_and_is_a_checkpoint(self) -> None:
        mailbox = filled()
        with trio.testing.assert_checkpoints():
            await mailbox.put(1, timeout=0)
        assert await mailbox.receive() == 1

    async def test_waiting_senders_are_served_in_turn_and_nobody_overtakes(
        self, nursery: trio.Nursery, autojump_clock: MockClock
    ) -> None:
        mailbox = filled(1, 2, capacity=2)
        outcomes: dict[int, str] = {}
        for message in (3, 4, 5):
            await put_later(mailbox, message, nursery, outcomes)
        assert await mailbox.receive() == 1
        with pytest.raises(MailboxFull):
            mailbox.offer(6)
        await wait_all_tasks_blocked()
        assert outcomes == {3: "accepted"}
        assert [await mailbox.receive() for _ in range(4)] == [2, 3, 4, 5]
        await wait_all_tasks_blocked()
        assert outcomes == {3: "accepted", 4: "accepted", 5: "accepted"}

    async def test_sender_gives_up_at_its_deadline_and_its_message_never_arrives(
        self, nursery: trio.Nursery, mock_clock: MockClock
    ) -> None:
        mailbox = filled(1, capacity=1)
        outcomes: dict[int, str] = {}
        await put_later(mailbox, 2, nursery, outcomes)
        mock_clock.jump(4.9)
        await wait_all_tasks_blocked()
        assert outcomes == {}
        mock_clock.jump(0.2)
        await wait_all_tasks_blocked()
        assert outcomes == {2: "full"}
        assert await mailbox.receive_batch(10) == [1]
        assert mailbox.depth == 0
        assert mailbox.refused_total == 1

    async def test_cancelled_sender_leaves_no_message(self) -> None:
        mailbox = filled(1, capacity=1)
        async with trio.open_nursery() as nursery:
            await put_later(mailbox, 2, nursery, {})
            nursery.cancel_scope.cancel()
        assert await mailbox.receive_batch(10) == [1]
        assert mailbox.depth == 0

    async def test_cancelled_before_it_starts_a_put_accepts_nothing(self) -> None:
        mailbox = filled()
        with trio.CancelScope() as scope:
            scope.cancel()
            await mailbox.put(1, timeout=1)
        assert scope.cancelled_caught
        assert mailbox.depth == 0

    async def test_closing_refuses_the_waiting_senders(self, nursery: trio.Nursery) -> None:
        mailbox = filled(1, capacity=1)
        outcomes: dict[int, str] = {}
        await put_later(mailbox, 2, nursery, outcomes)
        assert mailbox.close() == [1]
        await wait_all_tasks_blocked()
        assert outcomes == {2: "closed"}


class TestReceiving:
    async def test_batch_takes_what_waits_up_to_the_limit_in_order(self) -> None:
        mailbox = filled(1, 2, 3, 4, 5)
        assert await mailbox.receive_batch(2) == [1, 2]
        assert await mailbox.receive_batch(10) == [3, 4, 5]

    async def test_receiving_is_a_checkpoint_although_messages_wait(self) -> None:
        mailbox = filled(1, 2)
        with trio.testing.assert_checkpoints():
            await mailbox.receive()
        with trio.testing.assert_checkpoints():
            await mailbox.receive_batch(5)

    async def test_a_burst_wakes_the_waiting_consumer_once(self, nursery: trio.Nursery) -> None:
        mailbox = filled()
        batches: list[list[int]] = []

        async def consumer() -> None:
            while True:
                batches.append(await mailbox.receive_batch(10))

        nursery.start_soon(consumer)
        await wait_all_tasks_blocked()
        for message in (1, 2, 3):
            mailbox.offer(message)
        await wait_all_tasks_blocked()
        assert batches == [[1, 2, 3]]
        nursery.cancel_scope.cancel()

    async def test_cancelled_while_waiting_a_receive_takes_nothing(self, autojump_clock: MockClock) -> None:
        mailbox = filled()
        with trio.move_on_after(1) as scope:
            await mailbox.receive()
        assert scope.cancelled_caught
        mailbox.offer(1)
        assert await mailbox.receive() == 1

    async def test_cancelled_with_messages_waiting_a_receive_takes_nothing(self) -> None:
        mailbox = filled(1)
        with trio.CancelScope() as scope:
            scope.cancel()
            await mailbox.receive()
        assert scope.cancelled_caught
        assert mailbox.depth == 1

    async def test_message_and_cancellation_at_once_lose_nothing(self, nursery: trio.Nursery) -> None:
        mailbox = filled()
        taken: list[int] = []
        scope = trio.CancelScope()

        async def consumer() -> None:
            with scope:
                taken.append(await mailbox.receive())

        nursery.start_soon(consumer)
        await wait_all_tasks_blocked()
        mailbox.offer(1)
        scope.cancel()
        await wait_all_tasks_blocked()
        assert taken == [1]
        assert mailbox.depth == 0

    async def test_second_consumer_is_a_mistake(self, nursery: trio.Nursery) -> None:
        mailbox = filled()
        nursery.start_soon(mailbox.receive)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await mailbox.receive()
        mailbox.offer(1)

    async def test_try_receive_never_waits(self) -> None:
        mailbox = filled(1)
        assert mailbox.try_receive() == 1
        assert mailbox.try_receive() is None


class TestInHand:
    async def test_received_messages_are_in_hand_until_the_next_receive(self) -> None:
        mailbox = filled(1, 2, 3)
        await mailbox.receive_batch(2)
        assert (mailbox.in_hand, mailbox.handled_total) == ([1, 2], 0)
        await mailbox.receive()
        assert (mailbox.in_hand, mailbox.handled_total) == ([3], 2)

    async def test_coming_back_for_more_is_enough_to_be_done(self, autojump_clock: MockClock) -> None:
        mailbox = filled(1)
        await mailbox.receive()
        with trio.move_on_after(1):
            await mailbox.receive()
        assert (mailbox.in_hand, mailbox.handled_total) == ([], 1)

    async def test_try_receive_adds_to_what_is_in_hand(self) -> None:
        mailbox = filled(1, 2)
        await mailbox.receive()
        mailbox.try_receive()
        assert mailbox.in_hand == [1, 2]

    async def test_done_empties_the_hand(self) -> None:
        mailbox = filled(1)
        await mailbox.receive()
        mailbox.done()
        assert (mailbox.in_hand, mailbox.handled_total) == ([], 1)

    async def test_the_consumer_may_change_its_batch(self) -> None:
        mailbox = filled(1, 2)
        (await mailbox.receive_batch(2)).clear()
        assert mailbox.in_hand == [1, 2]

    async def test_what_is_taken_back_counts_as_refused(self) -> None:
        mailbox = filled(1, 2)
        await mailbox.receive()
        assert mailbox.take_in_hand() == [1]
        assert (mailbox.in_hand, mailbox.handled_total, mailbox.refused_total) == ([], 0, 1)


class TestClosing:
    async def test_close_if_empty_leaves_a_mailbox_with_messages_open(self) -> None:
        mailbox = filled(1)
        assert not mailbox.close_if_empty()
        mailbox.offer(2)
        assert await mailbox.receive_batch(5) == [1, 2]

    async def test_close_if_empty_counts_waiting_senders(self, nursery: trio.Nursery) -> None:
        mailbox = filled(1, capacity=1)
        await put_later(mailbox, 2, nursery, {})
        assert mailbox.try_receive() == 1
        assert not mailbox.close_if_empty()
        assert mailbox.try_receive() == 2
        assert mailbox.close_if_empty()

    async def test_closed_when_empty_it_refuses_and_tells_the_consumer(self) -> None:
        mailbox = filled()
        assert mailbox.close_if_empty()
        assert mailbox.close_if_empty()
        with pytest.raises(MailboxClosed):
            mailbox.offer(1)
        with pytest.raises(MailboxClosed):
            await mailbox.receive()

    async def test_reopened_it_accepts_and_keeps_its_totals_and_what_is_in_hand(self) -> None:
        mailbox = filled(1)
        await mailbox.receive()
        assert mailbox.close_if_empty()
        mailbox.reopen()
        mailbox.offer(2)
        assert (mailbox.in_hand, mailbox.received_total) == ([1], 1)
        assert await mailbox.receive() == 2

    async def test_close_gives_back_what_waited(self) -> None:
        mailbox = filled(1, 2, 3)
        assert mailbox.close() == [1, 2, 3]
        assert (mailbox.depth, mailbox.refused_total, mailbox.oldest_age) == (0, 3, 0.0)

    async def test_sealed_it_gives_what_waits_and_then_ends(self) -> None:
        mailbox = filled(1, 2)
        mailbox.seal()
        with pytest.raises(MailboxClosed):
            mailbox.offer(3)
        assert not mailbox.close_if_empty()
        assert await mailbox.receive_batch(5) == [1, 2]
        with pytest.raises(MailboxClosed):
            await mailbox.receive()

    @pytest.mark.parametrize("end", ["seal", "close"])
    async def test_waiting_consumer_learns_of_the_end(self, nursery: trio.Nursery, end: str) -> None:
        mailbox = filled()
        ended = trio.Event()

        async def consumer() -> None:
            with pytest.raises(MailboxClosed):
                await mailbox.receive()
            ended.set()

        nursery.start_soon(consumer)
        await wait_all_tasks_blocked()
        getattr(mailbox, end)()
        await ended.wait()

    async def test_closed_between_wakeup_and_receipt_nothing_is_lost(self, nursery: trio.Nursery) -> None:
        mailbox = filled()
        ended = trio.Event()

        async def consumer() -> None:
            with pytest.raises(MailboxClosed):
                await mailbox.receive()
            ended.set()

        nursery.start_soon(consumer)
        await wait_all_tasks_blocked()
        mailbox.offer(1)
        assert mailbox.close() == [1]
        await ended.wait()


class TestFigures:
    async def test_age_of_the_oldest_message(self, mock_clock: MockClock) -> None:
        mailbox = filled()
        assert mailbox.oldest_age == 0.0
        mailbox.offer(1)
        mock_clock.jump(3)
        mailbox.offer(2)
        mock_clock.jump(1)
        assert mailbox.oldest_age == 4.0
        await mailbox.receive()
        assert mailbox.oldest_age == 1.0

    async def test_time_in_handler_is_from_receipt_to_done(self, mock_clock: MockClock) -> None:
        mailbox = filled(1, 2)
        mock_clock.jump(100)
        assert (mailbox.busy_since, mailbox.busy_seconds) == (None, 0.0)
        await mailbox.receive()
        assert mailbox.busy_since == 100.0
        mock_clock.jump(2)
        assert mailbox.busy_seconds == 2.0
        mailbox.done()
        mock_clock.jump(50)
        assert (mailbox.busy_since, mailbox.busy_seconds) == (None, 2.0)
        await mailbox.receive()
        mock_clock.jump(1)
        mailbox.pause()
        mock_clock.jump(50)
        assert mailbox.busy_seconds == 3.0
        assert mailbox.in_hand == [2]

    async def test_the_consumer_may_tell_the_time_when_it_is_done(self, mock_clock: MockClock) -> None:
        mailbox = filled(1)
        await mailbox.receive()
        mock_clock.jump(5)
        mailbox.done(3.0)
        assert (mailbox.busy_since, mailbox.busy_seconds, mailbox.handled_total) == (None, 3.0, 1)

    async def test_taking_one_more_does_not_set_the_time_in_handler_back(self, mock_clock: MockClock) -> None:
        mailbox = filled(1, 2)
        await mailbox.receive()
        mock_clock.jump(2)
        mailbox.try_receive()
        assert mailbox.busy_since == 0.0


async def test_a_nudge_wakes_a_consumer_that_allows_it_with_nothing() -> None:
    mailbox = Mailbox[int]("m", 10)
    received: list[list[int]] = []

    async def consume() -> None:
        while True:
            received.append(await mailbox.receive_batch_or_nudge(10))

    async with trio.open_nursery() as nursery:
        mailbox.nudge()
        nursery.start_soon(consume)
        await wait_all_tasks_blocked()
        assert received == []
        mailbox.nudge()
        await wait_all_tasks_blocked()
        mailbox.offer(1)
        mailbox.nudge()
        await wait_all_tasks_blocked()
        assert received == [[], [1]]
        nursery.cancel_scope.cancel()


async def test_a_nudge_leaves_a_consumer_that_wants_a_message_waiting() -> None:
    mailbox = Mailbox[int]("m", 10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.receive_batch, 10)
        await wait_all_tasks_blocked()
        mailbox.nudge()
        await wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 1
        mailbox.offer(1)


async def test_a_closed_mailbox_ends_a_consumer_that_may_be_nudged() -> None:
    mailbox = Mailbox[int]("m", 10)
    async with trio.open_nursery() as nursery:

        async def consume() -> None:
            with pytest.raises(MailboxClosed):
                await mailbox.receive_batch_or_nudge(10)

        nursery.start_soon(consume)
        await wait_all_tasks_blocked()
        mailbox.close()
