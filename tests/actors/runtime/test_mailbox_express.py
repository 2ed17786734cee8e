"""A message that the consumer deals with while it waits."""

import trio
from trio.testing import wait_all_tasks_blocked

from actors.runtime import Mailbox


async def consume(mailbox: Mailbox[int], batches: list[list[int]], in_hand: list[list[int]]) -> None:
    while True:
        batch = await mailbox.receive_batch_or_nudge(10)
        batches.append(batch)
        in_hand.append(mailbox.in_hand)


class Taken:
    """Takes what is even."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.mailbox = Mailbox[int]("m", 10)
        self.mailbox.express = self.take
        self.batches: list[list[int]] = []
        self.in_hand: list[list[int]] = []
        self.taken: list[int] = []
        nursery.start_soon(consume, self.mailbox, self.batches, self.in_hand)

    def take(self, message: int) -> bool:
        if message % 2:
            return False
        self.taken.append(message)
        self.mailbox.hold(message, trio.current_time())
        return True

    def release(self) -> None:
        self.mailbox.release(trio.current_time())


async def test_it_is_in_hand_and_the_consumer_sleeps_on(nursery: trio.Nursery) -> None:
    it = Taken(nursery)
    await wait_all_tasks_blocked()
    it.mailbox.offer(2)
    await wait_all_tasks_blocked()
    assert (it.taken, it.mailbox.in_hand, it.mailbox.received_total, it.batches) == ([2], [2], 1, [])
    it.release()
    await wait_all_tasks_blocked()
    assert (it.mailbox.in_hand, it.mailbox.handled_total, it.batches) == ([], 1, [])
    assert it.mailbox.busy_since is None
    it.mailbox.offer(4)
    assert it.taken == [2, 4]
    nursery.cancel_scope.cancel()


async def test_what_it_does_not_take_is_received(nursery: trio.Nursery) -> None:
    it = Taken(nursery)
    await wait_all_tasks_blocked()
    it.mailbox.offer(1)
    it.mailbox.offer(2)
    await wait_all_tasks_blocked()
    assert (it.taken, it.batches) == ([], [[1, 2]])
    nursery.cancel_scope.cancel()


async def test_a_consumer_that_does_not_wait_yet_gets_it_itself(nursery: trio.Nursery) -> None:
    it = Taken(nursery)
    it.mailbox.offer(2)
    await wait_all_tasks_blocked()
    assert (it.taken, it.batches) == ([], [[2]])
    nursery.cancel_scope.cancel()


async def test_what_comes_meanwhile_is_received_afterwards(nursery: trio.Nursery) -> None:
    it = Taken(nursery)
    await wait_all_tasks_blocked()
    for message in (2, 4, 5):
        it.mailbox.offer(message)
    await wait_all_tasks_blocked()
    assert (it.taken, it.batches) == ([2], [])
    it.release()
    await wait_all_tasks_blocked()
    assert it.batches == [[4, 5]]
    nursery.cancel_scope.cancel()


async def test_a_nudge_meanwhile_is_felt_afterwards(nursery: trio.Nursery) -> None:
    it = Taken(nursery)
    await wait_all_tasks_blocked()
    it.mailbox.offer(2)
    it.mailbox.nudge()
    await wait_all_tasks_blocked()
    assert it.batches == []
    it.release()
    await wait_all_tasks_blocked()
    assert it.batches == [[]]
    nursery.cancel_scope.cancel()


async def test_what_is_to_be_finished_wakes_the_consumer_alone_and_stays_in_hand(nursery: trio.Nursery) -> None:
    it = Taken(nursery)
    await wait_all_tasks_blocked()
    it.mailbox.offer(2)
    it.mailbox.offer(3)
    it.mailbox.release_to_finish()
    await wait_all_tasks_blocked()
    assert it.batches == [[], [3]]
    assert it.in_hand == [[2], [3]]
    nursery.cancel_scope.cancel()


async def test_when_the_consumer_goes_it_stays_in_hand_for_the_next(nursery: trio.Nursery) -> None:
    it = Taken(nursery)
    await wait_all_tasks_blocked()
    it.mailbox.offer(2)
    nursery.cancel_scope.cancel()
    it.mailbox.end_express()
    assert it.mailbox.in_hand == [2]
    it.mailbox.offer(4)
    assert (it.taken, len(it.mailbox)) == ([2], 1)
