"""Erasure of accounts on PostgreSQL."""

from typing import Final
from uuid import UUID

from actors.adapters.postgres.database import Database
from actors.adapters.postgres.driver import Connection, Row
from actors.adapters.postgres.export import NOTE
from actors.privacy.ports import DELETED_NAME, AuditEntry, ErasureJob, Tombstoned, erased_email
from chatcore.errors import not_found
from chatcore.model import ConversationType

SCAN: Final = 5000
"""Messages of a conversation that are looked through at a time."""

_LOCK_USER: Final = "SELECT erased_at FROM users WHERE id = $1 FOR NO KEY UPDATE"
_ANONYMISE: Final = """
UPDATE users SET name = $2, email = $3, profile_picture_url = NULL, erased_at = clock_timestamp() WHERE id = $1
"""
_FORGET: Final = (
    # Codes and refresh tokens go with the account.
    "DELETE FROM identity_accounts WHERE user_id = $1",
    "DELETE FROM blocks WHERE blocker_id = $1",
    "DELETE FROM blocks WHERE blocked_id = $1",
    "DELETE FROM mutes WHERE user_id = $1",
    "DELETE FROM devices WHERE user_id = $1",
    "DELETE FROM push_outbox WHERE user_id = $1",
    "UPDATE attachments SET discarded_at = clock_timestamp()"
    " WHERE owner_id = $1 AND message_id IS NULL AND discarded_at IS NULL",
)
_REQUEST: Final = "INSERT INTO erasures (user_id, tombstone) VALUES ($1, $2)"
_ERASED: Final = "SELECT user_id FROM erasures ORDER BY requested_at"
_ERASED_WITHIN: Final = """
SELECT user_id FROM erasures WHERE requested_at > clock_timestamp() - $1::float8 * interval '1 second'
"""
_NEXT: Final = """
UPDATE erasures e SET holder = $1, held_until = clock_timestamp() + $2::float8 * interval '1 second'
WHERE e.user_id = (
    SELECT o.user_id FROM erasures o
    WHERE o.finished_at IS NULL AND (o.holder IS NULL OR o.held_until < clock_timestamp())
    ORDER BY o.requested_at LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING e.user_id, e.tombstone, e.stage, e.conversation_id, e.seq
"""
_SAVE: Final = """
UPDATE erasures SET stage = $3, conversation_id = $4, seq = $5,
    held_until = clock_timestamp() + $6::float8 * interval '1 second'
WHERE user_id = $1 AND holder = $2 AND finished_at IS NULL RETURNING 1
"""
_FINISH: Final = """
UPDATE erasures SET finished_at = clock_timestamp(), holder = NULL, held_until = NULL
WHERE user_id = $1 AND holder = $2 AND finished_at IS NULL RETURNING 1
"""
_FORGET_FORMER: Final = "DELETE FROM former_participants WHERE user_id = $1"
_WAITING: Final = "SELECT count(*) FROM erasures WHERE finished_at IS NULL"
_MEMBERSHIPS: Final = """
SELECT c.id, c.type FROM participants p JOIN conversations c ON c.id = p.conversation_id
WHERE p.user_id = $1 AND p.conversation_id > $2 ORDER BY p.conversation_id LIMIT $3
"""
_SPOKEN_IN: Final = """
SELECT conversation_id FROM (
    (SELECT p.conversation_id FROM participants p WHERE p.user_id = $1 AND p.conversation_id > $2
        ORDER BY p.conversation_id LIMIT $3)
    UNION
    (SELECT f.conversation_id FROM former_participants f WHERE f.user_id = $1 AND f.conversation_id > $2
        ORDER BY f.conversation_id LIMIT $3)
) spoken ORDER BY conversation_id LIMIT $3
"""
_LOCK: Final = "SELECT rev, first_seq, last_seq FROM conversations WHERE id = $1 FOR NO KEY UPDATE"
_SEAL: Final = """
WITH sealed AS (
    UPDATE participants SET silenced = (user_id = $2)
    WHERE conversation_id = $1 AND silenced <> (user_id = $2) RETURNING 1
)
UPDATE conversations SET rev = rev + 1, updated_at = greatest(updated_at, clock_timestamp())
WHERE id = $1 AND EXISTS (SELECT FROM sealed) RETURNING rev
"""
_BOUNDS: Final = "SELECT rev, greatest($2, first_seq - 1) AS bottom, last_seq FROM conversations WHERE id = $1"
_WRITTEN: Final = """
SELECT m.seq FROM messages m
WHERE m.conversation_id = $1 AND m.seq > $3 AND m.seq <= $3 + $4::bigint
    AND m.sender_id = $2 AND m.deleted_at IS NULL ORDER BY m.seq LIMIT $5
"""
_TOMBSTONE: Final = """
WITH mine AS MATERIALIZED (
    SELECT m.seq, m.attachment_ids, row_number() OVER (ORDER BY m.seq) AS nth
    FROM messages m WHERE m.conversation_id = $1 AND m.seq = ANY ($2::bigint[]) AND m.deleted_at IS NULL
), raised AS (
    UPDATE conversations c
    SET rev = c.rev + found.n, updated_at = greatest(c.updated_at, clock_timestamp())
    FROM (SELECT count(*) AS n FROM mine) found WHERE c.id = $1 AND found.n > 0
    RETURNING c.rev, c.rev - found.n AS before
), discarded AS (
    UPDATE attachments a SET discarded_at = coalesce(a.discarded_at, clock_timestamp())
    FROM (SELECT unnest(mine.attachment_ids) AS id FROM mine) b WHERE a.id = b.id
), unreacted AS (
    DELETE FROM reactions r USING mine WHERE r.conversation_id = $1 AND r.seq = mine.seq
), buried AS (
    UPDATE messages m SET rev = raised.before + mine.nth, body = '', attachment_ids = NULL,
        deleted_at = greatest(clock_timestamp(), m.created_at)
    FROM mine, raised WHERE m.conversation_id = $1 AND m.seq = mine.seq
)
SELECT (SELECT count(*) FROM mine) AS count, (SELECT rev FROM raised) AS rev
"""


class PostgresErasures:
    """`ErasureStore` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, user_id: UUID, *, tombstone: bool, entry: AuditEntry) -> bool:
        async def run(connection: Connection) -> bool:
            row = await connection.fetchrow(_LOCK_USER, user_id)
            if row is None:
                raise not_found("The user")
            if row["erased_at"] is not None:
                return False
            await connection.execute(_ANONYMISE, user_id, DELETED_NAME, erased_email(user_id))
            for statement in _FORGET:
                await connection.execute(statement, user_id)
            await connection.execute(_REQUEST, user_id, tombstone)
            await connection.execute(NOTE, *_columns(entry))
            return True

        return await self._database.transaction(run)

    async def erased(self, *, within: float | None) -> list[UUID]:
        fetch = self._database.fetch
        rows = await (fetch(_ERASED) if within is None else fetch(_ERASED_WITHIN, within))
        return [row["user_id"] for row in rows]

    async def next_job(self, holder: UUID, *, lease: float) -> ErasureJob | None:
        row = await self._database.fetchrow(_NEXT, holder, lease)
        return None if row is None else _job_of(row)

    async def save(self, job: ErasureJob, holder: UUID, *, lease: float) -> bool:
        stage = "leaving" if job.leaving else "tombstoning"
        place = (stage, job.conversation_id, job.seq)
        return await self._database.fetchrow(_SAVE, job.user_id, holder, *place, lease) is not None

    async def finish(self, job: ErasureJob, holder: UUID, entry: AuditEntry) -> None:
        async def run(connection: Connection) -> None:
            if await connection.fetchval(_FINISH, job.user_id, holder) is not None:
                await connection.execute(_FORGET_FORMER, job.user_id)
                await connection.execute(NOTE, *_columns(entry))

        await self._database.transaction(run)

    async def waiting(self) -> int:
        return await self._database.fetchval(_WAITING)

    async def memberships(self, user_id: UUID, after: UUID, *, limit: int) -> list[tuple[UUID, ConversationType]]:
        rows = await self._database.fetch(_MEMBERSHIPS, user_id, after, limit)
        return [(row["id"], ConversationType(row["type"])) for row in rows]

    async def seal(self, conversation_id: UUID, user_id: UUID) -> int | None:
        async def run(connection: Connection) -> int | None:
            await connection.fetchrow(_LOCK, conversation_id)
            return await connection.fetchval(_SEAL, conversation_id, user_id)

        return await self._database.transaction(run)

    async def spoken_in(self, user_id: UUID, after: UUID, *, limit: int) -> list[UUID]:
        rows = await self._database.fetch(_SPOKEN_IN, user_id, after, limit)
        return [row["conversation_id"] for row in rows]

    async def tombstone(self, conversation_id: UUID, user_id: UUID, after_seq: int, *, limit: int) -> Tombstoned:
        # Looked for without the lock: most of what is looked through is somebody else's.
        bounds = await self._database.fetchrow(_BOUNDS, conversation_id, after_seq)
        if bounds is None:
            return Tombstoned(0, 0, None)
        bottom, last_seq = bounds["bottom"], bounds["last_seq"]
        rows = await self._database.fetch(_WRITTEN, conversation_id, user_id, bottom, SCAN, limit)
        found: list[int] = [row["seq"] for row in rows]
        reached = found[-1] if len(found) == limit else bottom + SCAN
        next_seq = reached if reached < last_seq else None
        if not found:
            return Tombstoned(0, bounds["rev"], next_seq)

        async def run(connection: Connection) -> Tombstoned:
            locked = await connection.fetchrow(_LOCK, conversation_id)
            row = await connection.fetchrow(_TOMBSTONE, conversation_id, found)
            if locked is None or row is None:
                return Tombstoned(0, 0, None)
            return Tombstoned(row["count"], row["rev"] or locked["rev"], next_seq)

        return await self._database.transaction(run)


def _columns(entry: AuditEntry) -> tuple[object, ...]:
    return (entry.id, entry.user_id, entry.action, entry.address, entry.request_id)


def _job_of(row: Row) -> ErasureJob:
    return ErasureJob(row["user_id"], row["tombstone"], row["stage"] == "leaving", row["conversation_id"], row["seq"])
