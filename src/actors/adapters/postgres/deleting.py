"""Deletion of messages from the old end of a conversation, with what they bear."""

from datetime import datetime
from typing import Final
from uuid import UUID

from attrs import frozen

from actors.adapters.postgres.driver import Connection

_DELETE: Final = """
WITH gone AS (
    DELETE FROM messages m WHERE m.conversation_id = $1 AND m.seq = ANY (ARRAY(
        SELECT old.seq FROM (
            SELECT o.seq, o.created_at FROM messages o
            WHERE o.conversation_id = $1 AND o.seq >= $2 ORDER BY o.seq LIMIT $3
        ) old WHERE $4::timestamptz IS NULL OR old.created_at < $4
    )) RETURNING m.seq, m.created_rev, m.attachment_ids
), discarded AS (
    UPDATE attachments a SET discarded_at = coalesce(a.discarded_at, clock_timestamp())
    FROM (SELECT unnest(gone.attachment_ids) AS id FROM gone) b WHERE a.id = b.id
)
SELECT count(*) AS deleted, coalesce(max(seq), 0) AS seq, coalesce(max(created_rev), 0) AS rev FROM gone
"""


@frozen
class Deleted:
    """How many, and of the last of them `seq` and `created_rev`; 0 when there was none."""

    count: int
    seq: int
    created_rev: int


async def delete_oldest(
    connection: Connection, conversation_id: UUID, *, first_seq: int, limit: int, before: datetime | None
) -> Deleted:
    """Delete at most `limit` messages from `first_seq` on, and only such as were created `before`; reactions go with
    them and attachments are discarded. Where the conversation exists its row is to be locked.
    """
    row = await connection.fetchrow(_DELETE, conversation_id, first_seq, limit, before)
    return Deleted(0, 0, 0) if row is None else Deleted(row["deleted"], row["seq"], row["rev"])
