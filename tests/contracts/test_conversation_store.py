"""The contract of `ConversationStore`."""

from uuid import UUID

import pytest
import trio

from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Conversation, ConversationType, Mark, Role
from tests.kit.chat import Chat

GROUP, DIRECT = ConversationType.GROUP, ConversationType.DIRECT


def roles(conversation: Conversation) -> dict[UUID, Role]:
    return {each.user_id: each.role for each in conversation.participants}


def marks(conversation: Conversation) -> dict[UUID, tuple[int, int]]:
    return {each.user_id: (each.last_read_seq, each.last_delivered_seq) for each in conversation.participants}


async def test_a_group_begins_with_its_creator_as_owner(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    conversation_id = chat.new_id()
    made, new = await chat.conversations.create(conversation_id, GROUP, ann, [bob, eve, bob, ann], "Name", "http://a")
    assert new
    assert (made.id, made.type, made.name, made.avatar_url) == (conversation_id, GROUP, "Name", "http://a")
    assert (made.first_seq, made.last_seq, made.rev, made.last_message) == (1, 0, 0, None)
    assert roles(made) == {ann: Role.OWNER, bob: Role.MEMBER, eve: Role.MEMBER}
    assert marks(made) == dict.fromkeys((ann, bob, eve), (0, 0))
    assert await chat.load(conversation_id) == made
    assert await chat.conversations.load(chat.new_id()) is None


async def test_a_direct_pair_is_one_conversation_whoever_asks(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    first, new = await chat.conversations.create(chat.new_id(), DIRECT, ann, [bob], None, None)
    assert new
    assert roles(first) == {ann: Role.MEMBER, bob: Role.MEMBER}
    await chat.say(first.id, ann, "hi")
    again, new = await chat.conversations.create(chat.new_id(), DIRECT, bob, [ann, bob], None, None)
    assert not new
    assert again == await chat.load(first.id)
    assert again.last_seq == 1
    other, new = await chat.conversations.create(chat.new_id(), DIRECT, ann, [eve], None, None)
    assert new
    assert other.id != first.id


async def test_a_direct_pair_is_one_conversation_under_a_race(chat: Chat) -> None:
    pairs = [await chat.people(2) for _ in range(5)]
    made: list[tuple[Conversation, bool]] = []

    async def create(by: UUID, other: UUID) -> None:
        made.append(await chat.conversations.create(chat.new_id(), DIRECT, by, [other], None, None))

    async with trio.open_nursery() as nursery:
        for ann, bob in pairs:
            for _ in range(3):
                nursery.start_soon(create, ann, bob)
                nursery.start_soon(create, bob, ann)
    assert len({conversation.id for conversation, _ in made}) == len(pairs)
    assert sum(new for _, new in made) == len(pairs)


async def test_groups_of_the_same_people_are_different(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    assert await chat.group(ann, bob) != await chat.group(ann, bob)


async def test_create_is_refused_for_who_does_not_exist(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    cases = [(GROUP, (bob, chat.new_id())), (DIRECT, (chat.new_id(),)), (DIRECT, ()), (DIRECT, (ann,))]
    for type_, members in cases:
        conversation_id = chat.new_id()
        with pytest.raises(ChatError) as refusal:
            await chat.conversations.create(conversation_id, type_, ann, members, None, None)
        assert refusal.value.code is ErrorCode.VALIDATION_ERROR
        assert refusal.value.details is not None
        assert set(refusal.value.details) == {"participantIds"}
        assert await chat.conversations.load(conversation_id) is None


async def test_a_new_member_starts_at_the_last_seq(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    room = await chat.group(ann, bob)
    await chat.say(room, ann, "one", "two")
    roster = await chat.conversations.add_members(room, ann, [eve, bob, eve], max_members=3)
    assert roster.added == (eve,)
    assert roster.removed == ()
    assert roster.conversation == await chat.load(room)
    assert (roster.conversation.rev, roster.conversation.last_seq) == (3, 2)
    assert marks(roster.conversation) == {ann: (2, 2), bob: (0, 0), eve: (2, 2)}
    assert roles(roster.conversation)[eve] is Role.MEMBER
    assert [each.user_id for each in roster.conversation.participants][-1] == eve


async def test_adding_who_is_there_changes_nothing(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    before = await chat.load(room)
    roster = await chat.conversations.add_members(room, ann, [bob, ann], max_members=2)
    assert (roster.conversation, roster.added) == (before, ())


@pytest.mark.contract("who joins has nothing unread")
async def test_rejoining_starts_at_the_last_seq_again(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    await chat.conversations.remove_member(room, bob, bob)
    await chat.say(room, ann, "one", "two", "three")
    roster = await chat.conversations.add_members(room, ann, [bob], max_members=2)
    assert marks(roster.conversation)[bob] == (3, 3)


async def test_who_may_not_add(chat: Chat) -> None:
    ann, bob, eve, stranger = await chat.people(4)
    room, pair = await chat.group(ann, bob), await chat.direct(ann, bob)
    before = await chat.load(room)
    cases = [
        (chat.new_id(), ann, [eve], 9, ErrorCode.NOT_FOUND),
        (room, stranger, [eve], 9, ErrorCode.FORBIDDEN),
        (room, bob, [eve], 9, ErrorCode.FORBIDDEN),
        (pair, ann, [eve], 9, ErrorCode.CONFLICT),
        (room, ann, [eve, stranger], 3, ErrorCode.CONFLICT),
        (room, ann, [eve, chat.new_id()], 9, ErrorCode.VALIDATION_ERROR),
    ]
    for conversation_id, by, users, most, code in cases:
        with pytest.raises(ChatError) as refusal:
            await chat.conversations.add_members(conversation_id, by, users, max_members=most)
        assert refusal.value.code is code
    assert await chat.load(room) == before


async def test_leaving_and_being_removed(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    room = await chat.group(ann, bob, eve)
    left = await chat.conversations.remove_member(room, bob, bob)
    assert (left.removed, left.added, left.conversation.rev) == ((bob,), (), 1)
    assert roles(left.conversation) == {ann: Role.OWNER, eve: Role.MEMBER}
    removed = await chat.conversations.remove_member(room, ann, eve)
    assert (removed.removed, removed.conversation.rev) == ((eve,), 2)
    assert removed.conversation == await chat.load(room)
    last = await chat.conversations.remove_member(room, ann, ann)
    assert last.deleted


async def test_an_owner_who_leaves_hands_on_to_the_longest_standing_member(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    room = await chat.group(ann)
    await chat.conversations.add_members(room, ann, [eve], max_members=9)
    await chat.conversations.add_members(room, ann, [bob], max_members=9)
    left = await chat.conversations.remove_member(room, ann, ann)
    assert roles(left.conversation) == {eve: Role.OWNER, bob: Role.MEMBER}
    await chat.conversations.remove_member(room, eve, bob)


async def test_who_may_not_remove(chat: Chat) -> None:
    ann, bob, eve, stranger = await chat.people(4)
    room, pair = await chat.group(ann, bob, eve), await chat.direct(ann, bob)
    before = await chat.load(room)
    cases = [
        (chat.new_id(), ann, bob, ErrorCode.NOT_FOUND),
        (room, ann, stranger, ErrorCode.NOT_FOUND),
        (room, stranger, bob, ErrorCode.FORBIDDEN),
        (room, stranger, stranger, ErrorCode.FORBIDDEN),
        (room, bob, eve, ErrorCode.FORBIDDEN),
        (room, bob, ann, ErrorCode.FORBIDDEN),
        (pair, ann, bob, ErrorCode.CONFLICT),
        (pair, ann, ann, ErrorCode.CONFLICT),
    ]
    for conversation_id, by, user, code in cases:
        with pytest.raises(ChatError) as refusal:
            await chat.conversations.remove_member(conversation_id, by, user)
        assert refusal.value.code is code
    assert await chat.load(room) == before


async def test_details_are_changed_kept_and_cleared(chat: Chat) -> None:
    ann, bob, stranger = await chat.people(3)
    room, pair = await chat.group(ann, bob), await chat.direct(ann, bob)
    change = chat.conversations.change_details
    named = (await change(room, ann, name="New", avatar_url="http://a")).conversation
    assert (named.name, named.avatar_url, named.rev) == ("New", "http://a", 1)
    kept = (await change(room, bob, name=None, avatar_url="")).conversation
    assert (kept.name, kept.avatar_url, kept.rev) == ("New", None, 2)
    same = (await change(room, ann, name="New", avatar_url="")).conversation
    assert same == kept == await chat.load(room)
    for conversation_id, by, code in (
        (chat.new_id(), ann, ErrorCode.NOT_FOUND),
        (room, stranger, ErrorCode.FORBIDDEN),
        (pair, ann, ErrorCode.CONFLICT),
    ):
        with pytest.raises(ChatError) as refusal:
            await change(conversation_id, by, name="X", avatar_url=None)
        assert refusal.value.code is code
    with pytest.raises(ChatError) as refusal:
        await change(room, ann, name="\x00", avatar_url=None)
    assert refusal.value.code is ErrorCode.VALIDATION_ERROR


async def test_marks_merge_by_maximum_and_stop_at_the_last_seq(chat: Chat) -> None:
    ann, bob, stranger = await chat.people(3)
    room = await chat.group(ann, bob)
    await chat.say(room, ann, *"abcdef")
    save = chat.conversations.save_marks
    before = await chat.load(room)
    await save(room, [Mark(bob, 2, 4), Mark(stranger, 3, 3)])
    assert marks(await chat.load(room)) == {ann: (6, 6), bob: (2, 4)}
    await save(room, [Mark(bob, 1, 1), Mark(ann, 0, 0)])
    assert marks(await chat.load(room)) == {ann: (6, 6), bob: (2, 4)}
    await save(room, [Mark(bob, 3, 0), Mark(bob, 0, 5), Mark(bob, 1, 1)])
    assert marks(await chat.load(room)) == {ann: (6, 6), bob: (3, 5)}
    await save(room, [Mark(bob, 5, 0)])
    assert marks(await chat.load(room)) == {ann: (6, 6), bob: (5, 5)}
    await save(room, [Mark(bob, 99, 0)])
    after = await chat.load(room)
    assert marks(after) == {ann: (6, 6), bob: (6, 6)}
    assert after.rev == before.rev
    await save(chat.new_id(), [Mark(bob, 1, 1)])
    await save(room, [])
