"""The outbox of mails on PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from actors.adapters.postgres.database import Database
from actors.mail import Mail

_ADD: Final = """
INSERT INTO mail_outbox (id, recipient, subject, body, written_at, expires_at, due_at)
VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, clock_timestamp())
"""
_TAKE: Final = """
UPDATE mail_outbox o SET attempts = o.attempts + 1, due_at = clock_timestamp() + $2::float8 * interval '1 second'
FROM (
    SELECT id FROM mail_outbox WHERE due_at <= clock_timestamp() AND expires_at > clock_timestamp()
    ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
) due WHERE o.id = due.id
RETURNING o.id, o.recipient, o.subject, o.body, o.written_at, o.attempts
"""
_DELETE: Final = "DELETE FROM mail_outbox WHERE id = $1"
_PUT_OFF: Final = """
UPDATE mail_outbox SET due_at = clock_timestamp() + $3::float8 * interval '1 second' WHERE id = $1 AND attempts = $2
"""
_EXPIRE: Final = "DELETE FROM mail_outbox WHERE due_at <= clock_timestamp() AND expires_at <= clock_timestamp()"
_WAITING: Final = "SELECT count(*) FROM mail_outbox"


class PostgresMails:
    """`MailStore` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, to: str, subject: str, text: str, *, written_at: datetime, expires_at: datetime) -> None:
        await self._database.execute(_ADD, to, subject, text, written_at, expires_at)

    async def take(self, *, limit: int, lease: float) -> Sequence[Mail]:
        return [
            Mail(row["id"], row["recipient"], row["subject"], row["body"], row["written_at"], row["attempts"])
            for row in await self._database.fetch(_TAKE, limit, lease)
        ]

    async def delete(self, mail: Mail) -> None:
        await self._database.execute(_DELETE, mail.id)

    async def put_off(self, mail: Mail, *, delay: float) -> None:
        await self._database.execute(_PUT_OFF, mail.id, mail.attempt, delay)

    async def expire(self) -> int:
        return int((await self._database.execute(_EXPIRE)).rpartition(" ")[2])

    async def waiting(self) -> int:
        return await self._database.fetchval(_WAITING)
