"""Read and delivered marks: announced at most once a second, written behind, at once where somebody waits."""

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.conversation.messages import MarkDelivered, MarkRead
from actors.conversation.policy import ConversationPolicy
from actors.conversation.subscription import Topic
from actors.runtime.reply import Reply
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Mark
from tests.kit.conversations import Answer, open_town
from tests.kit.listening import Listening


async def test_a_read_mark_is_told_at_once_and_is_stored_then(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.post(room, alice, "one")
        await trio.sleep(2)
        hers = await town.node.listen(room, alice, Topic.READ)
        stored: list[tuple[int, int]] = []
        hers.on_deliver = lambda: stored.append(town.stored(room, bob))
        await town.node.read(room, bob, 99)
        await wait_all_tasks_blocked()
        assert hers.notices == [{"user": str(bob), "read": 1, "delivered": 1}]
        assert stored == [(1, 1)]


async def test_a_mark_that_cannot_be_stored_is_told_once_it_is(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.post(room, alice, "one")
        await trio.sleep(2)
        hers = await town.node.listen(room, alice, Topic.READ)
        town.faults.fail_next(method="save_marks")
        town.faults.fail_next(method="save_marks")
        await town.node.read(room, bob, 1)
        await trio.sleep(1.5)
        assert hers.notices == []
        await trio.sleep(1)
        assert hers.notices == [{"user": str(bob), "read": 1, "delivered": 1}]


@pytest.mark.contract("limit mark events once a second and user")
async def test_mark_events_of_a_user_come_at_most_once_a_second_and_the_last_is_never_lost(
    autojump_clock: MockClock,
) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.chat.log.append([town.node.message(room, alice, "x") for _ in range(50)])
        hers = await town.node.listen(room, alice, Topic.READ)
        times: list[float] = []
        hers.on_deliver = lambda: times.append(trio.current_time())
        for seq in range(1, 51):
            await town.node.read(room, bob, seq)
            await trio.sleep(0.1)
        await trio.sleep(5)
        assert [note["read"] for note in hers.notices][-1] == 50
        assert 5 <= len(times) <= 7
        assert all(later - earlier > 0.99 for earlier, later in pairwise(times))


async def test_a_durable_mark_is_answered_once_it_is_stored() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.post(room, alice, "one")
        await town.node.read(room, bob, 1, durable=True)
        assert town.stored(room, bob) == (1, 1)
        calls = town.faults.calls["save_marks"]
        await town.node.read(room, bob, 1, durable=True)
        await town.node.delivered(room, bob, 1, durable=True)
        assert town.faults.calls["save_marks"] == calls


async def test_durable_marks_that_wait_together_are_one_write() -> None:
    async with open_town() as town:
        people = await town.people(30)
        room = await town.group(*people)
        await town.node.post(room, people[0], "one")
        town.faults.pause("append")
        town.node.send(room, people[0], "two")
        await wait_all_tasks_blocked()
        answers = [Answer[None]() for _ in people[1:]]
        for number, (user_id, answer) in enumerate(zip(people[1:], answers, strict=True)):
            kind = MarkRead if number % 2 else MarkDelivered
            town.node.tell(room, kind(user_id, 2, answer.reply(), durable=True))
        town.faults.resume("append")
        await wait_all_tasks_blocked()
        assert [answer.value for answer in answers] == [None] * 29
        assert town.faults.calls["save_marks"] == 1
        assert all(town.stored(room, user_id)[1] == 2 for user_id in people)


async def test_the_marks_of_a_large_room_are_stored_page_by_page_and_none_is_left_out(
    autojump_clock: MockClock,
) -> None:
    async with open_town(ConversationPolicy(marks_page=10)) as town:
        people = await town.people(25)
        room = await town.group(*people)
        await town.node.post(room, people[0], "one")
        for user_id in people[1:]:
            await town.node.read(room, user_id, 1)
        town.faults.pause("save_marks")
        await trio.sleep(2)
        town.faults.fail_next(method="save_marks")
        town.faults.resume("save_marks")
        await trio.sleep(5)
        assert town.faults.calls["save_marks"] == 1 + 3
        assert [town.stored(room, user_id) for user_id in people] == [(1, 1)] * 25


async def test_a_durable_mark_that_cannot_be_stored_is_refused_and_written_behind(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.post(room, alice, "one")
        town.faults.fail_next(method="save_marks")
        with pytest.raises(ChatError) as refusal:
            await town.node.read(room, bob, 1, durable=True)
        assert refusal.value.code is ErrorCode.UNAVAILABLE
        await trio.sleep(2)
        assert town.stored(room, bob) == (1, 1)


async def test_marks_that_cannot_be_stored_are_tried_again_each_second_and_never_faster(
    autojump_clock: MockClock,
) -> None:
    async with open_town(ConversationPolicy(mark_interval=0.001)) as town:
        room, alice, bob = await town.pair()
        await town.node.post(room, alice, "one")
        for _ in range(10):
            town.faults.fail_next(method="save_marks")
        await town.node.read(room, bob, 1)
        await trio.sleep(5.5)
        assert 5 <= town.faults.calls["save_marks"] <= 7
        await trio.sleep(10)
        assert town.stored(room, bob) == (1, 1)


async def test_a_stranger_has_no_marks_to_move() -> None:
    async with open_town() as town:
        room, _, _ = await town.pair()
        (stranger,) = await town.people(1)
        for durable in (True, False):
            with pytest.raises(ChatError) as refusal:
                await town.node.read(room, stranger, 1, durable=durable)
            assert refusal.value.code is ErrorCode.FORBIDDEN


async def test_a_mark_ahead_of_this_node_makes_it_look(autojump_clock: MockClock) -> None:
    async with open_town(nodes=2) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        await there.position(room, bob)
        await here.post(room, alice, "one")
        await there.read(room, bob, 1)
        assert (await there.marks(room))[bob] == Mark(bob, 1, 1)
        town.faults.fail_next(method="load")
        with pytest.raises(ChatError) as refusal:
            await there.read(room, bob, 99)
        assert refusal.value.code is ErrorCode.UNAVAILABLE


async def test_a_mark_that_nobody_waits_for_any_more_is_refused(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.post(room, alice, "one")
        answer = Answer[None]()
        town.node.tell(room, MarkRead(bob, 1, answer.reply(trio.current_time()), durable=True))
        await wait_all_tasks_blocked()
        assert answer.code is ErrorCode.UNAVAILABLE
        assert (await town.node.marks(room))[bob].read_seq == 0


async def test_what_is_written_to_a_socket_is_delivered_and_what_is_queued_is_not(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        alice, bob, carol, dave = await town.people(4)
        room = await town.group(alice, bob, carol, dave)
        await town.node.listen(room, bob)
        slow = Listening(carol, slow=True)
        assert await town.node.attach(room, slow)
        acks = Listening(dave, counts_as_delivered=False)
        assert await town.node.attach(room, acks)
        hers = await town.node.listen(room, alice, Topic.READ)
        await town.node.post(room, alice, "one")
        await trio.sleep(3)
        marks = await town.node.marks(room)
        assert [marks[user].delivered_seq for user in (alice, bob, carol, dave)] == [1, 1, 0, 0]
        assert {note["user"] for note in hers.take_notices()} == {str(alice), str(bob)}
        assert [town.stored(room, user)[1] for user in (alice, bob, carol, dave)] == [1, 1, 0, 0]
        await town.node.delivered(room, carol, 1)
        await town.node.delivered(room, dave, 1)
        await trio.sleep(3)
        assert {note["user"] for note in hers.take_notices()} == {str(carol), str(dave)}


async def test_what_was_at_hand_for_a_late_joiner_counts_as_delivered() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.position(room, bob)
        await town.node.post(room, alice, "one")
        assert await town.node.attach(room, Listening(bob, rev=0, slow=True))
        assert (await town.node.marks(room))[bob].delivered_seq == 0
        assert await town.node.attach(room, Listening(bob, rev=0))
        assert (await town.node.marks(room))[bob].delivered_seq == 1


async def test_nothing_is_delivered_to_a_connection_that_has_ended() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        his.closed = True
        await town.node.post(room, alice, "one")
        assert (await town.node.marks(room))[bob].delivered_seq == 0


@pytest.mark.contract("above 100 members no delivered marks and no presence")
async def test_a_large_room_tells_of_reading_only_and_stores_deliveries_rarely(autojump_clock: MockClock) -> None:
    async with open_town(ConversationPolicy(large_room_members=3)) as town:
        people = await town.people(4)
        room = await town.group(*people)
        alice, bob, carol, _ = people
        for user_id in people:
            await town.node.listen(room, user_id)
        hers = await town.node.listen(room, alice, Topic.READ)
        start = trio.current_time()
        await town.node.post(room, alice, "one")
        await town.node.read(room, bob, 1)
        await trio.sleep_until(start + 9)
        assert {note["user"] for note in hers.take_notices()} == {str(alice), str(bob)}
        assert town.stored(room, bob) == (1, 1)
        assert town.stored(room, carol) == (0, 0)
        assert (await town.node.marks(room))[carol].delivered_seq == 1
        await trio.sleep_until(start + 12)
        assert town.stored(room, carol) == (0, 1)
        assert hers.notices == []


async def test_marks_are_stored_when_the_actor_stops(autojump_clock: MockClock) -> None:
    async with open_town(ConversationPolicy(large_room_members=1)) as town:
        room, alice, bob = await town.pair()
        await town.node.listen(room, bob)
        await town.node.post(room, alice, "one")
        await town.node.conversations.stop(5)
        assert town.stored(room, bob) == (0, 1)


async def test_marks_whose_write_is_cancelled_are_stored_in_the_end(autojump_clock: MockClock) -> None:
    async with open_town(ConversationPolicy(flush_timeout=2)) as town:
        room, alice, bob = await town.pair()
        await town.node.post(room, alice, "one")
        town.faults.pause("save_marks")
        await town.node.read(room, bob, 1)
        await trio.sleep(1.5)
        assert town.faults.calls["save_marks"] == 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(town.node.conversations.stop, 1)
            await trio.sleep(2)
            assert town.faults.calls["save_marks"] == 2
            town.faults.resume("save_marks")
        assert town.stored(room, bob) == (1, 1)


async def test_another_nodes_marks_are_told_here(autojump_clock: MockClock) -> None:
    async with open_town(nodes=2) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        hers = await here.listen(room, alice, Topic.READ)
        await there.post(room, alice, "one")
        await there.read(room, bob, 1, durable=True)
        await here.refresh(room)
        await trio.sleep(2)
        expected = [{"user": str(user), "read": 1, "delivered": 1} for user in (alice, bob)]
        assert sorted(hers.notices, key=str) == sorted(expected, key=str)


async def test_a_mark_that_nobody_answers_for_is_moved_all_the_same() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.post(room, alice, "one")
        town.node.tell(room, MarkDelivered(bob, 1, Reply[None].discard(), durable=False))
        assert (await town.node.marks(room))[bob] == Mark(bob, 0, 1)
