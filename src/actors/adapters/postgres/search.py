"""Full-text search on PostgreSQL: a GIN index over each partition's tsvectors."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from actors.adapters.postgres.driver import Connection, Row
from actors.adapters.postgres.queries import Queries
from actors.adapters.postgres.rows import MESSAGE, message_of
from actors.search import SearchCursor, SearchHit
from chatcore.errors import invalid
from chatcore.excerpt import excerpt
from chatcore.validation import check_storable

# Marks of a match in a whole text. Private characters: HTML's would have to be told from what people write.
_START: Final = "\ue000"
_STOP: Final = "\ue001"
_MARKED: Final = re.compile(f"{_START}([^{_STOP}]*){_STOP}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_OPEN_END: Final = ('"', ")")

_QUERY: Final = """
SELECT CASE
    WHEN numnode(q) = 0 THEN NULL
    WHEN $2 THEN to_tsquery('simple', q::text || ':*')
    ELSE q
END::text FROM (SELECT websearch_to_tsquery('simple', translate($1, '<>', '  ')) AS q) given
"""
# Ranks are float4 on both sides of every comparison, so that a cursor is exact.
_SEARCH: Final = f"""
WITH candidate AS MATERIALIZED (
    SELECT m.conversation_id, m.seq, m.id, m.created_at, m.search FROM messages m
    WHERE m.conversation_id = ANY ($1::uuid[]) AND m.search @@ $2::text::tsquery
    ORDER BY m.created_at DESC, m.id DESC LIMIT $3
), ranked AS (
    SELECT c.conversation_id, c.seq, c.id, c.created_at, ts_rank(c.search, $2::text::tsquery, 1) AS rank
    FROM candidate c
), page AS MATERIALIZED (
    SELECT r.* FROM ranked r
    WHERE $4::float4 IS NULL OR (r.rank, r.created_at, r.id) < ($4::float4, $5::timestamptz, $6::uuid)
    ORDER BY r.rank DESC, r.created_at DESC, r.id DESC LIMIT $7
)
SELECT {MESSAGE}, page.rank AS rank, p.last_read_seq AS read_seq,
    ts_headline('simple', translate(m.body, '<>{_START}{_STOP}', '    '), $2::text::tsquery,
        'HighlightAll=true, StartSel={_START}, StopSel={_STOP}') AS marked
FROM page
JOIN messages m ON m.conversation_id = page.conversation_id AND m.seq = page.seq
    AND m.conversation_id = ANY ($1::uuid[])
JOIN users s ON s.id = m.sender_id
JOIN participants p ON p.conversation_id = page.conversation_id AND p.user_id = $8
ORDER BY page.rank DESC, page.created_at DESC, page.id DESC
"""
_CONVERSATIONS: Final = """
SELECT coalesce(array_agg(p.conversation_id), '{}') FROM participants p
WHERE p.user_id = $1 AND ($2::uuid IS NULL OR p.conversation_id = $2)
"""


class PostgresMessageSearch:
    """`MessageSearch` on PostgreSQL."""

    def __init__(self, database: Queries) -> None:
        self._database = database

    async def search(
        self,
        user_id: UUID,
        query: str,
        *,
        conversation_id: UUID | None,
        after: SearchCursor | None,
        limit: int,
        depth: int,
    ) -> list[SearchHit]:
        async def mine(connection: Connection) -> list[UUID]:
            return await connection.fetchval(_CONVERSATIONS, user_id, conversation_id)

        return await self._search(mine, user_id, query, after, limit, depth)

    async def search_among(
        self,
        conversation_ids: list[UUID],
        user_id: UUID,
        query: str,
        *,
        after: SearchCursor | None,
        limit: int,
        depth: int,
    ) -> list[SearchHit]:
        """As `search`, in these conversations, of which the user is known to be a member."""

        async def given(_: Connection) -> list[UUID]:
            return conversation_ids

        return await self._search(given, user_id, query, after, limit, depth)

    async def _search(
        self,
        find_conversations: Callable[[Connection], Awaitable[list[UUID]]],
        user_id: UUID,
        query: str,
        after: SearchCursor | None,
        limit: int,
        depth: int,
    ) -> list[SearchHit]:
        check_storable("q", query)
        text = query.lower()
        is_beginning = not (text[-1:].isspace() or text.endswith(_OPEN_END))
        bound = (None, None, None) if after is None else (after.rank, _time_of(after), after.message_id)

        async def run(connection: Connection) -> list[Row]:
            # A plan for these very words and conversations: for others it may be a hundred times dearer.
            await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
            words: str | None = await connection.fetchval(_QUERY, text, is_beginning)
            if words is None:
                return []
            conversations = await find_conversations(connection)
            return await connection.fetch(_SEARCH, conversations, words, depth, *bound, limit, user_id)

        return [_hit_of(row) for row in await self._database.transaction(run)]


def _hit_of(row: Row) -> SearchHit:
    message = message_of(row)
    cursor = SearchCursor(row["rank"], (message.created_at - _EPOCH) // _MICROSECOND, message.id)
    return SearchHit(message, excerpt(message.text, _matches(row["marked"])), row["read_seq"], cursor)


def _matches(marked: str) -> list[tuple[int, int]]:
    """Where the marked pieces are in the text without the marks."""
    return [
        (each.start() - 2 * before, each.end() - 2 * (before + 1))
        for before, each in enumerate(_MARKED.finditer(marked))
    ]


def _time_of(cursor: SearchCursor) -> datetime:
    try:
        return _EPOCH + cursor.created_us * _MICROSECOND
    except OverflowError:
        raise invalid("after", "is no cursor of this search") from None
