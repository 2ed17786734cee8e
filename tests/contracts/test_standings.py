"""The contract of `Standings`."""

import pytest

from actors.ports import Standing
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Mark
from tests.kit.chat import Chat


async def test_a_member_stands_where_his_read_mark_is(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    group = await chat.group(ann, bob)
    assert await chat.standings.standing(group, bob) == Standing(1, 0, 0, 0)
    await chat.say(group, ann, "one", "two", "three")
    assert await chat.standings.standing(group, ann) == Standing(1, 3, 3, 3)
    await chat.conversations.save_marks(group, [Mark(bob, 2, 2)])
    assert await chat.standings.standing(group, bob) == Standing(1, 3, 2, 3)


async def test_strangers_and_unknown_conversations_are_told_apart(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    group = await chat.group(ann, bob)
    with pytest.raises(ChatError) as refused:
        await chat.standings.standing(group, eve)
    assert refused.value.code is ErrorCode.FORBIDDEN
    await chat.conversations.remove_member(group, ann, bob)
    with pytest.raises(ChatError) as refused:
        await chat.standings.standing(group, bob)
    assert refused.value.code is ErrorCode.FORBIDDEN
    with pytest.raises(ChatError) as refused:
        await chat.standings.standing(chat.new_id(), ann)
    assert refused.value.code is ErrorCode.NOT_FOUND


async def test_the_sweep_reads_the_rev_of_those_that_exist(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    one, other = await chat.group(ann, bob), await chat.group(ann, bob)
    await chat.say(one, ann, "one", "two")
    await chat.conversations.change_details(one, ann, name="New", avatar_url=None)
    expected = {each: (await chat.load(each)).rev for each in (one, other)}
    assert expected[one] == 3
    assert await chat.standings.revs([one, chat.new_id(), other]) == expected
    assert await chat.standings.revs([]) == {}


async def test_the_sum_of_marks_rises_with_each_of_them(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    group = await chat.group(ann, bob)
    assert await chat.standings.marks_sums([group, chat.new_id()]) == {group: 0}
    await chat.say(group, ann, "one", "two", "three")
    assert await chat.standings.marks_sums([group]) == {group: 6}
    await chat.conversations.save_marks(group, [Mark(bob, 1, 2)])
    assert await chat.standings.marks_sums([group]) == {group: 9}


async def test_companions_are_those_with_whom_a_conversation_is_shared_now(chat: Chat) -> None:
    ann, bob, eve, carl = await chat.people(4)
    group = await chat.group(ann, bob)
    await chat.group(bob, eve)
    everybody = [ann, bob, eve, carl, chat.new_id()]
    assert await chat.standings.companions(ann, everybody) == {ann, bob}
    assert await chat.standings.companions(bob, everybody) == {ann, bob, eve}
    assert await chat.standings.companions(carl, everybody) == set()
    assert await chat.standings.companions(ann, [eve]) == await chat.standings.companions(ann, []) == set()
    await chat.conversations.remove_member(group, ann, bob)
    assert await chat.standings.companions(ann, everybody) == {ann}


async def test_members_are_those_of_now(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    group = await chat.group(ann, bob)
    await chat.group(ann, eve)
    assert await chat.standings.members(group) == {ann, bob}
    await chat.conversations.remove_member(group, ann, bob)
    assert await chat.standings.members(group) == {ann}
    await chat.conversations.remove_member(group, ann, ann)
    assert await chat.standings.members(group) == await chat.standings.members(chat.new_id()) == frozenset()
