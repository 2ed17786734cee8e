"""How a conversation ends: for its subscriptions, for who is told, and on the other nodes."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.conversation.purger import Purger
from actors.conversation.subscription import Topic
from actors.users.messages import Listen
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Role
from tests.kit.conversations import Town, open_town
from tests.kit.listeners import Ear
from tests.kit.listening import Listening


async def listening(town: Town, *ears: Ear) -> None:
    for number, each in enumerate(ears):
        town.nodes[number % len(town.nodes)].users.tell(Listen(each))
    await wait_all_tasks_blocked()


async def test_a_deleted_conversation_ends_every_subscription_and_tells_every_member() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        subscriptions = [await town.node.listen(room, user, topic) for user in (alice, bob) for topic in Topic]
        hers, his = Ear(alice), Ear(bob, {room})
        await listening(town, hers, his)
        answers = town.node.send(room, bob, "before")
        await town.node.delete_conversation(room, alice)
        await wait_all_tasks_blocked()
        assert answers[0].value.seq == 1
        assert all(each.ended for each in subscriptions)
        for ear, user in ((hers, alice), (his, bob)):
            told = [(note["type"], note["about"]) for note in ear.heard if note["type"] != "message.created"]
            assert told == [("participant.removed", str(user)), ("conversation.deleted", None)]
        with pytest.raises(ChatError) as refusal:
            await town.node.post(room, alice, "after")
        assert refusal.value.code is ErrorCode.NOT_FOUND


async def test_what_waits_behind_a_deletion_is_told_that_there_is_no_such_conversation() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.position(room, alice)
        town.faults.pause("delete_conversation")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(town.node.delete_conversation, room, alice)
            await wait_all_tasks_blocked()
            answers = town.node.send(room, bob, "one", "two")
            town.faults.resume("delete_conversation")
        await wait_all_tasks_blocked()
        assert [answer.code for answer in answers] == [ErrorCode.NOT_FOUND] * 2


@pytest.mark.parametrize("away", [False, True])
async def test_the_other_nodes_end_it_too_at_once_or_by_the_sweep(away: bool) -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        there = town.nodes[1]
        subscription: Listening = await there.listen(room, bob)
        town.hub.away = away
        await town.node.delete_conversation(room, alice)
        await wait_all_tasks_blocked()
        assert subscription.ended is not away
        town.hub.away = False
        there.line.sweep()
        await wait_all_tasks_blocked()
        assert subscription.ended
        assert there.conversations.live(room) is None


async def test_the_last_who_leaves_ends_the_conversation() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.remove(room, alice, alice)
        subscription = await town.node.listen(room, bob)
        ear = Ear(bob)
        await listening(town, ear)
        assert (await town.node.remove(room, bob, bob)).deleted
        await wait_all_tasks_blocked()
        assert subscription.ended
        assert [note["type"] for note in ear.heard] == ["participant.removed", "conversation.deleted"]
        assert room not in town.state.rooms


async def test_a_refused_deletion_changes_nothing() -> None:
    async with open_town() as town:
        room, _, bob = await town.pair()
        subscription = await town.node.listen(room, bob)
        with pytest.raises(ChatError) as refusal:
            await town.node.delete_conversation(room, bob)
        assert refusal.value.code is ErrorCode.FORBIDDEN
        await town.node.post(room, bob, "still here")
        assert subscription.texts == ["still here"]


async def test_a_changed_role_is_in_force_on_all_nodes_and_told() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        (carl,) = await town.people(1)
        there = town.nodes[1]
        await there.position(room, bob)
        hers, his = Ear(alice), Ear(bob)
        await listening(town, hers, his)
        await town.node.change_role(room, alice, bob, Role.ADMIN)
        await there.add(room, bob, carl)
        await wait_all_tasks_blocked()
        for ear in (hers, his):
            assert [note["type"] for note in ear.heard] == ["conversation.updated", "participant.added"]


async def test_the_purge_goes_on_until_nothing_is_left_and_survives_an_outage(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, _ = await town.pair()
        for number in range(5):
            await town.node.post(room, alice, f"m{number}")
        await town.node.delete_conversation(room, alice)
        purger = Purger(town.node.chat.groups, interval=60.0, batch=2)
        town.faults.fail_next(method="purge")
        town.nursery.start_soon(purger.run)
        await trio.sleep(1)
        assert (purger.purged, purger.failures) == (0, 1)
        await trio.sleep(60)
        assert purger.purged == 5
        assert town.state.ended == []
