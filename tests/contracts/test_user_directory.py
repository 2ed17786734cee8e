"""The contract of `UserDirectory`."""

from uuid import UUID

import pytest
import trio

from actors.ports import ConversationCursor
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import User
from tests.kit.chat import Chat


async def search(chat: Chat, text: str, offset: int = 0, limit: int = 50) -> tuple[list[str], int]:
    found, total = await chat.users.search(text, offset=offset, limit=limit)
    return [each.name for each in found], total


async def test_a_user_is_added_once(chat: Chat) -> None:
    user_id = chat.new_id()
    user, new = await chat.users.add(user_id, "Ann@Example.com", "Ann")
    assert new
    assert (user.id, user.email, user.name, user.profile_picture_url) == (user_id, "Ann@Example.com", "Ann", None)
    assert await chat.users.add(user_id, "other@example.com", "Other") == (user, False)
    with pytest.raises(ChatError) as refusal:
        await chat.users.add(chat.new_id(), "ann@example.COM", "Imposter")
    assert refusal.value.code is ErrorCode.CONFLICT
    assert await chat.users.get([user_id, chat.new_id(), user_id]) == [user]
    assert await chat.users.get([]) == []


async def test_an_address_raced_for_goes_to_one(chat: Chat) -> None:
    outcomes: list[User | ErrorCode] = []

    async def add() -> None:
        try:
            outcomes.append((await chat.users.add(chat.new_id(), "one@example.com", "One"))[0])
        except ChatError as refusal:
            outcomes.append(refusal.code)

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(add)
    assert sum(isinstance(each, User) for each in outcomes) == 1
    assert outcomes.count(ErrorCode.CONFLICT) == 7


async def test_updates_change_keep_and_clear(chat: Chat) -> None:
    ann = await chat.user("Ann")
    changed = await chat.users.update(ann, name="Anna", profile_picture_url="http://p")
    assert (changed.name, changed.profile_picture_url) == ("Anna", "http://p")
    kept = await chat.users.update(ann, name=None, profile_picture_url=None)
    assert kept == changed
    cleared = await chat.users.update(ann, name=None, profile_picture_url="")
    assert (cleared.name, cleared.profile_picture_url) == ("Anna", None)
    assert await chat.users.get([ann]) == [cleared]
    with pytest.raises(ChatError) as refusal:
        await chat.users.update(chat.new_id(), name="X", profile_picture_url=None)
    assert refusal.value.code is ErrorCode.NOT_FOUND


async def test_search_finds_names_by_the_beginnings_of_words_best_first(chat: Chat) -> None:
    for name in ("Jan Kowalski", "Maria Jankowska", "Janina Nowak", "Peter Jansen", "Bob Stone"):
        await chat.user(name)
    names, total = await search(chat, "JAN")
    assert set(names) == {"Jan Kowalski", "Maria Jankowska", "Janina Nowak", "Peter Jansen"}
    assert total == 4
    assert names[0] == "Jan Kowalski"
    assert await search(chat, "  stone ") == (["Bob Stone"], 1)
    assert await search(chat, "b") == (["Bob Stone"], 1)
    assert await search(chat, "xyzzy") == ([], 0)


@pytest.mark.parametrize("typo", ["kowalsky", "kovalski", "kowlaski", "jan kowalsky"])
async def test_search_forgives_typos(chat: Chat, typo: str) -> None:
    for name in ("Jan Kowalski", "Bob Stone", "Maria Lopez"):
        await chat.user(name)
    names, _ = await search(chat, typo)
    assert names[0] == "Jan Kowalski"
    assert "Bob Stone" not in names


async def test_search_takes_wildcards_literally(chat: Chat) -> None:
    for name in ("100% Real", "Under_score", "Back\\slash", "Plain"):
        await chat.user(name)
    assert (await search(chat, "100%"))[0] == ["100% Real"]
    assert (await search(chat, "%"))[0] == []
    assert (await search(chat, "under_"))[0] == ["Under_score"]
    assert (await search(chat, "back\\"))[0] == ["Back\\slash"]
    with pytest.raises(ChatError) as refusal:
        await search(chat, "a\x00")
    assert refusal.value.code is ErrorCode.VALIDATION_ERROR


async def test_an_empty_search_pages_through_all_by_name(chat: Chat) -> None:
    for name in ("dora", "Bob", "alice", "Carl"):
        await chat.user(name)
    assert await search(chat, "") == (["alice", "Bob", "Carl", "dora"], 4)
    assert await search(chat, " ", offset=1, limit=2) == (["Bob", "Carl"], 4)
    assert await search(chat, "", offset=9) == ([], 4)
    assert await search(chat, "bob", offset=9) == ([], 1)


async def pages(chat: Chat, user_id: UUID, limit: int) -> list[UUID]:
    found: list[UUID] = []
    cursor: ConversationCursor | None = None
    while page := await chat.users.conversations(user_id, before=cursor, limit=limit):
        assert len(page) <= limit
        found += [conversation.id for conversation, _ in page]
        cursor = page[-1][1]
    return found


async def test_conversations_come_by_latest_activity_in_pages_without_gap_or_repeat(chat: Chat) -> None:
    ann, bob, stranger = await chat.people(3)
    rooms = [await chat.group(ann, bob) for _ in range(7)]
    await chat.group(bob)
    for room in (rooms[4], rooms[1]):
        await chat.say(room, bob, "hello")
    await chat.conversations.change_details(rooms[0], ann, name="No activity", avatar_url=None)
    expected = [rooms[1], rooms[4], rooms[6], rooms[5], rooms[3], rooms[2], rooms[0]]
    for limit in (1, 2, 3, 7, 50):
        assert await pages(chat, ann, limit) == expected
    assert await pages(chat, stranger, 5) == []
    assert set(await chat.users.conversation_ids(ann)) == set(rooms)
    assert await chat.users.conversation_ids(stranger) == []


async def test_a_listed_conversation_is_complete(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    room, pair = await chat.group(ann, bob, eve), await chat.direct(ann, bob)
    await chat.say(room, bob, "one", "two")
    listed = await chat.users.conversations(ann, before=None, limit=9)
    assert [conversation for conversation, _ in listed] == [await chat.load(room), await chat.load(pair)]


async def test_a_left_conversation_is_listed_no_more(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    await chat.conversations.remove_member(room, bob, bob)
    assert await pages(chat, bob, 5) == []


async def test_a_cursor_beyond_all_time_is_refused_or_empty(chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    past = ConversationCursor(-(10**15), room)
    assert await chat.users.conversations(ann, before=past, limit=5) == []
