"""Typing, marks, presence and notifications across nodes: best effort, without echoes, and healed where lost."""

from uuid import UUID

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.bridge.news import MarksMoved, TypingMoved, WhoTypes
from actors.conversation.messages import Heard, PresenceChanged
from actors.conversation.policy import ConversationPolicy
from actors.conversation.subscription import Topic
from actors.users.messages import Listen
from chatcore.model import Mark
from tests.kit.conversations import Node, open_town
from tests.kit.listeners import Ear


def says(user_id: UUID, *typing: bool) -> list[dict[str, object]]:
    return [{"user": str(user_id), "typing": each} for each in typing]


def is_online(user_id: UUID, *online: bool) -> list[dict[str, object]]:
    return [{"user": str(user_id), "online": each} for each in online]


async def test_typing_is_seen_on_the_other_node_for_as_long_as_its_user_types(autojump_clock: MockClock) -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his, hers = await there.listen(room, bob, Topic.TYPING), await here.listen(room, alice, Topic.TYPING)
        ends: list[float] = []
        start = trio.current_time()
        for pause in (2.9, 5.9, 1, 1, 1, 5.5):
            await here.start_typing(room, alice)
            await trio.sleep(pause)
        assert his.notices == hers.notices == says(alice, True)
        his.on_deliver = lambda: ends.append(trio.current_time() - start)
        await trio.sleep(60)
        assert his.notices == hers.notices == says(alice, True, False)
        assert ends == [pytest.approx(11.8 + 6)]
        assert len(here.line.told_of(TypingMoved)) <= 7
        assert there.line.told_of(TypingMoved) == []


async def test_typing_ends_in_time_when_its_node_says_no_more(autojump_clock: MockClock) -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await there.listen(room, bob, Topic.TYPING)
        await here.start_typing(room, alice)
        town.hub.away = True
        await trio.sleep(5.9)
        assert his.notices == says(alice, True)
        await trio.sleep(0.2)
        assert his.notices == says(alice, True, False)


async def test_a_stop_anywhere_and_a_message_from_anywhere_end_typing_everywhere() -> None:
    async with open_town(ConversationPolicy(typing_min_interval=0), nodes=3, joined=True) as town:
        room, alice, bob = await town.pair()
        ears = [await node.listen(room, bob, Topic.TYPING) for node in town.nodes]
        here, there, _ = town.nodes
        await here.start_typing(room, alice)
        await there.start_typing(room, alice)
        await there.stop_typing(room, alice)
        await wait_all_tasks_blocked()
        assert [each.take_notices() for each in ears] == [says(alice, True, False)] * 3
        await here.start_typing(room, alice)
        await there.post(room, alice, "sent from another device")
        await wait_all_tasks_blocked()
        assert [each.take_notices() for each in ears] == [says(alice, True, False)] * 3


async def test_who_comes_first_to_listen_is_told_who_types_on_other_nodes() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        await here.start_typing(room, alice)
        his = await there.listen(room, bob, Topic.TYPING)
        await wait_all_tasks_blocked()
        assert his.notices == says(alice, True)
        asked = len(there.line.told_of(WhoTypes))
        again = await there.listen(room, bob, Topic.TYPING)
        assert again.notices == says(alice, True)
        assert len(there.line.told_of(WhoTypes)) == asked


async def test_the_typing_of_a_stranger_is_not_believed() -> None:
    async with open_town() as town:
        room, _, bob = await town.pair()
        his = await town.node.listen(room, bob, Topic.TYPING)
        town.node.tell(room, Heard(TypingMoved(town.new_id(), True)))
        await wait_all_tasks_blocked()
        assert his.notices == []


async def test_marks_are_announced_on_every_node_and_stored_and_told_by_one(autojump_clock: MockClock) -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        hers = await there.listen(room, alice, Topic.READ)
        await here.post(room, alice, "one")
        await trio.sleep(3)
        hers.take_notices()
        saves = town.faults.calls["save_marks"]
        await here.read(room, bob, 1)
        await trio.sleep(30)
        assert hers.notices == [{"user": str(bob), "read": 1, "delivered": 1}]
        assert town.faults.calls["save_marks"] == saves + 1
        assert [len(news.marks) for news in here.line.told_of(MarksMoved)] == [1]
        assert there.line.told_of(MarksMoved) == []


async def test_a_mark_that_is_ahead_of_the_messages_heard_is_kept_and_an_old_one_moves_nothing() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.position(room, alice)
        town.node.tell(room, Heard(MarksMoved((Mark(bob, 3, 2), Mark(town.new_id(), 9, 9)))))
        town.node.tell(room, Heard(MarksMoved((Mark(bob, 1, 1),))))
        assert await town.node.marks(room) == {alice: Mark(alice, 0, 0), bob: Mark(bob, 3, 3)}


async def test_marks_that_were_lost_are_read_when_the_sweep_sees_their_sum(autojump_clock: MockClock) -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        await here.post(room, alice, "one")
        hers = await there.listen(room, alice, Topic.READ)
        await trio.sleep(3)
        hers.take_notices()
        town.hub.away = True
        await here.read(room, bob, 1)
        await trio.sleep(3)
        assert hers.notices == []
        there.line.sweep()
        await trio.sleep(3)
        assert hers.notices == [{"user": str(bob), "read": 1, "delivered": 1}]
        loads = town.faults.calls["load"]
        there.line.sweep()
        await trio.sleep(3)
        assert town.faults.calls["load"] == loads


async def test_a_large_room_tells_only_of_read_marks(autojump_clock: MockClock) -> None:
    async with open_town(ConversationPolicy(large_room_members=2), nodes=2, joined=True) as town:
        people = await town.people(3)
        room = await town.group(*people)
        here = town.node
        await here.post(room, people[0], "one")
        await trio.sleep(2)
        await here.delivered(room, people[1], 1)
        await here.read(room, people[2], 1)
        await trio.sleep(30)
        assert [news.marks for news in here.line.told_of(MarksMoved)] == [(Mark(people[2], 1, 1),)]


async def hear(node: Node, *ears: Ear) -> None:
    for each in ears:
        node.users.tell(Listen(each))
    await wait_all_tasks_blocked()


async def test_notifications_reach_members_on_every_node_once() -> None:
    async with open_town(nodes=3, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there, away = town.nodes
        his, hers = Ear(bob), Ear(alice)
        await hear(there, his)
        await hear(here, hers)
        await there.position(room, bob)
        await away.position(room, bob)
        await here.post(room, alice, "one")
        await here.remove(room, alice, bob)
        await wait_all_tasks_blocked()
        assert [note["type"] for note in his.heard] == ["message.created", "participant.removed"]
        assert his.heard[0]["unread"] == 1
        assert [note["type"] for note in hers.heard] == ["message.created", "participant.removed"]
        assert there.line.notified == away.line.notified == []


async def test_a_large_room_is_notified_in_slices_and_alone_for_who_listens_only() -> None:
    policy = ConversationPolicy(notification_slice=4, notified_together=10)
    for joined, sizes in ((True, [12, 12, 1]), (False, [1])):
        async with open_town(policy, joined=joined) as town:
            people = await town.people(25)
            room = await town.group(*people)
            await hear(town.node, Ear(people[7]))
            await town.node.post(room, people[0], "one")
            await wait_all_tasks_blocked()
            assert [len(notify.bodies) for notify in town.node.line.notified] == sizes


async def test_many_who_come_at_once_are_told_of_themselves_and_the_others_of_a_change() -> None:
    async with open_town(ConversationPolicy(notified_changes=2), joined=True) as town:
        people = await town.people(5)
        room = await town.group(*people[:2])
        ears = [Ear(user_id) for user_id in people]
        await hear(town.node, *ears)
        await town.node.add(room, people[0], *people[2:])
        await wait_all_tasks_blocked()
        assert [note["type"] for note in ears[1].heard] == ["conversation.updated"]
        assert [(n["type"], n["about"]) for n in ears[4].heard] == [
            ("participant.added", str(people[4])),
            ("conversation.updated", None),
        ]


async def test_presence_is_watched_while_somebody_listens_and_announced_to_him() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        node, watch = town.node, town.node.watch
        watch.come(alice)
        assert watch.watched == {}
        his = await node.listen(room, bob, Topic.PRESENCE)
        await wait_all_tasks_blocked()
        assert his.take_notices() == is_online(alice, True)
        late = await node.listen(room, bob, Topic.PRESENCE)
        assert late.take_notices() == is_online(alice, True)
        watch.leave(alice)
        node.tell(room, PresenceChanged(alice, False))
        node.tell(room, PresenceChanged(town.new_id(), True))
        await wait_all_tasks_blocked()
        assert his.notices == late.notices == is_online(alice, False)
        assert watch.watched == {room: {alice, bob}}
        node.leave(room, his)
        node.leave(room, late)
        await wait_all_tasks_blocked()
        assert watch.watched == {}


@pytest.mark.contract("above 100 members no delivered marks and no presence")
async def test_presence_follows_who_comes_and_goes_and_ends_where_the_room_grows_large() -> None:
    async with open_town(ConversationPolicy(large_room_members=3)) as town:
        room, alice, bob = await town.pair()
        carol, dave = await town.people(2)
        node, watch = town.node, town.node.watch
        his = await node.listen(room, bob, Topic.PRESENCE)
        watch.come(carol)
        await node.add(room, alice, carol)
        await wait_all_tasks_blocked()
        assert his.take_notices() == is_online(carol, True)
        await node.add(room, alice, dave)
        await wait_all_tasks_blocked()
        assert watch.watched == {}
        await node.remove(room, alice, dave)
        await wait_all_tasks_blocked()
        assert watch.watched == {room: {alice, bob, carol}}
        assert his.notices == is_online(carol, True)


async def test_after_a_crash_presence_is_watched_anew_and_who_went_meanwhile_is_offline(
    autojump_clock: MockClock,
) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        (carol,) = await town.people(1)
        await town.node.add(room, alice, carol)
        node, watch = town.node, town.node.watch
        watch.come(alice)
        watch.come(carol)
        his = await node.listen(room, bob, Topic.PRESENCE)
        await node.listen(room, bob)
        await wait_all_tasks_blocked()
        his.take_notices()
        node.encoder.crashes = 1
        await node.post(room, alice, "one")
        await wait_all_tasks_blocked()
        assert watch.watched == {}
        watch.leave(carol)
        await trio.sleep(20)
        assert watch.watched == {room: {alice, bob, carol}}
        assert his.notices == is_online(carol, False)
