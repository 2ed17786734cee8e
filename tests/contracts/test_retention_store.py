"""The contract of `RetentionStore`, and what the other ports give of a conversation that was cut."""

import pytest

from actors.privacy.ports import START, Cut
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Appended, Mark
from tests.kit.chat import Chat

ALL_AGES = -1.0
"""Seconds: what was created until a second from now is older than that."""


async def test_the_oldest_go_some_at_a_time_and_the_rest_stays(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    said = await chat.say(room, ann, "one", "two", "three", "four", "five")
    before = await chat.load(room)
    assert await chat.retention.cut(room, older_than=ALL_AGES, limit=2) == Cut(2, before.rev + 1)
    now = await chat.load(room)
    assert (now.first_seq, now.last_seq, now.rev, now.cut_rev) == (3, 5, before.rev + 1, said[1].rev)
    assert now.updated_at == before.updated_at
    assert [each.seq for each in await chat.history.oldest(room, after_seq=0, limit=9)] == [3, 4, 5]
    assert [each.seq for each in await chat.history.newest(room, before_seq=9, limit=9)] == [5, 4, 3]
    assert [each.seq for each in await chat.history.changed(room, after_rev=0, limit=9)] == [3, 4, 5]
    events = await chat.history.events(room, after_rev=0, upto_rev=99, limit=9)
    assert [each.rev for each in events] == [each.rev for each in said[2:]]
    assert await chat.history.event_floor(room, after_rev=0, upto_rev=99, limit=2) == said[2].rev
    assert await chat.history.find([each.id for each in said[:2]]) == []
    assert await chat.search.search(ann, "one", conversation_id=None, after=None, limit=9, depth=99) == []
    standing = await chat.standings.standing(room, bob)
    assert (standing.first_seq, standing.last_seq) == (3, 5)


async def test_nothing_that_is_young_enough_goes(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    await chat.say(room, ann, "one")
    rev = (await chat.load(room)).rev
    assert await chat.retention.cut(room, older_than=3600.0, limit=9) == Cut(0, rev)
    assert (await chat.load(room)).rev == rev
    assert (await chat.retention.cut(chat.new_id(), older_than=ALL_AGES, limit=9)).deleted == 0


async def test_a_conversation_that_is_cut_to_nothing_goes_on(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    await chat.say(room, ann, "one", "two")
    assert (await chat.retention.cut(room, older_than=ALL_AGES, limit=9)).deleted == 2
    assert (await chat.retention.cut(room, older_than=ALL_AGES, limit=9)).deleted == 0
    now = await chat.load(room)
    assert (now.first_seq, now.last_seq, now.last_message) == (3, 2, None)
    assert await chat.history.oldest(room, after_seq=0, limit=9) == []
    assert await chat.history.newest(room, before_seq=9, limit=9) == []
    assert await chat.history.events(room, after_rev=0, upto_rev=99, limit=9) == []
    assert await chat.history.event_floor(room, after_rev=0, upto_rev=99, limit=1) is None
    (said,) = await chat.say(room, ann, "three")
    assert (said.seq, said.rev) == (3, now.rev + 1)
    assert [each.seq for each in await chat.history.oldest(room, after_seq=0, limit=9)] == [3]


async def test_nobody_has_unread_what_is_gone(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    await chat.say(room, ann, *["hello"] * 5)
    await chat.conversations.save_marks(room, [Mark(bob, 1, 4)])
    await chat.retention.cut(room, older_than=ALL_AGES, limit=2)
    marks = {each.user_id: each for each in (await chat.load(room)).participants}
    assert (marks[bob].last_read_seq, marks[bob].last_delivered_seq) == (2, 4)
    await chat.retention.cut(room, older_than=ALL_AGES, limit=9)
    marks = {each.user_id: each for each in (await chat.load(room)).participants}
    assert (marks[bob].last_read_seq, marks[bob].last_delivered_seq) == (5, 5)
    assert (marks[ann].last_read_seq, marks[ann].last_delivered_seq) == (5, 5)


async def test_what_refers_to_a_deleted_message_stays_and_nothing_new_may(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    (old,) = await chat.post(chat.message(room, ann, "old", client_message_id="once"))
    await chat.log.react(room, old.id, bob, "👍", present=True, max_distinct=9)
    (reply,) = await chat.post(chat.message(room, bob, "reply", reply_to=old.id))
    await chat.retention.cut(room, older_than=ALL_AGES, limit=1)
    (kept,) = await chat.history.find([reply.id])
    assert kept.reply_to == old.id
    (refused,) = await chat.log.append([chat.message(room, bob, "late", reply_to=old.id)])
    assert isinstance(refused, ChatError)
    assert refused.code is ErrorCode.VALIDATION_ERROR
    for change in (
        chat.log.edit(room, old.id, ann, "edited"),
        chat.log.delete(room, old.id, ann, moderator=False),
        chat.log.react(room, old.id, bob, "🎉", present=True, max_distinct=9),
    ):
        with pytest.raises(ChatError) as refusal:
            await change
        assert refusal.value.code is ErrorCode.NOT_FOUND
    (again,) = await chat.post(chat.message(room, ann, "new", client_message_id="once"))
    assert again.was_new


async def test_an_edit_of_a_message_that_is_gone_is_no_event(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    old, young = await chat.say(room, ann, "old", "young")
    await chat.log.edit(room, old.id, ann, "edited")
    await chat.log.edit(room, young.id, ann, "edited")
    await chat.retention.cut(room, older_than=ALL_AGES, limit=1)
    events = await chat.history.events(room, after_rev=0, upto_rev=99, limit=9)
    assert {each.message.id for each in events} == {young.id}


async def test_what_deleted_messages_bore_is_discarded(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    gone, stays, purged = [await chat.attachment(ann) for _ in range(3)]
    await chat.post(chat.message(room, ann, attachment_ids=(gone,)), chat.message(room, ann, attachment_ids=(stays,)))
    await chat.retention.cut(room, older_than=ALL_AGES, limit=1)
    assert [each.id for each in await chat.attachments.find([gone, stays])] == [stays]
    assert [each.id for each in await chat.attachments.discarded(9)] == [gone]
    other = await chat.group(ann)
    await chat.post(chat.message(other, ann, attachment_ids=(purged,)))
    await chat.groups.delete(other, ann, administrator=False)
    assert await chat.groups.purge(9) == 1
    assert {each.id for each in await chat.attachments.discarded(9)} == {gone, purged}


async def test_a_scan_tells_how_old_the_first_message_of_each_is(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    rooms = sorted([await chat.group(ann, bob) for _ in range(5)])
    await chat.say(rooms[0], ann, "one", "two")
    await chat.say(rooms[3], ann, "three")
    await chat.retention.cut(rooms[3], older_than=ALL_AGES, limit=9)
    first = await chat.retention.scan(START, limit=3)
    rest = await chat.retention.scan(first[-1].conversation_id, limit=3)
    assert [each.conversation_id for each in (*first, *rest)] == rooms
    ages = [each.age for each in (*first, *rest)]
    assert ages[0] is not None
    assert 0 <= ages[0] < 60
    assert ages[1:] == [None] * 4


async def test_a_cut_waits_for_nobody_else_and_loses_no_append(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    for _ in range(5):
        outcomes = await chat.log.append([chat.message(room, ann) for _ in range(4)])
        assert all(isinstance(each, Appended) for each in outcomes)
        await chat.retention.cut(room, older_than=ALL_AGES, limit=3)
    now = await chat.load(room)
    assert (now.first_seq, now.last_seq) == (16, 20)
    assert [each.seq for each in await chat.history.oldest(room, after_seq=0, limit=99)] == list(range(16, 21))
