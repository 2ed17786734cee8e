"""Retention on PostgreSQL."""

from typing import Final
from uuid import UUID

from actors.adapters.postgres.database import Database
from actors.adapters.postgres.deleting import delete_oldest
from actors.adapters.postgres.driver import Connection
from actors.privacy.ports import Cut, Oldest

_SCAN: Final = """
SELECT page.id, extract(epoch FROM clock_timestamp() - m.created_at)::float8 AS age
FROM (SELECT c.id, c.first_seq FROM conversations c WHERE c.id > $1 ORDER BY c.id LIMIT $2) page
LEFT JOIN messages m ON m.conversation_id = page.id AND m.seq = page.first_seq
ORDER BY page.id
"""
_LOCK: Final = """
SELECT first_seq, rev, clock_timestamp() - $2::float8 * interval '1 second' AS before
FROM conversations WHERE id = $1 FOR NO KEY UPDATE
"""
_RAISE: Final = "UPDATE conversations SET first_seq = $2 + 1, cut_rev = $3, rev = rev + 1 WHERE id = $1 RETURNING rev"
_RAISE_MARKS: Final = """
UPDATE participants SET last_read_seq = $2, last_delivered_seq = greatest(last_delivered_seq, $2)
WHERE conversation_id = $1 AND last_read_seq < $2
"""


class PostgresRetention:
    """`RetentionStore` on PostgreSQL. A cut holds the conversation's row for one batch, so the batch is to be small."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def scan(self, after: UUID, *, limit: int) -> list[Oldest]:
        return [Oldest(row["id"], row["age"]) for row in await self._database.fetch(_SCAN, after, limit)]

    async def cut(self, conversation_id: UUID, *, older_than: float, limit: int) -> Cut:
        async def run(connection: Connection) -> Cut:
            row = await connection.fetchrow(_LOCK, conversation_id, older_than)
            if row is None:
                return Cut(0, 0)
            gone = await delete_oldest(
                connection, conversation_id, first_seq=row["first_seq"], limit=limit, before=row["before"]
            )
            if not gone.count:
                return Cut(0, row["rev"])
            rev: int = await connection.fetchval(_RAISE, conversation_id, gone.seq, gone.created_rev)
            await connection.execute(_RAISE_MARKS, conversation_id, gone.seq)
            return Cut(gone.count, rev)

        return await self._database.transaction(run)
