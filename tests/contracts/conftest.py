"""Each port's suite runs on the in-memory twin and on PostgreSQL."""

from collections.abc import AsyncGenerator

import pytest

from tests.kit.chat import Chat, database_for_tests, memory_chat, postgres_chat, running


@pytest.fixture(params=["memory", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str | None:
    """The database's URL, None for the twin."""
    return request.getfixturevalue("database_url") if request.param == "postgres" else None


@pytest.fixture
async def chat(store_url: str | None) -> AsyncGenerator[Chat]:
    """An empty store behind the four ports."""
    if store_url is None:
        yield memory_chat()
        return
    async with running(database_for_tests(store_url)) as database:
        yield postgres_chat(database)
