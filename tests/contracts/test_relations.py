"""The contract of `Relations`."""

from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest
import trio

from chatcore.errors import ChatError, ErrorCode
from chatcore.model import ConversationType
from tests.kit.chat import Chat

LATER = datetime(2100, 1, 1, tzinfo=UTC)


async def silenced(chat: Chat, conversation: UUID) -> set[UUID]:
    return {each.user_id for each in (await chat.load(conversation)).participants if each.silenced}


async def append(chat: Chat, conversation: UUID, sender: UUID) -> ErrorCode | None:
    (outcome,) = await chat.log.append([chat.message(conversation, sender)])
    return outcome.code if isinstance(outcome, ChatError) else None


async def test_who_is_blocked_writes_no_more_to_who_blocked_him_and_to_others_as_ever(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    pair, other, group = await chat.direct(ann, bob), await chat.direct(bob, eve), await chat.group(ann, bob)
    (said,) = await chat.say(pair, bob, "hi")
    assert await chat.relations.block(ann, bob, max_blocks=9) == pair
    assert (await chat.load(pair)).rev == 2
    assert await silenced(chat, pair) == {bob}
    assert await append(chat, pair, bob) is ErrorCode.FORBIDDEN
    for sender, conversation in ((ann, pair), (bob, other), (bob, group)):
        assert await append(chat, conversation, sender) is None
    for call in (
        chat.log.edit(pair, said.id, bob, "bye"),
        chat.log.react(pair, said.id, bob, "👍", present=True, max_distinct=9),
        chat.conversations.create(chat.new_id(), ConversationType.DIRECT, bob, [ann], None, None),
    ):
        with pytest.raises(ChatError) as refusal:
            await call
        assert refusal.value.code is ErrorCode.FORBIDDEN
    again, new = await chat.conversations.create(chat.new_id(), ConversationType.DIRECT, ann, [bob], None, None)
    assert (again.id, new) == (pair, False)
    assert await chat.log.delete(pair, said.id, bob, moderator=False) is not None


async def test_several_messages_of_whom_one_is_blocked_lose_that_one_only(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    pair, group = await chat.direct(ann, bob), await chat.group(ann, bob)
    (first,) = await chat.post(chat.message(pair, bob, "before", "key"))
    await chat.relations.block(ann, bob, max_blocks=9)
    outcomes = await chat.log.append(
        [
            chat.message(pair, bob),
            chat.message(pair, ann),
            chat.message(group, bob),
            chat.message(pair, bob, "other", "key"),
        ]
    )
    assert [isinstance(each, ChatError) for each in outcomes] == [True, False, False, False]
    repeat = outcomes[3]
    assert not isinstance(repeat, ChatError)
    assert (repeat.id, repeat.was_new) == (first.id, False)


async def test_unblocking_gives_the_word_back(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    pair = await chat.direct(ann, bob)
    await chat.relations.block(ann, bob, max_blocks=9)
    assert await chat.relations.unblock(ann, bob) == pair
    assert await append(chat, pair, bob) is None
    assert await silenced(chat, pair) == set()
    assert await chat.relations.unblock(ann, bob) is None


async def test_a_block_holds_for_a_pair_that_is_opened_later(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    assert await chat.relations.block(ann, bob, max_blocks=9) is None
    with pytest.raises(ChatError) as refusal:
        await chat.direct(bob, ann)
    assert refusal.value.code is ErrorCode.FORBIDDEN
    pair = await chat.direct(ann, bob)
    assert await silenced(chat, pair) == {bob}
    assert await append(chat, pair, bob) is ErrorCode.FORBIDDEN
    assert await chat.relations.unblock(ann, bob) == pair


async def test_each_of_two_may_block_the_other(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    pair = await chat.direct(ann, bob)
    await chat.relations.block(ann, bob, max_blocks=9)
    await chat.relations.block(bob, ann, max_blocks=9)
    assert await silenced(chat, pair) == {ann, bob}
    await chat.relations.unblock(ann, bob)
    assert await silenced(chat, pair) == {ann}


async def test_a_block_and_an_opening_at_once_leave_nobody_who_may_write_in_spite_of_it(chat: Chat) -> None:
    for _ in range(10):
        ann, bob = await chat.people(2)

        async def open_pair(by: UUID, to: UUID) -> None:
            with suppress(ChatError):
                await chat.direct(by, to)

        async def block(by: UUID, to: UUID) -> None:
            await chat.relations.block(by, to, max_blocks=9)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(open_pair, bob, ann)
            nursery.start_soon(block, ann, bob)
        pair = await chat.direct(ann, bob)
        assert await append(chat, pair, bob) is ErrorCode.FORBIDDEN


async def test_blocks_are_listed_counted_and_repeated_without_harm(chat: Chat) -> None:
    ann, bob, eve, carl = await chat.people(4)
    for each in (bob, eve, bob):
        await chat.relations.block(ann, each, max_blocks=2)
    assert list(await chat.relations.blocked_by(ann)) == [eve, bob]
    assert list(await chat.relations.blocked_by(bob)) == []
    for blocked, code in ((carl, ErrorCode.CONFLICT), (chat.new_id(), ErrorCode.NOT_FOUND)):
        with pytest.raises(ChatError) as refusal:
            await chat.relations.block(ann, blocked, max_blocks=2)
        assert refusal.value.code is code
    assert list(await chat.relations.blocked_by(ann)) == [eve, bob]


async def test_a_member_mutes_a_conversation_and_nobody_else_does(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    group = await chat.group(ann, bob)
    for until in (LATER, None, None, LATER):
        await chat.relations.mute(group, bob, until)
    for conversation, user, code in ((group, eve, ErrorCode.FORBIDDEN), (chat.new_id(), ann, ErrorCode.NOT_FOUND)):
        with pytest.raises(ChatError) as refusal:
            await chat.relations.mute(conversation, user, LATER)
        assert refusal.value.code is code
    assert (await chat.load(group)).rev == 0


async def test_reports_keep_the_text_are_one_a_user_and_message_and_come_newest_first(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    group = await chat.group(ann, bob, eve)
    (said,) = await chat.say(group, ann, "rude")
    (message,) = await chat.history.find([said.id])
    report, new = await chat.relations.report(UUID(int=1), message, bob, "spam")
    assert new
    assert (report.text, report.sender_id, report.conversation_id) == ("rude", ann, group)
    await chat.log.delete(group, said.id, ann, moderator=False)
    assert await chat.relations.report(UUID(int=3), message, bob, "other") == (report, False)
    other, new = await chat.relations.report(UUID(int=2), message, eve, "spam")
    assert new
    assert list(await chat.relations.reports(before=None, limit=9)) == [other, report]
    assert list(await chat.relations.reports(before=None, limit=1)) == [other]
    assert list(await chat.relations.reports(before=other.id, limit=9)) == [report]
