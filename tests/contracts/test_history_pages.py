"""The contract of `HistoryPages`; what a replica adds to it is in the integration tests."""

import random
from collections.abc import AsyncGenerator

import pytest

from actors.adapters.memory.pages import MemoryHistoryPages
from actors.adapters.postgres.routed import ReadRouter, RoutedHistoryPages
from actors.ports import HistoryPages
from tests.kit.chat import Chat, database_for_tests, memory_chat, postgres_chat, running


@pytest.fixture
async def paged(store_url: str | None) -> AsyncGenerator[tuple[Chat, HistoryPages]]:
    if store_url is None:
        chat = memory_chat()
        yield chat, MemoryHistoryPages(chat.history)
        return
    async with running(database_for_tests(store_url)) as database:
        yield postgres_chat(database), RoutedHistoryPages(database, ReadRouter(None, lag_limit=1.0))


async def test_pages_are_those_of_the_history(paged: tuple[Chat, HistoryPages]) -> None:
    chat, pages = paged
    ann, bob = await chat.people(2)
    group = await chat.group(ann, bob)
    posted = await chat.say(group, ann, *(f"text {number}" for number in range(7)))
    await chat.log.edit(group, random.Random(3).choice(posted).id, ann, "edited")
    rev = (await chat.standings.standing(group, bob)).rev
    for number in range(9):
        newest = await pages.newest(group, before_seq=number, limit=3, user_id=bob, seen_rev=rev)
        assert newest == await chat.history.newest(group, before_seq=number, limit=3)
        oldest = await pages.oldest(group, after_seq=number, limit=3, user_id=bob, seen_rev=rev)
        assert oldest == await chat.history.oldest(group, after_seq=number, limit=3)
        changed = await pages.changed(group, after_rev=number, limit=3, user_id=bob, seen_rev=rev)
        assert changed == await chat.history.changed(group, after_rev=number, limit=3)
