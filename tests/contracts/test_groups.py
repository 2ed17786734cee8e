"""The contract of `GroupStore`, and how a conversation ends."""

from uuid import UUID

import pytest
import trio

from actors.ports import Roster
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Role
from tests.kit.chat import Chat

OWNER, ADMIN, MEMBER = Role.OWNER, Role.ADMIN, Role.MEMBER


async def roles(chat: Chat, conversation: UUID) -> dict[UUID, Role]:
    return {each.user_id: each.role for each in (await chat.load(conversation)).participants}


async def test_the_owner_makes_admins_and_members(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    group = await chat.group(ann, bob, eve)
    roster = await chat.groups.change_role(group, ann, bob, ADMIN)
    assert (roster.conversation.rev, roster.added, roster.removed, roster.deleted) == (1, (), (), False)
    assert await roles(chat, group) == {ann: OWNER, bob: ADMIN, eve: MEMBER}
    assert (await chat.groups.change_role(group, ann, bob, ADMIN)).conversation.rev == 1
    await chat.conversations.remove_member(group, bob, eve)
    await chat.groups.change_role(group, ann, bob, MEMBER)
    assert await roles(chat, group) == {ann: OWNER, bob: MEMBER}


async def test_ownership_is_handed_on_and_there_is_one_owner(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    group = await chat.group(ann, bob)
    await chat.groups.change_role(group, ann, bob, OWNER)
    assert await roles(chat, group) == {ann: ADMIN, bob: OWNER}
    assert (await chat.groups.change_role(group, bob, bob, OWNER)).conversation.rev == 1


async def test_of_two_who_hand_on_at_once_one_succeeds(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    group = await chat.group(ann, bob, eve)
    refused: list[ErrorCode] = []

    async def hand_on(to: UUID) -> None:
        try:
            await chat.groups.change_role(group, ann, to, OWNER)
        except ChatError as error:
            refused.append(error.code)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hand_on, bob)
        nursery.start_soon(hand_on, eve)
    assert refused == [ErrorCode.FORBIDDEN]
    assert sorted((await roles(chat, group)).values()) == [ADMIN, MEMBER, OWNER]


async def test_who_may_not_change_a_role_is_told_why(chat: Chat) -> None:
    ann, bob, eve, stranger = await chat.people(4)
    group = await chat.group(ann, bob, eve)
    await chat.groups.change_role(group, ann, bob, ADMIN)
    pair = await chat.direct(ann, bob)
    cases = [
        (group, bob, eve, ADMIN, ErrorCode.FORBIDDEN),
        (group, stranger, eve, ADMIN, ErrorCode.FORBIDDEN),
        (group, ann, stranger, ADMIN, ErrorCode.NOT_FOUND),
        (group, ann, ann, MEMBER, ErrorCode.CONFLICT),
        (pair, ann, bob, ADMIN, ErrorCode.CONFLICT),
        (chat.new_id(), ann, bob, ADMIN, ErrorCode.NOT_FOUND),
    ]
    for conversation, by, user, role, code in cases:
        with pytest.raises(ChatError) as refusal:
            await chat.groups.change_role(conversation, by, user, role)
        assert refusal.value.code is code
    assert (await chat.load(group)).rev == 1


async def test_a_deleted_group_is_gone_for_everybody(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    group, other = await chat.group(ann, bob), await chat.group(ann, bob)
    (said,) = await chat.say(group, ann, "one")
    roster = await chat.groups.delete(group, ann, administrator=False)
    assert isinstance(roster, Roster)
    assert roster.deleted
    assert set(roster.removed) == {ann, bob}
    assert roster.conversation.id == group
    assert await chat.conversations.load(group) is None
    assert await chat.history.find([said.id]) == []
    assert await chat.history.newest(group, before_seq=9, limit=9) == []
    assert await chat.standings.revs([group, other]) == {other: 0}
    assert await chat.users.conversation_ids(ann) == [other]
    (outcome,) = await chat.log.append([chat.message(group, ann, "two")])
    assert isinstance(outcome, ChatError)
    assert outcome.code is ErrorCode.NOT_FOUND
    with pytest.raises(ChatError) as refusal:
        await chat.groups.delete(group, ann, administrator=True)
    assert refusal.value.code is ErrorCode.NOT_FOUND


async def test_an_owner_or_an_administrator_deletes_a_group_and_nobody_else(chat: Chat) -> None:
    ann, bob, stranger = await chat.people(3)
    group, pair = await chat.group(ann, bob), await chat.direct(ann, bob)
    await chat.groups.change_role(group, ann, bob, ADMIN)
    cases = [
        (group, bob, False, ErrorCode.FORBIDDEN),
        (group, stranger, False, ErrorCode.FORBIDDEN),
        (pair, ann, False, ErrorCode.CONFLICT),
        (pair, stranger, False, ErrorCode.FORBIDDEN),
        (pair, stranger, True, ErrorCode.CONFLICT),
    ]
    for conversation, by, administrator, code in cases:
        with pytest.raises(ChatError) as refusal:
            await chat.groups.delete(conversation, by, administrator=administrator)
        assert refusal.value.code is code
    await chat.groups.delete(group, stranger, administrator=True)
    assert await chat.conversations.load(group) is None


async def test_with_its_last_member_a_group_goes(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    group = await chat.group(ann, bob)
    assert not (await chat.conversations.remove_member(group, ann, ann)).deleted
    roster = await chat.conversations.remove_member(group, bob, bob)
    assert (roster.deleted, roster.removed) == (True, (bob,))
    assert await chat.conversations.load(group) is None


async def test_what_was_said_in_deleted_groups_is_purged_a_part_at_a_time(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    kept = await chat.group(ann, bob)
    await chat.say(kept, ann, "stays")
    for count in (0, 5, 0, 0, 1):
        group = await chat.group(ann, bob)
        said = await chat.say(group, ann, *(["gone"] * count))
        for each in said:
            await chat.log.react(group, each.id, bob, "👍", present=True, max_distinct=9)
        await chat.groups.delete(group, ann, administrator=False)
    assert sorted([await chat.groups.purge(2) for _ in range(4)]) == [1, 1, 2, 2]
    assert await chat.groups.purge(2) == 0
    assert [each.text for each in await chat.history.oldest(kept, after_seq=0, limit=9)] == ["stays"]


async def test_a_group_is_never_over_its_size_however_many_add_at_once(chat: Chat) -> None:
    people = await chat.people(12)
    group = await chat.group(people[0], people[1])
    outcomes: list[ErrorCode | None] = []

    async def add(user: UUID) -> None:
        try:
            await chat.conversations.add_members(group, people[0], [user], max_members=5)
            outcomes.append(None)
        except ChatError as error:
            outcomes.append(error.code)

    async with trio.open_nursery() as nursery:
        for user in people[2:]:
            nursery.start_soon(add, user)
    assert sorted(outcomes, key=str) == [ErrorCode.CONFLICT] * 7 + [None] * 3
    assert len((await chat.load(group)).participants) == 5
