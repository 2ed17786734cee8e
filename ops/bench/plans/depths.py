"""How dear a page is near the end of a list and deep down in it."""

import statistics
import time
from collections.abc import Awaitable, Callable, Iterator

from attrs import frozen

from actors.adapters.postgres.database import Database
from actors.adapters.postgres.history import PostgresMessageHistory
from actors.adapters.postgres.search import PostgresMessageSearch
from actors.adapters.postgres.users import PostgresUserDirectory
from actors.ports import ConversationCursor
from actors.search import SearchCursor
from ops.bench.plans.calls import PAGE
from ops.bench.plans.data import Data, user_id, word

DEEP_PAGE = 10_000


@frozen
class Depth:
    """Median milliseconds of a page, in turns."""

    what: str
    first: float
    deep: float

    @property
    def ratio(self) -> float:
        return self.deep / self.first


Page = Callable[[], Awaitable[object]]


async def depths(database: Database, data: Data, rounds: int) -> list[Depth]:
    history, users = PostgresMessageHistory(database), PostgresUserDirectory(database)
    search = PostgresMessageSearch(database)
    last, room = data.deep_seq, data.deep
    far = max(PAGE, last - PAGE * (DEEP_PAGE - 1))
    conversations = await _last_page_of_conversations(users)
    hits = await _deep_hit(search, data)

    def pairs() -> Iterator[tuple[str, Page, Page]]:
        yield (
            f"history, page 1 and page {(last - far) // PAGE + 1:,}",
            lambda: history.newest(room, before_seq=last + 1, limit=PAGE),
            lambda: history.newest(room, before_seq=far + 1, limit=PAGE),
        )
        yield (
            "changes since, the newest and from half the way on",
            lambda: history.changed(room, after_rev=last, limit=PAGE),
            lambda: history.changed(room, after_rev=last // 2, limit=PAGE),
        )
        yield (
            "conversations of one user, first and last page",
            lambda: users.conversations(user_id(0), before=None, limit=PAGE),
            lambda: users.conversations(user_id(0), before=conversations, limit=PAGE),
        )
        yield (
            "search, first and tenth page",
            lambda: _search(search, data, None),
            lambda: _search(search, data, hits),
        )

    return [await _measure(what, first, deep, rounds) for what, first, deep in pairs()]


async def _measure(what: str, first: Page, deep: Page, rounds: int) -> Depth:
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for times, page in zip(taken, (first, deep), strict=True):
            start = time.perf_counter()
            await page()
            times.append(1000 * (time.perf_counter() - start))
    return Depth(what, statistics.median(taken[0]), statistics.median(taken[1]))


async def _last_page_of_conversations(users: PostgresUserDirectory) -> ConversationCursor | None:
    """After which the last page comes."""
    cursors: list[ConversationCursor | None] = [None]
    while page := await users.conversations(user_id(0), before=cursors[-1], limit=PAGE):
        cursors.append(page[-1][1])
    return cursors[-2] if len(cursors) > 1 else None


async def _search(search: PostgresMessageSearch, data: Data, after: SearchCursor | None) -> list[SearchCursor]:
    found = await search.search(user_id(0), word(40), conversation_id=data.deep, after=after, limit=20, depth=10_000)
    return [each.cursor for each in found]


async def _deep_hit(search: PostgresMessageSearch, data: Data) -> SearchCursor | None:
    after: SearchCursor | None = None
    for _ in range(9):
        page = await _search(search, data, after)
        if not page:
            break
        after = page[-1]
    return after
