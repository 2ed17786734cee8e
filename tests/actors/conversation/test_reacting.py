"""Reactions, and who is silenced, over the nodes."""

import pytest
from trio.testing import wait_all_tasks_blocked

from chatcore.errors import ChatError, ErrorCode
from chatcore.model import ConversationType
from tests.kit.conversations import open_town

THUMB = "👍"


@pytest.mark.parametrize("away", [False, True])
async def test_a_reaction_reaches_the_subscribers_of_all_nodes_as_an_update_at_its_rev(away: bool) -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = await town.node.listen(room, alice), await town.nodes[1].listen(room, bob)
        said = await town.node.post(room, alice, "hi")
        town.hub.away = away
        event = await town.nodes[1].react(room, said.id, bob, THUMB)
        assert event is not None
        assert await town.nodes[1].react(room, said.id, bob, THUMB) is None
        await wait_all_tasks_blocked()
        town.hub.away = False
        for node in town.nodes:
            node.line.sweep()
        await wait_all_tasks_blocked()
        for subscription in (here, there):
            assert subscription.revs == [1, 2]
            assert subscription.events[-1].kind == "message.updated"
            assert b'"reactions": [["\\ud83d\\udc4d", 1]]' in subscription.events[-1].body


async def test_reactions_and_messages_are_delivered_in_one_order() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        subscriptions = [await node.listen(room, alice) for node in town.nodes]
        for number in range(10):
            said = await town.nodes[number % 2].post(room, bob, f"m{number}")
            await town.nodes[(number + 1) % 2].react(room, said.id, alice, THUMB)
        await wait_all_tasks_blocked()
        for subscription in subscriptions:
            assert subscription.revs == list(range(1, 21))


async def test_who_is_blocked_is_refused_on_every_node_even_where_nobody_has_told_of_it() -> None:
    async with open_town(nodes=2, joined=True) as town:
        alice, bob = await town.people(2)
        room = town.new_id()
        await town.node.chat.conversations.create(room, ConversationType.DIRECT, alice, [bob], None, None)
        there = town.nodes[1]
        said = await there.post(room, bob, "before")
        town.hub.away = True
        await town.node.chat.relations.block(alice, bob, max_blocks=9)
        for call in (
            there.post(room, bob, "after"),
            there.edit(room, said.id, bob, "other"),
            there.react(room, said.id, bob, THUMB),
        ):
            with pytest.raises(ChatError) as refusal:
                await call
            assert refusal.value.code is ErrorCode.FORBIDDEN
        await there.refresh(room)
        with pytest.raises(ChatError) as refusal:
            await there.start_typing(room, bob)
        assert refusal.value.code is ErrorCode.FORBIDDEN
        await there.read(room, bob, 1)
        await there.post(room, alice, "hers")
        await town.node.chat.relations.unblock(alice, bob)
        await there.post(room, bob, "again")
        assert town.texts(room) == ["before", "hers", "again"]
