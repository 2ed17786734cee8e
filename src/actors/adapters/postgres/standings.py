"""How users stand to conversations, on PostgreSQL."""

from typing import Final
from uuid import UUID

from actors.adapters.postgres.database import Database
from actors.ports import Standing
from chatcore.errors import forbidden, not_found

_STANDING: Final = """
SELECT c.first_seq, c.last_seq, p.last_read_seq
FROM conversations c LEFT JOIN participants p ON p.conversation_id = c.id AND p.user_id = $2 WHERE c.id = $1
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
        return Standing(row["first_seq"], row["last_seq"], row["last_read_seq"])
