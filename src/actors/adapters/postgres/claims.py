"""Claims on PostgreSQL; its clock is the only one that counts."""

from typing import Final
from uuid import UUID

from actors.adapters.postgres.database import Database
from actors.adapters.postgres.driver import Connection
from actors.privacy.ports import START, Denied, Taken

_TAKE: Final = """
INSERT INTO claims AS c (name, holder, held_until)
VALUES ($1, $2, clock_timestamp() + $3::float8 * interval '1 second')
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
WHERE (c.holder IS NULL OR c.holder = $2 OR c.held_until < clock_timestamp())
    AND (c.finished_at IS NULL OR c.finished_at <= clock_timestamp() - $4::float8 * interval '1 second')
RETURNING position
"""
_WAIT: Final = """
SELECT extract(epoch FROM greatest(held_until, finished_at + $2::float8 * interval '1 second') - clock_timestamp())
FROM claims WHERE name = $1
"""
_HOLD: Final = """
UPDATE claims SET position = $3, held_until = clock_timestamp() + $4::float8 * interval '1 second'
WHERE name = $1 AND holder = $2 RETURNING 1
"""
_FINISH: Final = """
UPDATE claims SET holder = NULL, held_until = NULL, position = NULL, finished_at = clock_timestamp()
WHERE name = $1 AND holder = $2
"""


class PostgresClaims:
    """`Claims` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, name: str, holder: UUID, *, lease: float, interval: float) -> Taken | Denied:
        async def run(connection: Connection) -> Taken | Denied:
            row = await connection.fetchrow(_TAKE, name, holder, lease, interval)
            if row is not None:
                return Taken(row["position"] or START)
            return Denied(max(0.0, float(await connection.fetchval(_WAIT, name, interval) or 0.0)))

        return await self._database.transaction(run)

    async def hold(self, name: str, holder: UUID, position: UUID, *, lease: float) -> bool:
        return await self._database.fetchrow(_HOLD, name, holder, position, lease) is not None

    async def finish(self, name: str, holder: UUID) -> None:
        await self._database.fetch(_FINISH, name, holder)
