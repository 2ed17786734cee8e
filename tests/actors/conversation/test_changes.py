"""Edits, tombstones, members and details."""

from uuid import UUID

import pytest
from trio.testing import wait_all_tasks_blocked

from actors.conversation.messages import ChangeDetails, Delete, Join, Position, Post, RemoveMember
from actors.conversation.subscription import Topic
from actors.ports import Roster
from actors.users.messages import Listen
from chatcore.errors import ChatError, ErrorCode, unavailable
from chatcore.model import Appended, Event
from tests.kit.conversations import Answer, Town, open_town
from tests.kit.listeners import Ear
from tests.kit.listening import Listening


async def ear(town: Town, user_id: UUID) -> Ear:
    listener = Ear(user_id)
    town.node.users.tell(Listen(listener))
    await wait_all_tasks_blocked()
    return listener


@pytest.mark.contract("events message.created, message.updated, message.deleted")
async def test_an_edit_and_a_tombstone_are_events_of_their_own() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        listening = await town.node.listen(room, bob)
        message = await town.node.post(room, alice, "one")
        edited = await town.node.edit(room, message.id, alice, "ONE")
        deleted = await town.node.delete(room, message.id, alice)
        assert (edited.rev, edited.message.text) == (2, "ONE")
        assert deleted is not None
        assert (deleted.rev, deleted.message.text) == (3, "")
        assert await town.node.delete(room, message.id, alice) is None
        await wait_all_tasks_blocked()
        assert [event.kind for event in listening.events] == ["message.created", "message.updated", "message.deleted"]
        assert listening.revs == [1, 2, 3]


async def test_refused_changes_deliver_nothing() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        message = await town.node.post(room, alice, "one")
        listening = await town.node.listen(room, bob)
        for asked in (town.node.edit(room, message.id, bob, "mine"), town.node.delete(room, message.id, bob)):
            with pytest.raises(ChatError) as refusal:
                await asked
            assert refusal.value.code is ErrorCode.FORBIDDEN
        assert listening.events == []


async def test_a_moderator_who_is_no_member_deletes() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        (moderator,) = await town.people(1)
        message = await town.node.post(room, alice, "one")
        listening = await town.node.listen(room, bob)
        event: Event | None = await town.node.ask(room, lambda reply: Delete(message.id, moderator, True, reply))
        assert event is not None
        await wait_all_tasks_blocked()
        assert listening.revs == [2]


@pytest.mark.contract("who joins has nothing unread")
async def test_who_is_added_may_subscribe_and_starts_with_nothing_unread() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        (carol,) = await town.people(1)
        await town.node.post(room, alice, "one")
        roster = await town.node.add(room, alice, carol)
        assert roster.added == (carol,)
        assert (await town.node.marks(room))[carol].read_seq == 1
        hers = await town.node.listen(room, carol)
        await town.node.post(room, bob, "two")
        await wait_all_tasks_blocked()
        assert hers.texts == ["two"]


async def test_who_is_removed_is_cut_off_and_told_and_gets_nothing_later() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = [await town.node.listen(room, bob, topic) for topic in Topic]
        hers = await town.node.listen(room, alice)
        told = await ear(town, bob)
        answer, post = Answer[Roster](), Answer[Appended]()
        town.node.send(room, alice, "before")
        town.node.tell(room, RemoveMember(alice, bob, answer.reply()))
        town.node.tell(room, Post(town.node.message(room, alice, "after"), post.reply()))
        await wait_all_tasks_blocked()
        assert answer.value.removed == (bob,)
        assert all(each.ended for each in his)
        assert his[0].texts == ["before"]
        assert hers.texts == ["before", "after"]
        assert hers.revs == [1, 3]
        assert [note["type"] for note in told.heard] == ["participant.removed"]


async def test_who_leaves_stops_typing_for_the_others() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        hers = await town.node.listen(room, alice, Topic.TYPING)
        await town.node.start_typing(room, bob)
        await town.node.remove(room, bob, bob)
        assert hers.notices == [{"user": str(bob), "typing": True}, {"user": str(bob), "typing": False}]


async def test_a_change_of_members_is_answered_and_cuts_off_even_if_the_history_cannot_be_read() -> None:
    async with open_town(nodes=2) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his, hers = await here.listen(room, bob), await here.listen(room, alice)
        await there.post(room, alice, "from elsewhere")
        town.faults.fail_next(method="events")
        assert (await here.remove(room, alice, bob)).removed == (bob,)
        await wait_all_tasks_blocked()
        assert his.ended
        assert hers.events == []
        await here.post(room, alice, "next")
        await wait_all_tasks_blocked()
        assert hers.texts == ["from elsewhere", "next"]
        assert his.events == []


async def test_a_refused_change_of_members_is_told_to_nobody() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        told = await ear(town, alice)
        with pytest.raises(ChatError) as refusal:
            await town.node.remove(room, bob, alice)
        assert refusal.value.code is ErrorCode.FORBIDDEN
        await wait_all_tasks_blocked()
        assert told.heard == []


async def test_members_hear_of_new_members_and_details_and_of_nothing_that_changed_nothing() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        (carol,) = await town.people(1)
        told = {user_id: await ear(town, user_id) for user_id in (alice, bob, carol)}
        await town.node.add(room, alice, carol)
        await town.node.add(room, alice, carol)
        await town.node.change_name(room, bob, "New name")
        await town.node.change_name(room, bob, "New name")
        await wait_all_tasks_blocked()
        for user_id in (alice, bob, carol):
            assert [(note["type"], note["about"]) for note in told[user_id].heard] == [
                ("participant.added", str(carol)),
                ("conversation.updated", None),
            ]


async def test_changes_of_unknown_outcome_are_answered_so() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        town.faults.fail_next(unavailable(), method="remove_member", after_commit=True)
        with pytest.raises(ChatError) as refusal:
            await town.node.remove(room, alice, bob)
        assert refusal.value.code is ErrorCode.UNAVAILABLE
        await town.node.post(room, alice, "not for bob")
        await wait_all_tasks_blocked()
        assert his.ended
        assert his.events == []


async def test_a_conversation_that_is_deleted_ends_everything_and_answers_all_that_waits() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob, Topic.TYPING)
        (stranger,) = await town.people(1)
        town.faults.pause("append")
        town.node.send(room, alice, "one")
        await wait_all_tasks_blocked()
        asked = town.node.send(room, stranger, "hello?") + town.node.send(room, alice, "two")
        details = Answer[Roster]()
        town.node.tell(room, ChangeDetails(alice, "name", None, details.reply()))
        del town.state.rooms[room]
        town.faults.resume("append")
        await wait_all_tasks_blocked()
        assert [answer.code for answer in asked] == [ErrorCode.NOT_FOUND] * 2
        assert details.code is ErrorCode.NOT_FOUND
        assert his.ended
        assert len(town.node.conversations) == 0


async def test_a_stranger_who_makes_the_actor_look_may_find_that_the_conversation_is_gone() -> None:
    async with open_town() as town:
        room, alice, _ = await town.pair()
        (stranger,) = await town.people(1)
        await town.node.position(room, alice)
        del town.state.rooms[room]
        joined, details = Answer[Position](), Answer[Roster]()
        town.node.tell(room, Join(stranger, joined.reply()))
        town.node.tell(room, ChangeDetails(alice, "name", None, details.reply()))
        (post,) = town.node.send(room, alice, "one")
        await wait_all_tasks_blocked()
        assert joined.code is details.code is post.code is ErrorCode.NOT_FOUND
        assert town.faults.calls["change_details"] == town.faults.calls["append"] == 0
        assert len(town.node.conversations) == 0


async def test_a_deleted_conversation_is_noticed_by_a_look() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        del town.state.rooms[room]
        await town.node.refresh(room)
        assert his.ended
        assert len(town.node.conversations) == 0
        with pytest.raises(ChatError) as refusal:
            await town.node.attach(room, Listening(alice))
        assert refusal.value.code is ErrorCode.NOT_FOUND
