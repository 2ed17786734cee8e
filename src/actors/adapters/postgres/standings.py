"""How users stand to conversations, on PostgreSQL."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from actors.adapters.postgres.database import Database
from actors.ports import Standing
from chatcore.errors import forbidden, not_found

_STANDING: Final = """
SELECT c.first_seq, c.last_seq, p.last_read_seq, c.rev
FROM conversations c LEFT JOIN participants p ON p.conversation_id = c.id AND p.user_id = $2 WHERE c.id = $1
"""

_REVS: Final = "SELECT id, rev FROM conversations WHERE id = ANY($1::uuid[])"
_MARKS_SUMS: Final = """
SELECT conversation_id, sum(last_read_seq + last_delivered_seq)::bigint AS total
FROM participants WHERE conversation_id = ANY($1::uuid[]) GROUP BY conversation_id
"""
_MEMBERS: Final = "SELECT user_id FROM participants WHERE conversation_id = $1"
_COMPANIONS: Final = """
SELECT DISTINCT other.user_id FROM participants mine JOIN participants other USING (conversation_id)
WHERE mine.user_id = $1 AND other.user_id = ANY($2::uuid[])
"""


class PostgresStandings:
    """`Standings` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def standing(self, conversation_id: UUID, user_id: UUID) -> Standing:
        row = await self._database.fetchrow(_STANDING, conversation_id, user_id)
        if row is None:
            raise not_found("Conversation")
        if row["last_read_seq"] is None:
            raise forbidden()
        return Standing(row["first_seq"], row["last_seq"], row["last_read_seq"], row["rev"])

    async def revs(self, conversation_ids: Collection[UUID]) -> dict[UUID, int]:
        rows = await self._database.fetch(_REVS, list(conversation_ids))
        return {row["id"]: row["rev"] for row in rows}

    async def members(self, conversation_id: UUID) -> frozenset[UUID]:
        return frozenset(row["user_id"] for row in await self._database.fetch(_MEMBERS, conversation_id))

    async def companions(self, user_id: UUID, of: Collection[UUID]) -> set[UUID]:
        return {row["user_id"] for row in await self._database.fetch(_COMPANIONS, user_id, list(of))}

    async def marks_sums(self, conversation_ids: Collection[UUID]) -> dict[UUID, int]:
        rows = await self._database.fetch(_MARKS_SUMS, list(conversation_ids))
        return {row["conversation_id"]: row["total"] for row in rows}
