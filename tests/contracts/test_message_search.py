"""The contract of `MessageSearch`."""

import random
from uuid import UUID

import pytest

from actors.search import SearchCursor, SearchHit
from chatcore.errors import ChatError, ErrorCode
from tests.kit.chat import Chat, memory_chat

DEPTH = 10_000
WORDS = ("tea", "teapot", "milk", "sugar", "honey")
FORMS = ("{}", "{} ", '"{}"', "milk or {}", "sugar -{}")


async def search(chat: Chat, user_id: UUID, query: str, conversation_id: UUID | None = None) -> list[SearchHit]:
    return await chat.search.search(user_id, query, conversation_id=conversation_id, after=None, limit=100, depth=DEPTH)


async def texts(chat: Chat, user_id: UUID, query: str) -> list[str]:
    return sorted(hit.message.text for hit in await search(chat, user_id, query))


@pytest.fixture
async def said(chat: Chat) -> tuple[Chat, UUID]:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    for text in (
        "The quick brown fox",
        "A brown bear, quick to anger",
        "Foxes are quick",
        "Grüße aus Köln",
        "a List<Int> of them",
        "nothing of the kind",
    ):
        await chat.say(room, bob, text)
    return chat, ann


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fox", ["Foxes are quick", "The quick brown fox"]),
        ("fox ", ["The quick brown fox"]),
        ("FOX ", ["The quick brown fox"]),
        ("brown quick", ["A brown bear, quick to anger", "The quick brown fox"]),
        ('"quick brown"', ["The quick brown fox"]),
        ("brown -bear", ["The quick brown fox"]),
        ("bear or kind ", ["A brown bear, quick to anger", "nothing of the kind"]),
        ("grüße köl", ["Grüße aus Köln"]),
        ("List<int>", ["a List<Int> of them"]),
        ("int ", ["a List<Int> of them"]),
        ("nowhere", []),
        ("!?", []),
        ("", []),
        ("' | & :* \\", []),
    ],
)
async def test_words_phrases_alternatives_and_beginnings(said: tuple[Chat, UUID], query: str, found: list[str]) -> None:
    chat, ann = said
    assert await texts(chat, ann, query) == found


async def test_nobody_finds_what_is_said_where_he_is_no_member(chat: Chat) -> None:
    ann, bob, eve = await chat.people(3)
    room, other = await chat.group(ann, bob), await chat.group(bob, eve)
    await chat.say(room, ann, "the secret plan")
    await chat.say(other, eve, "another plan")
    assert await texts(chat, bob, "plan") == ["another plan", "the secret plan"]
    assert await texts(chat, eve, "plan") == ["another plan"]
    assert await search(chat, eve, "plan", room) == []
    assert [hit.message.text for hit in await search(chat, bob, "plan", room)] == ["the secret plan"]
    await chat.conversations.remove_member(room, ann, bob)
    assert await texts(chat, bob, "plan") == ["another plan"]


async def test_an_edit_is_found_by_its_new_words_and_a_tombstone_not_at_all(chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    first, second = await chat.say(room, ann, "old words", "other words")
    await chat.log.edit(room, first.id, ann, "new words")
    await chat.log.delete(room, second.id, ann, moderator=False)
    assert await texts(chat, ann, "words") == ["new words"]
    assert await texts(chat, ann, "old") == []


async def test_a_hit_is_the_message_as_it_is_with_the_place_of_the_match(chat: Chat) -> None:
    ann, bob = await chat.user("Ann"), await chat.user("Bob")
    room = await chat.group(ann, bob)
    (said,) = await chat.say(room, bob, "see <b>you</b> tomorrow")
    await chat.say(room, ann, "unrelated")
    await chat.users.update(bob, name="Robert", profile_picture_url=None)
    (hit,) = await search(chat, ann, "tomorrow")
    assert hit.message == (await chat.history.find([said.id]))[0]
    assert hit.message.sender_name == "Robert"
    assert hit.read_seq == 2
    assert [each.text for each in hit.excerpt if each.is_match] == ["tomorrow"]
    assert "".join(each.text for each in hit.excerpt) == "see <b>you</b> tomorrow"


async def test_what_looks_like_the_mark_of_a_match_is_none(chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    await chat.say(room, ann, "a \ue000planted\ue001 mark")
    (hit,) = await search(chat, ann, "mark")
    assert [each.text for each in hit.excerpt if each.is_match] == ["mark"]


async def test_more_matches_rank_above_and_the_newer_of_equals_first(chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    for text in ("tea one", "tea tea tea", "tea two"):
        await chat.say(room, ann, text)
    assert [hit.message.text for hit in await search(chat, ann, "tea")] == ["tea tea tea", "tea two", "tea one"]


@pytest.mark.parametrize("limit", [1, 3, 7, 50])
async def test_pages_have_no_gap_and_no_repeat(chat: Chat, limit: int) -> None:
    ann = await chat.user()
    rooms = [await chat.group(ann) for _ in range(3)]
    for number in range(20):
        await chat.say(rooms[number % 3], ann, "word " * (1 + number % 4) + f"n{number}")
    everything = await search(chat, ann, "word")
    found: list[SearchHit] = []
    after: SearchCursor | None = None
    while page := await chat.search.search(ann, "word", conversation_id=None, after=after, limit=limit, depth=DEPTH):
        assert len(page) <= limit
        found += page
        after = page[-1].cursor
    assert found == everything
    assert len({hit.message.id for hit in found}) == 20


async def test_of_many_matches_the_newest_are_ranked(chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    for text in ("tea tea tea", "tea one", "tea two"):
        await chat.say(room, ann, text)
    found = await chat.search.search(ann, "tea", conversation_id=None, after=None, limit=9, depth=2)
    assert [hit.message.text for hit in found] == ["tea two", "tea one"]


async def test_a_query_that_cannot_be_stored_is_refused(chat: Chat) -> None:
    ann = await chat.user()
    with pytest.raises(ChatError) as refusal:
        await search(chat, ann, "a\x00b")
    assert refusal.value.code is ErrorCode.VALIDATION_ERROR


async def test_twins_find_the_same(chat: Chat) -> None:
    rng, twin = random.Random(11), memory_chat()
    said = [" ".join(rng.choices(WORDS, k=rng.randint(1, 5))) for _ in range(40)]
    asked = [form.format(" ".join(rng.choices(WORDS, k=rng.randint(1, 3)))) for form in FORMS for _ in range(15)]
    found: list[list[list[str]]] = []
    for store in (chat, twin):
        ann = await store.user()
        room = await store.group(ann)
        await store.say(room, ann, *said)
        found.append([await texts(store, ann, query) for query in asked])
    assert found[0] == found[1]
    assert 30 < sum(map(bool, found[0])) < len(asked)
