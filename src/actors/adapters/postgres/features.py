"""Feature flags on PostgreSQL."""

from typing import Final
from uuid import UUID

from actors.adapters.postgres.database import Database
from actors.adapters.postgres.driver import Connection, Row
from chatcore.errors import ChatError, ErrorCode
from chatcore.features import Feature

_ALL: Final = "SELECT name, enabled, beta_user_ids, percent FROM feature_flags ORDER BY name"
_UPDATE: Final = """
UPDATE feature_flags SET enabled = $2, beta_user_ids = $3, percent = $4, changed_by = $5, changed_at = clock_timestamp()
WHERE name = $1 RETURNING true
"""
_INSERT: Final = """
INSERT INTO feature_flags (name, enabled, beta_user_ids, percent, changed_by)
SELECT $1, $2, $3, $4, $5 WHERE (SELECT count(*) FROM feature_flags) < $6 RETURNING true
"""


class PostgresFeatureStore:
    """`FeatureStore` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Feature]:
        return [_feature_of(row) for row in await self._database.fetch(_ALL)]

    async def put(self, feature: Feature, by: UUID, *, limit: int) -> None:
        values = (feature.name, feature.enabled, sorted(feature.beta_user_ids), feature.percent, by)

        async def run(connection: Connection) -> bool:
            # Changes are rare: one at a time keeps the count exact, and an update from racing with an insert.
            await connection.execute("LOCK TABLE feature_flags IN SHARE ROW EXCLUSIVE MODE")
            if await connection.fetchval(_UPDATE, *values):
                return True
            return bool(await connection.fetchval(_INSERT, *values, limit))

        if not await self._database.transaction(run):
            raise ChatError(ErrorCode.CONFLICT, f"There are {limit} features already")

    async def delete(self, name: str) -> bool:
        return await self._database.execute("DELETE FROM feature_flags WHERE name = $1", name) == "DELETE 1"


def _feature_of(row: Row) -> Feature:
    return Feature(row["name"], row["enabled"], row["beta_user_ids"], row["percent"])
