"""Roles in groups, and their end, on PostgreSQL."""

from typing import Final
from uuid import UUID

from actors.adapters.postgres.changing import change_under_lock, end, raised
from actors.adapters.postgres.database import Database
from actors.adapters.postgres.deleting import delete_oldest
from actors.adapters.postgres.driver import Connection
from actors.adapters.rules import check_end, check_role
from actors.ports import Roster
from chatcore.model import Conversation, Participant, Role

_SET_ROLE: Final = "UPDATE participants SET role = $3 WHERE conversation_id = $1 AND user_id = $2"
_NEXT_DELETED: Final = "SELECT id FROM deleted_conversations ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
_PURGED: Final = """
WITH forgotten AS (DELETE FROM former_participants WHERE conversation_id = $1)
DELETE FROM deleted_conversations WHERE id = $1
"""

_MOST_EMPTY: Final = 1000
"""Deleted conversations without messages that one purge passes by; more wait for the next look."""


class PostgresGroupStore:
    """`GroupStore` on PostgreSQL. Several nodes may purge at once: each takes a conversation that no other has."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change_role(self, conversation_id: UUID, by: UUID, user_id: UUID, role: Role) -> Roster:
        async def run(connection: Connection, now: Conversation, members: dict[UUID, Participant]) -> Roster:
            changed = check_role(now.type, members.get(by), members.get(user_id), role)
            if changed.role is role:
                return Roster(now)
            if role is Role.OWNER:
                await connection.execute(_SET_ROLE, conversation_id, by, Role.ADMIN)
            await connection.execute(_SET_ROLE, conversation_id, user_id, role)
            return Roster(await raised(connection, conversation_id))

        return await change_under_lock(self._database, conversation_id, run)

    async def delete(self, conversation_id: UUID, by: UUID, *, administrator: bool) -> Roster:
        async def run(connection: Connection, now: Conversation, members: dict[UUID, Participant]) -> Roster:
            check_end(now.type, members.get(by), administrator=administrator)
            await end(connection, conversation_id)
            return Roster(now, removed=tuple(members), deleted=True)

        return await change_under_lock(self._database, conversation_id, run)

    async def purge(self, limit: int) -> int:
        async def run(connection: Connection) -> int:
            # Those without messages go at once: the next may have some.
            for _ in range(_MOST_EMPTY):
                conversation_id = await connection.fetchval(_NEXT_DELETED)
                if conversation_id is None:
                    return 0
                purged = await delete_oldest(connection, conversation_id, first_seq=0, limit=limit, before=None)
                if purged.count < limit:
                    await connection.execute(_PURGED, conversation_id)
                if purged.count:
                    return purged.count
            return 0

        return await self._database.transaction(run)
