"""Notifications: for who listens on this node, at most one a second, and best effort."""

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.users.messages import Listen
from chatcore.model import ConversationType
from tests.kit.conversations import Town, open_town
from tests.kit.listeners import Ear


async def listening(town: Town, *ears: Ear) -> None:
    for each in ears:
        town.node.users.tell(Listen(each))
    await wait_all_tasks_blocked()


@pytest.mark.contract("SUBSCRIBE /user/queue/notification")
async def test_a_message_is_told_with_the_unread_count_of_each_and_a_burst_as_its_last(
    autojump_clock: MockClock,
) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        hers, his = Ear(alice), Ear(bob)
        await listening(town, hers, his)
        for number in range(1, 6):
            await town.node.post(room, alice, f"m{number}")
        await trio.sleep(5)
        told = [(note["text"], note["unread"]) for note in his.heard]
        assert told == [("m1", 1), ("m5", 5)]
        assert [note["unread"] for note in hers.heard] == [0, 0]
        await town.node.read(room, bob, 5)
        await town.node.post(room, alice, "m6")
        await trio.sleep(5)
        assert (his.heard[-1]["text"], his.heard[-1]["unread"]) == ("m6", 1)


@pytest.mark.contract("limit notifications once a second and conversation")
async def test_a_steady_stream_is_told_once_a_second(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = Ear(bob)
        times: list[float] = []
        his.on_notify = lambda: times.append(trio.current_time())
        await listening(town, his)
        for number in range(100):
            await town.node.post(room, alice, f"m{number}")
            await trio.sleep(0.1)
        await trio.sleep(5)
        assert 10 <= len(times) <= 12
        assert all(later - earlier > 0.99 for earlier, later in pairwise(times))
        assert his.heard[-1]["text"] == "m99"


async def test_a_connection_that_watches_the_conversation_hears_nothing_of_its_messages() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        watching, elsewhere = Ear(bob, {room}), Ear(bob)
        await listening(town, watching, elsewhere)
        await town.node.post(room, alice, "one")
        await town.node.change_name(room, alice, "Name")
        await wait_all_tasks_blocked()
        assert [note["type"] for note in watching.heard] == ["conversation.updated"]
        assert sorted(note["type"] for note in elsewhere.heard) == ["conversation.updated", "message.created"]


async def test_only_members_hear_whether_they_are_few_or_many() -> None:
    async with open_town() as town:
        people = await town.people(6)
        ears = [Ear(user_id) for user_id in people]
        few, many = await town.group(*people[:2]), await town.group(*people[2:])
        await listening(town, *ears[:3])
        await town.node.post(few, people[0], "few")
        await town.node.post(many, people[3], "many")
        await wait_all_tasks_blocked()
        assert [[note["text"] for note in each.heard] for each in ears] == [["few"], ["few"], ["many"], [], [], []]


async def test_full_mailbox_of_the_users_drops_notifications_and_harms_nothing_else() -> None:
    async with open_town(users_capacity=1) as town:
        alice, bob = await town.people(2)
        rooms = [await town.group(alice, bob) for _ in range(3)]
        his = Ear(bob)
        await listening(town, his)
        async with trio.open_nursery() as nursery:
            for room in rooms:
                nursery.start_soon(town.node.post, room, alice, "hi")
        await wait_all_tasks_blocked()
        assert len(his.heard) + town.node.users.dropped == 3
        assert all(town.texts(room) == ["hi"] for room in rooms)


async def test_a_direct_conversation_tells_the_other_one() -> None:
    async with open_town() as town:
        alice, bob = await town.people(2)
        room, _ = await town.node.chat.conversations.create(
            town.new_id(), ConversationType.DIRECT, alice, [bob], None, None
        )
        his = Ear(bob)
        await listening(town, his)
        await town.node.post(room.id, alice, "psst")
        await wait_all_tasks_blocked()
        assert [note["text"] for note in his.heard] == ["psst"]
