"""The contract of `FeatureStore`."""

from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest
import trio

from actors.adapters.memory.features import MemoryFeatureStore
from actors.adapters.postgres.features import PostgresFeatureStore
from actors.features.ports import FeatureStore
from chatcore.errors import ChatError, ErrorCode
from chatcore.features import Feature
from tests.kit.chat import database_for_tests, running

ADMIN = uuid4()


@pytest.fixture
async def store(store_url: str | None) -> AsyncGenerator[FeatureStore]:
    if store_url is None:
        yield MemoryFeatureStore()
        return
    async with running(database_for_tests(store_url, pool_size=4)) as database:
        yield PostgresFeatureStore(database)


async def test_what_was_put_is_there_by_name(store: FeatureStore) -> None:
    assert await store.all() == []
    one = Feature("b", False, {uuid4(), uuid4()}, 12.34)
    other = Feature("a", True)
    for each in (one, other):
        await store.put(each, ADMIN, limit=9)
    assert await store.all() == [other, one]
    changed = Feature("b", False, (), 100)
    await store.put(changed, ADMIN, limit=9)
    assert await store.all() == [other, changed]


async def test_what_was_deleted_is_gone(store: FeatureStore) -> None:
    await store.put(Feature("a", True), ADMIN, limit=9)
    assert await store.delete("a")
    assert not await store.delete("a")
    assert await store.all() == []


async def test_there_are_no_more_than_the_limit_under_a_race_too(store: FeatureStore) -> None:
    outcomes: list[ErrorCode | None] = []

    async def put(name: str) -> None:
        try:
            await store.put(Feature(name, True), ADMIN, limit=3)
            outcomes.append(None)
        except ChatError as refusal:
            outcomes.append(refusal.code)

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(put, str(number))
    assert outcomes.count(None) == len(await store.all()) == 3
    assert outcomes.count(ErrorCode.CONFLICT) == 5
    known = (await store.all())[0]
    await store.put(Feature(known.name, False), ADMIN, limit=3)
    assert Feature(known.name, False) in await store.all()
