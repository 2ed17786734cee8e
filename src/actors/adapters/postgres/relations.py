"""Blocks, mutes and reports on PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from actors.adapters.postgres.database import Database
from actors.adapters.postgres.driver import Connection, Row
from actors.adapters.rules import check_blocked, check_blocks
from actors.relation_ports import Report
from chatcore.errors import ChatError, ErrorCode, forbidden, not_found
from chatcore.model import Message

LOCK_PAIR: Final = """
SELECT pg_advisory_xact_lock(hashtextextended(least($1::uuid, $2::uuid)::text || greatest($1::uuid, $2::uuid)::text, 0))
"""
"""Held by who blocks one of two users for the other, and by who opens their DIRECT conversation."""
_LOCK_BLOCKER: Final = "SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE"
_EXISTS: Final = "SELECT EXISTS (SELECT FROM users WHERE id = $1)"
_BLOCK: Final = "INSERT INTO blocks (blocker_id, blocked_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1"
_UNBLOCK: Final = "DELETE FROM blocks WHERE blocker_id = $1 AND blocked_id = $2 RETURNING 1"
_COUNT: Final = "SELECT count(*) FROM blocks WHERE blocker_id = $1"
_BLOCKED: Final = "SELECT blocked_id FROM blocks WHERE blocker_id = $1 ORDER BY created_at DESC, blocked_id"
_PAIR: Final = """
SELECT id FROM conversations WHERE direct_low = least($1::uuid, $2::uuid) AND direct_high = greatest($1::uuid, $2::uuid)
FOR NO KEY UPDATE
"""
_SILENCE: Final = """
WITH changed AS (
    UPDATE participants SET silenced = $3 WHERE conversation_id = $1 AND user_id = $2 AND silenced <> $3
    RETURNING conversation_id
)
UPDATE conversations c SET rev = c.rev + 1, updated_at = greatest(c.updated_at, clock_timestamp())
FROM changed WHERE c.id = changed.conversation_id RETURNING c.id
"""
_MUTE: Final = """
WITH found AS (
    SELECT c.id, p.user_id FROM conversations c
    LEFT JOIN participants p ON p.conversation_id = c.id AND p.user_id = $2 WHERE c.id = $1
), muted AS (
    INSERT INTO mutes (conversation_id, user_id, until) SELECT id, user_id, $3 FROM found
    WHERE user_id IS NOT NULL AND $3::timestamptz IS NOT NULL
    ON CONFLICT (conversation_id, user_id) DO UPDATE SET until = excluded.until
), unmuted AS (
    DELETE FROM mutes m USING found WHERE m.conversation_id = found.id AND m.user_id = found.user_id
        AND $3::timestamptz IS NULL
)
SELECT user_id FROM found
"""
REPORT: Final = "id, message_id, conversation_id, sender_id, body, reporter_id, reason, created_at"
"""Columns of `reports` for `report_of`."""
_REPORT: Final = f"""
INSERT INTO reports (id, message_id, conversation_id, sender_id, body, reporter_id, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING {REPORT}
"""
_REPORTED: Final = f"SELECT {REPORT} FROM reports WHERE reporter_id = $1 AND message_id = $2"
_REPORTS: Final = f"""
SELECT {REPORT} FROM reports WHERE id < coalesce($1::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
ORDER BY id DESC LIMIT $2
"""


class PostgresRelations:
    """`Relations` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def block(self, blocker_id: UUID, blocked_id: UUID, *, max_blocks: int) -> UUID | None:
        check_blocked(blocker_id, blocked_id)

        async def run(connection: Connection) -> UUID | None:
            if await connection.fetchrow(_LOCK_BLOCKER, blocker_id) is None:
                raise not_found("User")
            if not await connection.fetchval(_EXISTS, blocked_id):
                raise not_found("User")
            await connection.execute(LOCK_PAIR, blocker_id, blocked_id)
            if await connection.fetchval(_BLOCK, blocker_id, blocked_id) is None:
                return None
            check_blocks(await connection.fetchval(_COUNT, blocker_id), max_blocks)
            return await _silence(connection, blocker_id, blocked_id, silenced=True)

        return await self._database.transaction(run)

    async def unblock(self, blocker_id: UUID, blocked_id: UUID) -> UUID | None:
        async def run(connection: Connection) -> UUID | None:
            await connection.execute(LOCK_PAIR, blocker_id, blocked_id)
            if await connection.fetchval(_UNBLOCK, blocker_id, blocked_id) is None:
                return None
            return await _silence(connection, blocker_id, blocked_id, silenced=False)

        return await self._database.transaction(run)

    async def blocked_by(self, blocker_id: UUID) -> Sequence[UUID]:
        return [row["blocked_id"] for row in await self._database.fetch(_BLOCKED, blocker_id)]

    async def mute(self, conversation_id: UUID, user_id: UUID, until: datetime | None) -> None:
        row = await self._database.fetchrow(_MUTE, conversation_id, user_id, until)
        if row is None:
            raise not_found("Conversation")
        if row["user_id"] is None:
            raise forbidden()

    async def report(self, report_id: UUID, message: Message, reporter_id: UUID, reason: str) -> tuple[Report, bool]:
        async def run(connection: Connection) -> tuple[Report, bool]:
            row = await connection.fetchrow(
                _REPORT,
                report_id,
                message.id,
                message.conversation_id,
                message.sender_id,
                message.text,
                reporter_id,
                reason,
            )
            if row is not None:
                return report_of(row), True
            row = await connection.fetchrow(_REPORTED, reporter_id, message.id)
            if row is None:
                raise ChatError(ErrorCode.CONFLICT, "Another report has this id")
            return report_of(row), False

        return await self._database.transaction(run)

    async def reports(self, *, before: UUID | None, limit: int) -> Sequence[Report]:
        return [report_of(row) for row in await self._database.fetch(_REPORTS, before, limit)]


async def _silence(connection: Connection, blocker_id: UUID, blocked_id: UUID, *, silenced: bool) -> UUID | None:
    """In the DIRECT conversation of the two, if there is one; None if nothing changed."""
    conversation_id = await connection.fetchval(_PAIR, blocker_id, blocked_id)
    if conversation_id is None:
        return None
    return await connection.fetchval(_SILENCE, conversation_id, blocked_id, silenced)


def report_of(row: Row) -> Report:
    return Report(
        id=row["id"],
        message_id=row["message_id"],
        conversation_id=row["conversation_id"],
        sender_id=row["sender_id"],
        text=row["body"],
        reporter_id=row["reporter_id"],
        reason=row["reason"],
        created_at=row["created_at"],
    )
