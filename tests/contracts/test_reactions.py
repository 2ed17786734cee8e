"""The contract of `MessageLog.react`, and of the reactions that every reading shows."""

from uuid import UUID

import pytest
import trio

from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Event, EventKind, Reaction
from tests.kit.chat import Chat

THUMB, HEART, PARTY = "👍", "❤️", "🎉"


async def react(
    chat: Chat, conversation: UUID, message: UUID, user: UUID, emoji: str, *, present: bool = True, most: int = 20
) -> Event | None:
    return await chat.log.react(conversation, message, user, emoji, present=present, max_distinct=most)


async def test_a_reaction_is_an_update_at_the_next_rev_and_repeats_change_nothing(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    group = await chat.group(ann, bob)
    (said,) = await chat.say(group, ann, "hi")
    event = await react(chat, group, said.id, bob, THUMB)
    assert event is not None
    assert (event.kind, event.rev, event.message.rev) == (EventKind.UPDATED, 2, 2)
    assert event.message.reactions == (Reaction(THUMB, 1, (bob,)),)
    assert event.message.edited_at is None
    assert await react(chat, group, said.id, bob, THUMB) is None
    assert (await chat.load(group)).rev == 2
    taken = await react(chat, group, said.id, bob, THUMB, present=False)
    assert taken is not None
    assert (taken.rev, taken.message.reactions) == (3, ())
    assert await react(chat, group, said.id, bob, THUMB, present=False) is None
    assert (await chat.load(group)).rev == 3


async def test_reactions_show_in_every_reading_in_the_order_in_which_they_came(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    group = await chat.group(ann, bob, eve)
    (said,) = await chat.say(group, ann, "hi")
    for user, emoji in ((bob, HEART), (ann, THUMB), (eve, HEART)):
        await react(chat, group, said.id, user, emoji)
    expected = (Reaction(HEART, 2, (bob, eve)), Reaction(THUMB, 1, (ann,)))
    history = chat.history
    readings = [
        await history.newest(group, before_seq=9, limit=9),
        await history.oldest(group, after_seq=0, limit=9),
        await history.changed(group, after_rev=0, limit=9),
        [event.message for event in await history.events(group, after_rev=0, upto_rev=9, limit=9)],
        await history.find([said.id]),
        await history.find([said.id], group),
    ]
    assert [{each.reactions for each in reading} for reading in readings] == [{expected}] * len(readings)
    last = (await chat.load(group)).last_message
    assert last is not None
    assert last.reactions == expected
    await react(chat, group, said.id, bob, HEART, present=False)
    (found,) = await history.find([said.id])
    assert found.reactions == (Reaction(THUMB, 1, (ann,)), Reaction(HEART, 1, (eve,)))


async def test_an_edit_keeps_reactions_and_a_deletion_ends_them(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    group = await chat.group(ann, bob)
    (said,) = await chat.say(group, ann, "hi")
    await react(chat, group, said.id, bob, THUMB)
    edited = await chat.log.edit(group, said.id, ann, "hello")
    assert edited.message.reactions == (Reaction(THUMB, 1, (bob,)),)
    deleted = await chat.log.delete(group, said.id, ann, moderator=False)
    assert deleted is not None
    assert deleted.message.reactions == ()
    with pytest.raises(ChatError) as refusal:
        await react(chat, group, said.id, bob, PARTY)
    assert refusal.value.code is ErrorCode.CONFLICT
    assert await react(chat, group, said.id, bob, THUMB, present=False) is None


async def test_a_message_bears_so_many_emojis_and_no_more(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    group = await chat.group(ann, bob)
    (said,) = await chat.say(group, ann, "hi")
    await react(chat, group, said.id, ann, THUMB, most=2)
    await react(chat, group, said.id, ann, HEART, most=2)
    with pytest.raises(ChatError) as refusal:
        await react(chat, group, said.id, bob, PARTY, most=2)
    assert refusal.value.code is ErrorCode.CONFLICT
    assert (await chat.load(group)).rev == 3
    assert await react(chat, group, said.id, bob, HEART, most=2) is not None


async def test_reactions_of_many_at_once_are_all_counted_and_some_are_named(chat: Chat) -> None:
    people = await chat.people(12)
    group = await chat.group(*people)
    (said,) = await chat.say(group, people[0], "hi")
    async with trio.open_nursery() as nursery:
        for user in people:
            nursery.start_soon(react, chat, group, said.id, user, THUMB)
    (found,) = await chat.history.find([said.id])
    (reaction,) = found.reactions
    assert reaction.count == 12
    assert set(reaction.user_ids) == set(people)
    assert found.rev == (await chat.load(group)).rev == 13


async def test_no_more_users_are_named_than_may_be(chat: Chat) -> None:
    people = await chat.people(102)
    group = await chat.group(*people)
    (said,) = await chat.say(group, people[0], "hi")
    for user in people:
        await react(chat, group, said.id, user, THUMB)
    (found,) = await chat.history.find([said.id])
    assert found.reactions == (Reaction(THUMB, 102, tuple(people[:100])),)


async def test_who_may_not_react_is_told_why(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    group = await chat.group(ann, bob)
    (said,) = await chat.say(group, ann, "hi")
    cases = [
        (group, said.id, eve, ErrorCode.FORBIDDEN),
        (group, chat.new_id(), ann, ErrorCode.NOT_FOUND),
        (chat.new_id(), said.id, ann, ErrorCode.NOT_FOUND),
    ]
    for conversation, message, user, code in cases:
        for present in (True, False):
            with pytest.raises(ChatError) as refusal:
                await react(chat, conversation, message, user, THUMB, present=present)
            assert refusal.value.code is code
    assert (await chat.load(group)).rev == 1
