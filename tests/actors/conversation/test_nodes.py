"""Two nodes over one database, each seeing the other's writes only when it looks."""

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.conversation.policy import ConversationPolicy
from actors.conversation.subscription import Topic
from tests.kit.conversations import open_town


async def test_posts_on_both_nodes_reach_every_subscription_once_in_one_order(autojump_clock: MockClock) -> None:
    async with open_town(ConversationPolicy(history_page=3), nodes=2) as town:
        room, alice, bob = await town.pair()
        listening = [await node.listen(room, user) for node in town.nodes for user in (alice, bob)]
        async with trio.open_nursery() as nursery:
            for node, user in zip(town.nodes, (alice, bob), strict=True):
                for number in range(20):
                    nursery.start_soon(node.post, room, user, f"{number}")
        for node in town.nodes:
            await node.refresh(room)
        for each in listening:
            assert each.seqs == each.revs == list(range(1, 41))
            assert each.texts == town.texts(room)


async def test_a_change_elsewhere_is_delivered_by_the_sweep_alone() -> None:
    async with open_town(nodes=2) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await there.listen(room, bob)
        message = await here.post(room, alice, "one")
        await there.refresh(room)
        await here.edit(room, message.id, alice, "ONE")
        await here.delete(room, message.id, alice)
        await here.post(room, alice, "two")
        await there.refresh(room)
        await there.refresh(room)
        assert [(event.kind, event.rev) for event in his.events] == [
            ("message.created", 1),
            ("message.deleted", 3),
            ("message.created", 4),
        ]


async def test_a_local_commit_that_is_ahead_brings_what_the_other_node_wrote_before_it() -> None:
    async with open_town(nodes=2) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await there.listen(room, bob)
        typing = await there.listen(room, alice, Topic.TYPING)
        for number in range(5):
            await here.post(room, alice, f"{number}")
        await there.start_typing(room, bob)
        await there.post(room, bob, "mine")
        await wait_all_tasks_blocked()
        assert his.texts == ["0", "1", "2", "3", "4", "mine"]
        assert [notice["typing"] for notice in typing.notices] == [True, False]


async def test_a_member_removed_elsewhere_gets_nothing_that_came_after() -> None:
    async with open_town(nodes=2) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his, hers = await there.listen(room, bob), await there.listen(room, alice)
        await here.post(room, alice, "before")
        await here.remove(room, alice, bob)
        await here.post(room, alice, "after")
        await there.post(room, alice, "mine")
        await wait_all_tasks_blocked()
        assert his.ended
        assert his.events == []
        assert hers.texts == ["before", "after", "mine"]
        assert hers.revs == [1, 3, 4]


async def test_a_change_of_members_and_name_alone_moves_the_position_and_the_senders_name() -> None:
    async with open_town(nodes=2) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await there.listen(room, bob)
        await here.change_name(room, alice, "New")
        await here.chat.users.update(alice, name="Alicia", profile_picture_url=None)
        await there.refresh(room)
        assert (await there.position(room, bob)).rev == 1
        loads = town.faults.calls["load"]
        await there.post(room, alice, "one")
        await wait_all_tasks_blocked()
        assert town.faults.calls["load"] == loads
        assert b'"sender": "Alicia"' in his.events[0].body


async def test_a_position_beyond_what_retention_left_is_taken_over() -> None:
    async with open_town(nodes=2) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        await there.position(room, bob)
        for number in range(5):
            await here.post(room, alice, f"{number}")
        town.state.rooms[room].forget_before(6)
        await there.refresh(room)
        position = await there.position(room, bob)
        assert (position.rev, position.last_seq) == (5, 5)
        await there.read(room, bob, 5)
        assert (await there.marks(room))[bob].read_seq == 5
