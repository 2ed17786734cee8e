"""Devices and the outbox of pushes on PostgreSQL."""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from actors.adapters.postgres.database import Database
from actors.adapters.postgres.driver import Connection, Row
from actors.push.ports import Device, Found, Fresh, Job, Push, Waiting, Wanted, too_many_devices
from chatcore.errors import not_found

COUNTED: Final = 100
"""Messages of a conversation, from the newest, among which those to be told of are counted."""
_TEXT: Final = 200
"""Characters of a message that a push shows."""

_LOCK_USER: Final = "SELECT 1 FROM users WHERE id = $1 AND erased_at IS NULL FOR NO KEY UPDATE"
_OTHERS: Final = "SELECT count(*) FROM devices WHERE user_id = $1 AND device_id <> $2"
_TAKE_FROM_OTHERS: Final = """
DELETE FROM devices WHERE platform = $3 AND push_token = $4 AND (user_id, device_id) <> ($1, $2)
"""
_PUT: Final = """
INSERT INTO devices (user_id, device_id, platform, push_token) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id, device_id) DO UPDATE
SET platform = excluded.platform, push_token = excluded.push_token, registered_at = clock_timestamp()
"""
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7))"
_DELETE: Final = "DELETE FROM devices WHERE user_id = $1 AND device_id = $2"
_FORGET: Final = "DELETE FROM devices WHERE user_id = $1 AND device_id = $2 AND push_token = $3"
_CLOCK: Final = """
SELECT extract(epoch FROM clock_timestamp())::float8 AS now, EXISTS (SELECT FROM devices) AS any_devices
"""
_SCAN: Final = """
SELECT id, conversation_id, seq, sender_id FROM messages WHERE id > $1 ORDER BY id LIMIT $2
"""
_SCAN_UNTIL: Final = """
SELECT id, conversation_id, seq, sender_id FROM messages WHERE id > $1 AND id <= $3 ORDER BY id LIMIT $2
"""
_WANTED: Final = """
SELECT p.user_id, p.conversation_id, max(f.seq) AS seq
FROM unnest($1::uuid[], $2::bigint[], $3::uuid[]) AS f (conversation_id, seq, sender_id)
JOIN participants p ON p.conversation_id = f.conversation_id
    AND p.user_id <> f.sender_id AND p.last_delivered_seq < f.seq
WHERE EXISTS (SELECT FROM devices d WHERE d.user_id = p.user_id)
    AND NOT EXISTS (SELECT FROM mutes m WHERE m.conversation_id = p.conversation_id AND m.user_id = p.user_id
        AND m.until > clock_timestamp())
    AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = p.user_id AND b.blocked_id = f.sender_id)
GROUP BY p.user_id, p.conversation_id
"""
_QUEUE: Final = """
WITH queued AS (
    INSERT INTO push_outbox AS o (user_id, conversation_id, seq, queued_at, due_at)
    SELECT g.user_id, g.conversation_id, g.seq, clock_timestamp(),
        clock_timestamp() + $4::float8 * interval '1 second'
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS g (user_id, conversation_id, seq)
    ORDER BY g.user_id, g.conversation_id
    ON CONFLICT (user_id, conversation_id) DO UPDATE SET seq = excluded.seq, remaining = NULL,
        queued_at = CASE WHEN o.due_at IS NULL THEN excluded.queued_at ELSE o.queued_at END,
        attempts = CASE WHEN o.due_at IS NULL THEN 0 ELSE o.attempts END,
        due_at = coalesce(o.due_at, excluded.due_at)
    WHERE excluded.seq > o.seq
    RETURNING 1
) SELECT count(*) FROM queued
"""
_TAKE: Final = """
UPDATE push_outbox o SET attempts = o.attempts + 1, due_at = clock_timestamp() + $2::float8 * interval '1 second'
FROM (
    SELECT user_id, conversation_id FROM push_outbox WHERE due_at <= clock_timestamp()
    ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
) due WHERE o.user_id = due.user_id AND o.conversation_id = due.conversation_id
RETURNING o.user_id, o.conversation_id, o.seq, o.attempts, o.remaining
"""
_NEWEST: Final = f"""
SELECT p.user_id, p.conversation_id, n.id, n.seq, n.sender_id, u.name, left(n.body, {_TEXT}) AS body, n.created_at, n.n
FROM unnest($1::uuid[], $2::uuid[]) AS t (user_id, conversation_id)
JOIN participants p ON p.user_id = t.user_id AND p.conversation_id = t.conversation_id
JOIN conversations c ON c.id = p.conversation_id
CROSS JOIN LATERAL (
    SELECT m.id, m.seq, m.sender_id, m.body, m.created_at, count(*) OVER () AS n FROM messages m
    WHERE m.conversation_id = p.conversation_id AND m.seq > greatest(p.last_delivered_seq, c.last_seq - {COUNTED})
        AND m.sender_id <> p.user_id AND m.deleted_at IS NULL
        AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = p.user_id AND b.blocked_id = m.sender_id)
    ORDER BY m.seq DESC LIMIT 1
) n
JOIN users u ON u.id = n.sender_id
WHERE NOT EXISTS (SELECT FROM mutes m WHERE m.conversation_id = p.conversation_id AND m.user_id = p.user_id
    AND m.until > clock_timestamp())
"""
_DEVICES: Final = """
SELECT user_id, device_id, platform, push_token FROM devices WHERE user_id = ANY ($1::uuid[]) ORDER BY device_id
"""
_SENT: Final = """
UPDATE push_outbox SET attempts = 0, remaining = NULL,
    due_at = CASE WHEN seq > $4 THEN clock_timestamp() + $5::float8 * interval '1 second' END
WHERE user_id = $1 AND conversation_id = $2 AND attempts = $3 AND due_at IS NOT NULL
"""
_FAILED: Final = """
UPDATE push_outbox SET remaining = CASE WHEN seq > $4 THEN NULL ELSE $5::text[] END,
    attempts = CASE WHEN seq > $4 AND $6::float8 IS NULL THEN 0 ELSE attempts END,
    due_at = clock_timestamp()
        + coalesce($6::float8, CASE WHEN seq > $4 THEN 0 END) * interval '1 second'
WHERE user_id = $1 AND conversation_id = $2 AND attempts = $3 AND due_at IS NOT NULL
"""
_SWEEP: Final = """
DELETE FROM push_outbox WHERE due_at IS NULL AND queued_at < clock_timestamp() - $1::float8 * interval '1 second'
"""
_WAITING: Final = """
SELECT count(*) AS pending,
    coalesce(extract(epoch FROM clock_timestamp() - min(queued_at)), 0)::float8 AS oldest_age
FROM push_outbox WHERE due_at IS NOT NULL
"""


class PostgresDevices:
    """`Devices` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, device: Device, *, limit: int) -> None:
        values = (device.user_id, device.id, device.platform, device.push_token)

        async def run(connection: Connection) -> None:
            if await connection.fetchrow(_LOCK_USER, device.user_id) is None:
                raise not_found("User")
            # Two users who register one token at once come one after the other.
            await connection.execute(_ONE_AT_A_TIME, device.push_token)
            await connection.execute(_TAKE_FROM_OTHERS, *values)
            if await connection.fetchval(_OTHERS, device.user_id, device.id) >= limit:
                raise too_many_devices(limit)
            await connection.execute(_PUT, *values)

        await self._database.transaction(run)

    async def delete(self, user_id: UUID, device_id: str) -> None:
        await self._database.execute(_DELETE, user_id, device_id)


class PostgresPushes:
    """`PushStore` on PostgreSQL; its clock is the only one that counts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def clock(self) -> tuple[float, bool]:
        row = await self._database.fetchrow(_CLOCK)
        if row is None:
            raise LookupError("a SELECT without FROM has one row")
        return row["now"], row["any_devices"]

    async def scan(self, after: UUID, until: UUID | None, *, limit: int) -> list[Found]:
        if until is None:
            rows = await self._database.fetch(_SCAN, after, limit)
        else:
            rows = await self._database.fetch(_SCAN_UNTIL, after, limit, until)
        return [Found(row["id"], row["conversation_id"], row["seq"], row["sender_id"]) for row in rows]

    async def wanted(self, fresh: Sequence[Fresh]) -> list[Wanted]:
        rows = await self._database.fetch(
            _WANTED,
            [each.conversation_id for each in fresh],
            [each.seq for each in fresh],
            [each.sender_id for each in fresh],
        )
        return [Wanted(row["user_id"], row["conversation_id"], row["seq"]) for row in rows]

    async def queue(self, wanted: Sequence[Wanted], *, delay: float) -> int:
        return await self._database.fetchval(
            _QUEUE,
            [each.user_id for each in wanted],
            [each.conversation_id for each in wanted],
            [each.seq for each in wanted],
            delay,
        )

    async def take(self, *, limit: int, lease: float) -> list[Job]:
        async def run(connection: Connection) -> list[Job]:
            taken = await connection.fetch(_TAKE, limit, lease)
            if not taken:
                return []
            user_ids = [row["user_id"] for row in taken]
            newest = await connection.fetch(_NEWEST, user_ids, [row["conversation_id"] for row in taken])
            pushes = {(row["user_id"], row["conversation_id"]): _push_of(row) for row in newest}
            devices = [_device_of(row) for row in await connection.fetch(_DEVICES, user_ids)]
            return [_job_of(row, pushes.get((row["user_id"], row["conversation_id"])), devices) for row in taken]

        return await self._database.transaction(run)

    async def sent(self, job: Job, *, delay: float) -> None:
        covered = job.seq if job.push is None else max(job.seq, job.push.seq)
        await self._database.fetch(_SENT, job.user_id, job.conversation_id, job.attempt, covered, delay)

    async def failed(self, job: Job, remaining: Collection[str], *, delay: float | None) -> None:
        await self._database.fetch(
            _FAILED, job.user_id, job.conversation_id, job.attempt, job.seq, list(remaining), delay
        )

    async def forget(self, device: Device) -> None:
        await self._database.execute(_FORGET, device.user_id, device.id, device.push_token)

    async def sweep(self, *, older_than: float) -> None:
        await self._database.execute(_SWEEP, older_than)

    async def waiting(self) -> Waiting:
        row = await self._database.fetchrow(_WAITING)
        if row is None:
            raise LookupError("an aggregate has one row")
        return Waiting(row["pending"], row["oldest_age"])


def _push_of(row: Row) -> Push:
    return Push(
        row["user_id"],
        row["conversation_id"],
        row["id"],
        row["seq"],
        row["sender_id"],
        row["name"],
        row["body"],
        row["created_at"],
        row["n"],
    )


def _device_of(row: Row) -> Device:
    return Device(row["user_id"], row["device_id"], row["platform"], row["push_token"])


def _job_of(row: Row, push: Push | None, devices: Sequence[Device]) -> Job:
    remaining: list[str] | None = row["remaining"]
    return Job(
        row["user_id"],
        row["conversation_id"],
        row["seq"],
        row["attempts"],
        push,
        [each for each in devices if each.user_id == row["user_id"] and (remaining is None or each.id in remaining)],
    )
