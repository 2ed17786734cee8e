"""The identity ports on PostgreSQL. Each method is one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from actors.adapters.postgres.database import Database
from actors.adapters.postgres.driver import Connection, Row, UniqueViolation
from actors.identity_ports import (
    Account,
    CodePurpose,
    Family,
    OneTimeCode,
    Refused,
    Repeated,
    Rotated,
    Rotation,
    StoredKey,
)
from chatcore.errors import ChatError, ErrorCode

_CREATE: Final = """
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[])
        AS g (id, email, name, password_hash, confirmed)
), made AS (INSERT INTO users (id, email, name) SELECT id, email, name FROM given)
INSERT INTO identity_accounts (user_id, password_hash, confirmed) SELECT id, password_hash, confirmed FROM given
"""
_SET_GROUPS: Final = "UPDATE identity_accounts SET groups = $2 WHERE user_id = $1"
_ACCOUNT: Final = """
SELECT a.user_id, u.email, u.name, a.password_hash, a.confirmed, a.groups
FROM identity_accounts a JOIN users u ON u.id = a.user_id
"""
_FIND: Final = f"{_ACCOUNT} WHERE lower(u.email) = lower($1)"
_FIND_BY_ID: Final = f"{_ACCOUNT} WHERE a.user_id = $1"
_PUT_CODE: Final = """
INSERT INTO identity_codes (user_id, purpose, code_hash, expires_at, attempts) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (user_id, purpose) DO UPDATE
SET code_hash = excluded.code_hash, expires_at = excluded.expires_at, attempts = excluded.attempts
"""
_SPEND_CODE: Final = """
DELETE FROM identity_codes
WHERE user_id = $1 AND purpose = $2 AND code_hash = $3 AND attempts > 0 AND expires_at > $4 RETURNING user_id
"""
_MISS_CODE: Final = """
UPDATE identity_codes SET attempts = attempts - 1
WHERE user_id = $1 AND purpose = $2 AND code_hash <> $3 AND attempts > 0
"""
_CONFIRM: Final = "UPDATE identity_accounts SET confirmed = true WHERE user_id = $1"
_SET_PASSWORD: Final = "UPDATE identity_accounts SET password_hash = $2, confirmed = true WHERE user_id = $1"  # noqa: S105  # SQL
_END_FAMILIES: Final = "DELETE FROM identity_families WHERE user_id = $1"
_END_EXPIRED: Final = "DELETE FROM identity_families WHERE user_id = $1 AND expires_at <= $2"
_OPEN_FAMILY: Final = """
INSERT INTO identity_families (id, user_id, token_hash, authenticated_at, expires_at) VALUES ($1, $2, $3, $4, $5)
"""
_ROTATE: Final = """
UPDATE identity_families SET previous_hash = token_hash, token_hash = $3, nonce = $4, rotated_at = $5
WHERE id = $1 AND token_hash = $2 AND expires_at > $5 RETURNING user_id, authenticated_at
"""
_END_REUSED: Final = """
DELETE FROM identity_families
WHERE id = $1 AND expires_at > $3 AND token_hash <> $2
AND NOT (previous_hash IS NOT DISTINCT FROM $2 AND rotated_at > $4)
RETURNING user_id
"""
_REPEAT: Final = """
SELECT user_id, authenticated_at, nonce FROM identity_families
WHERE id = $1 AND previous_hash = $2 AND expires_at > $3 AND rotated_at > $4
"""
_END_FAMILY: Final = "DELETE FROM identity_families WHERE id = $1"
_STORE_FIRST_KEY: Final = """
INSERT INTO identity_keys (generation, kid, private_pem) VALUES (1, $1, $2) ON CONFLICT (generation) DO NOTHING
"""
_KEYS: Final = "SELECT kid, private_pem FROM identity_keys ORDER BY generation"


def _account(row: Row) -> Account:
    return Account(
        user_id=row["user_id"],
        email=row["email"],
        name=row["name"],
        password_hash=row["password_hash"],
        confirmed=row["confirmed"],
        groups=tuple(row["groups"]),
    )


async def _account_of(connection: Connection, user_id: UUID) -> Account:
    row = await connection.fetchrow(_FIND_BY_ID, user_id)
    if row is None:
        raise LookupError(f"family without an account: user {user_id}")
    return _account(row)


async def _spend(connection: Connection, user_id: UUID, purpose: CodePurpose, code_hash: bytes, now: datetime) -> bool:
    if await connection.fetchrow(_SPEND_CODE, user_id, purpose.value, code_hash, now) is not None:
        return True
    await connection.execute(_MISS_CODE, user_id, purpose.value, code_hash)
    return False


class PostgresIdentity:
    """`AccountStore`, `RefreshStore` and `KeyStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, accounts: Sequence[Account]) -> None:
        columns = (
            [each.user_id for each in accounts],
            [each.email for each in accounts],
            [each.name for each in accounts],
            [each.password_hash for each in accounts],
            [each.confirmed for each in accounts],
        )

        async def insert(connection: Connection) -> None:
            await connection.execute(_CREATE, *columns)
            for each in accounts:
                if each.groups:
                    await connection.execute(_SET_GROUPS, each.user_id, list(each.groups))

        try:
            await self._database.transaction(insert)
        except UniqueViolation:
            raise ChatError(ErrorCode.CONFLICT, "The e-mail address is taken", {"email": "is taken"}) from None

    async def set_groups(self, user_id: UUID, groups: Sequence[str]) -> None:
        await self._database.execute(_SET_GROUPS, user_id, list(groups))

    async def find(self, email: str) -> Account | None:
        row = await self._database.fetchrow(_FIND, email)
        return None if row is None else _account(row)

    async def put_code(self, user_id: UUID, code: OneTimeCode) -> None:
        await self._database.execute(
            _PUT_CODE, user_id, code.purpose.value, code.code_hash, code.expires_at, code.attempts
        )

    async def confirm(self, user_id: UUID, code_hash: bytes, now: datetime) -> bool:
        async def confirm(connection: Connection) -> bool:
            if not await _spend(connection, user_id, CodePurpose.CONFIRM, code_hash, now):
                return False
            await connection.execute(_CONFIRM, user_id)
            return True

        return await self._database.transaction(confirm)

    async def reset_password(self, user_id: UUID, code_hash: bytes, password_hash: str, now: datetime) -> bool:
        async def reset(connection: Connection) -> bool:
            if not await _spend(connection, user_id, CodePurpose.RESET, code_hash, now):
                return False
            await connection.execute(_SET_PASSWORD, user_id, password_hash)
            await connection.execute(_END_FAMILIES, user_id)
            return True

        return await self._database.transaction(reset)

    async def open(self, family: Family) -> None:
        async def insert(connection: Connection) -> None:
            await connection.execute(_END_EXPIRED, family.user_id, family.authenticated_at)
            await connection.execute(
                _OPEN_FAMILY, family.id, family.user_id, family.token_hash, family.authenticated_at, family.expires_at
            )

        await self._database.transaction(insert)

    async def rotate(
        self,
        family_id: UUID,
        token_hash: bytes,
        successor_hash: bytes,
        nonce: bytes,
        *,
        now: datetime,
        repeat_after: datetime,
    ) -> Rotation:
        async def rotate(connection: Connection) -> Rotation:
            row = await connection.fetchrow(_ROTATE, family_id, token_hash, successor_hash, nonce, now)
            if row is not None:
                return Rotated(await _account_of(connection, row["user_id"]), row["authenticated_at"])
            row = await connection.fetchrow(_END_REUSED, family_id, token_hash, now, repeat_after)
            if row is not None:
                return Refused(reused=row["user_id"])
            row = await connection.fetchrow(_REPEAT, family_id, token_hash, now, repeat_after)
            if row is None:
                return Refused()
            return Repeated(await _account_of(connection, row["user_id"]), row["authenticated_at"], row["nonce"])

        return await self._database.transaction(rotate)

    async def close(self, family_id: UUID) -> None:
        await self._database.execute(_END_FAMILY, family_id)

    async def load_or_store(self, fresh: StoredKey) -> list[StoredKey]:
        await self._database.execute(_STORE_FIRST_KEY, fresh.kid, fresh.private_pem)
        return [StoredKey(row["kid"], row["private_pem"]) for row in await self._database.fetch(_KEYS)]
