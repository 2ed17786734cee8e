"""Profiles, blocks and memberships from copies: quick, and outdated by each change."""

from collections.abc import Sequence
from uuid import UUID

import pytest
import trio
import trio.testing

from actors.adapters.memory import MemoryChat
from actors.caching.cache import Cache, CachePolicy
from actors.caching.members import Members
from actors.caching.relations import CachedRelations
from actors.caching.users import CachedUserDirectory
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import User
from tests.kit.chat import Chat, chat_over, memory_chat

POLICY = CachePolicy(size=100, age=60.0, age_unsure=1.0)


class Node:
    """The copies of one node over a store that it shares; `told` is what it tells the others."""

    def __init__(self, chat: Chat) -> None:
        self.told: list[UUID] = []
        self.profiles = Cache[UUID, User]("users", POLICY)
        self.blocks = Cache[UUID, Sequence[UUID]]("blocks", POLICY)
        self.lists = Cache[UUID, frozenset[UUID]]("members", CachePolicy(100, 1.0, 1.0), weigh=len)
        self.users = CachedUserDirectory(chat.users, self.profiles, changed=self.told.append)
        self.relations = CachedRelations(chat.relations, self.blocks, changed=self.told.append)
        self.members = Members(chat.standings, self.lists)

    async def name(self, user_id: UUID) -> str:
        (user,) = await self.users.get([user_id])
        return user.name

    async def refusal(self, conversation_id: UUID, user_id: UUID) -> ErrorCode | None:
        try:
            await self.members.check(conversation_id, user_id)
        except ChatError as error:
            return error.code
        return None


async def test_a_new_name_is_seen_here_at_once_and_elsewhere_when_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    chat = memory_chat()
    here, there = Node(chat), Node(chat)
    ann = await chat.user("Ann")
    assert [await here.name(ann), await there.name(ann)] == ["Ann", "Ann"]
    await here.users.update(ann, name="Anna", profile_picture_url=None)
    assert [await here.name(ann), await there.name(ann)] == ["Anna", "Ann"]
    assert here.told == [ann]
    there.profiles.invalidate(here.told)
    assert await there.name(ann) == "Anna"


async def test_who_signed_up_a_moment_ago_is_found(autojump_clock: trio.testing.MockClock) -> None:
    chat = memory_chat()
    node, ann = Node(chat), UUID(int=1)
    assert await node.users.get([ann]) == []
    await node.users.add(ann, "ann@example.com", "Ann")
    assert await node.name(ann) == "Ann"
    assert len(await node.users.get([ann, await chat.user()])) == 2


async def test_an_update_of_unknown_outcome_outdates_the_copy(autojump_clock: trio.testing.MockClock) -> None:
    twin = MemoryChat()
    chat = chat_over(twin)
    node, ann = Node(chat), await chat.user("Ann")
    await node.name(ann)
    twin.state.faults.fail_next(method="update", after_commit=True)
    with pytest.raises(ChatError):
        await node.users.update(ann, name="Anna", profile_picture_url=None)
    assert node.told == [ann]
    assert await node.name(ann) == "Anna"


async def test_blocks_are_listed_as_they_are_after_each_change(autojump_clock: trio.testing.MockClock) -> None:
    chat = memory_chat()
    here, there = Node(chat), Node(chat)
    ann, bob, eve = await chat.people(3)
    assert list(await here.relations.blocked_by(ann)) == list(await there.relations.blocked_by(ann)) == []
    await here.relations.block(ann, bob, max_blocks=10)
    await here.relations.block(ann, eve, max_blocks=10)
    assert list(await here.relations.blocked_by(ann)) == [eve, bob]
    assert list(await there.relations.blocked_by(ann)) == []
    there.blocks.invalidate(here.told)
    assert list(await there.relations.blocked_by(ann)) == [eve, bob]
    await here.relations.unblock(ann, eve)
    assert list(await here.relations.blocked_by(ann)) == [bob]
    assert here.told == [ann] * 3


async def test_an_empty_list_of_blocks_is_kept_too(autojump_clock: trio.testing.MockClock) -> None:
    chat = memory_chat()
    node, ann = Node(chat), await chat.user()
    await node.relations.blocked_by(ann)
    await node.relations.blocked_by(ann)
    assert node.blocks.figures.hits == 1


async def test_many_members_are_checked_by_one_look(autojump_clock: trio.testing.MockClock) -> None:
    chat = memory_chat()
    node, people = Node(chat), await chat.people(30)
    group = await chat.group(*people)
    async with trio.open_nursery() as nursery:
        for each in people:
            nursery.start_soon(node.members.check, group, each)
    assert node.lists.figures.misses == 1
    assert node.lists.figures.weight == 30


async def test_strangers_and_unknown_conversations_are_refused(autojump_clock: trio.testing.MockClock) -> None:
    chat = memory_chat()
    node, (ann, eve) = Node(chat), await chat.people(2)
    group = await chat.group(ann)
    assert await node.refusal(group, ann) is None
    assert await node.refusal(group, eve) is ErrorCode.FORBIDDEN
    assert await node.refusal(UUID(int=5), ann) is ErrorCode.NOT_FOUND


async def test_a_new_member_is_let_in_by_a_node_that_was_not_told(autojump_clock: trio.testing.MockClock) -> None:
    chat = memory_chat()
    node, (ann, bob) = Node(chat), await chat.people(2)
    group = await chat.group(ann)
    assert await node.refusal(group, ann) is None
    await chat.conversations.add_members(group, ann, [bob], max_members=10)
    assert await node.refusal(group, bob) is None


async def test_who_was_removed_is_cut_off_within_a_second_by_a_node_that_was_not_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    chat = memory_chat()
    node, (ann, bob) = Node(chat), await chat.people(2)
    group = await chat.group(ann, bob)
    assert await node.refusal(group, bob) is None
    await chat.conversations.remove_member(group, ann, bob)
    assert await node.refusal(group, bob) is None
    await trio.sleep(1.0)
    assert await node.refusal(group, bob) is ErrorCode.FORBIDDEN


async def test_who_was_removed_is_cut_off_at_once_by_a_node_that_was_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    chat = memory_chat()
    node, (ann, bob) = Node(chat), await chat.people(2)
    group = await chat.group(ann, bob)
    assert await node.refusal(group, bob) is None
    await chat.conversations.remove_member(group, ann, bob)
    node.lists.invalidate([group])
    assert await node.refusal(group, bob) is ErrorCode.FORBIDDEN
