"""Rows of attachments on PostgreSQL; the append binds them."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from actors.adapters.postgres.database import Database
from actors.adapters.postgres.driver import Connection, Row
from actors.adapters.rules import check_unused
from actors.attachments.ports import Attachment, Terms
from chatcore.errors import not_found

ATTACHMENT: Final = """
a.id, a.owner_id, a.object_key, a.file_name, a.content_type, a.size, a.uploaded_at, a.conversation_id, a.message_id
"""
"""Columns of `attachments a` for `attachment_of`."""
# The user's row keeps a user's promises apart; what refers to it takes a weaker lock and is not held up.
_LOCK: Final = "SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE"
_UNUSED: Final = """
SELECT count(*) FROM attachments WHERE owner_id = $1 AND message_id IS NULL AND discarded_at IS NULL
"""
_PROMISE: Final = """
INSERT INTO attachments (id, owner_id, object_key, file_name, content_type, size, upload_until)
VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + $7 * interval '1 second')
"""
_FIND: Final = f"SELECT {ATTACHMENT} FROM attachments a WHERE a.id = ANY ($1) AND a.discarded_at IS NULL"
_UPLOADED: Final = """
UPDATE attachments SET uploaded_at = clock_timestamp() WHERE id = ANY ($1) AND uploaded_at IS NULL
"""
# Discarded before the bytes go: from then on no append can bind it.
_DISCARD: Final = """
UPDATE attachments SET discarded_at = clock_timestamp() WHERE id IN (
    SELECT id FROM attachments
    WHERE message_id IS NULL AND discarded_at IS NULL AND created_at < clock_timestamp() - $1 * interval '1 second'
    ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
) RETURNING id
"""
_DISCARDED: Final = f"""
SELECT {ATTACHMENT} FROM attachments a WHERE a.discarded_at IS NOT NULL AND a.upload_until < clock_timestamp()
ORDER BY a.discarded_at LIMIT $1
"""
_FORGET: Final = "DELETE FROM attachments WHERE id = ANY ($1) AND discarded_at IS NOT NULL"


class PostgresAttachmentStore:
    """`AttachmentStore` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def promise(self, attachment: Attachment, *, upload_seconds: float, max_unused: int) -> None:
        new, terms = attachment, attachment.terms

        async def run(connection: Connection) -> None:
            if await connection.fetchrow(_LOCK, new.owner_id) is None:
                raise not_found("The user")
            check_unused(await connection.fetchval(_UNUSED, new.owner_id), max_unused)
            names = (new.object_key, new.file_name, terms.content_type)
            await connection.execute(_PROMISE, new.id, new.owner_id, *names, terms.size, upload_seconds)

        await self._database.transaction(run)

    async def find(self, attachment_ids: Collection[UUID]) -> list[Attachment]:
        return [attachment_of(row) for row in await self._database.fetch(_FIND, list(attachment_ids))]

    async def mark_uploaded(self, attachment_ids: Collection[UUID]) -> None:
        await self._database.fetch(_UPLOADED, list(attachment_ids))

    async def discard_unused(self, *, older_than: float, limit: int) -> int:
        return len(await self._database.fetch(_DISCARD, older_than, limit))

    async def discarded(self, limit: int) -> list[Attachment]:
        return [attachment_of(row) for row in await self._database.fetch(_DISCARDED, limit)]

    async def forget(self, attachment_ids: Collection[UUID]) -> None:
        await self._database.fetch(_FORGET, list(attachment_ids))


def attachment_of(row: Row) -> Attachment:
    return Attachment(
        id=row["id"],
        owner_id=row["owner_id"],
        object_key=row["object_key"],
        file_name=row["file_name"],
        terms=Terms(row["content_type"], row["size"]),
        uploaded=row["uploaded_at"] is not None,
        conversation_id=row["conversation_id"],
        message_id=row["message_id"],
    )
