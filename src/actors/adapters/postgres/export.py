"""What is kept about a user, page by page, on PostgreSQL."""

from typing import Final
from uuid import UUID

from actors.adapters.postgres.attachments import ATTACHMENT, attachment_of
from actors.adapters.postgres.database import Database
from actors.adapters.postgres.relations import REPORT, report_of
from actors.adapters.postgres.rows import MESSAGE, message_of
from actors.privacy.ports import START, Audited, AuditEntry, Membership, OwnAttachment, OwnReaction, Said
from actors.relation_ports import Report
from chatcore.model import ConversationType, Role

SCAN: Final = 2000
"""Messages of a conversation that are looked through at a time."""

NOTE: Final = """
INSERT INTO audit (id, user_id, action, address, request_id) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
_MEMBERSHIPS: Final = """
SELECT c.id, c.type, c.name, p.role, p.joined_at, p.last_read_seq, p.last_delivered_seq, m.until
FROM (
    (SELECT p.conversation_id AS id FROM participants p WHERE p.user_id = $1 AND p.conversation_id > $2
        ORDER BY p.conversation_id LIMIT $3)
    UNION
    (SELECT f.conversation_id FROM former_participants f WHERE f.user_id = $1 AND f.conversation_id > $2
        ORDER BY f.conversation_id LIMIT $3)
) page
JOIN conversations c ON c.id = page.id
LEFT JOIN participants p ON p.conversation_id = page.id AND p.user_id = $1
LEFT JOIN mutes m ON m.conversation_id = page.id AND m.user_id = $1
ORDER BY c.id LIMIT $3
"""
_BOUNDS: Final = "SELECT greatest($2, first_seq - 1) AS bottom, last_seq FROM conversations WHERE id = $1"
_SAID: Final = f"""
SELECT {MESSAGE} FROM messages m JOIN users s ON s.id = m.sender_id
WHERE m.conversation_id = $1 AND m.seq > $3 AND m.seq <= $3 + $4::bigint
    AND (m.sender_id = $2 OR $6 AND strpos(m.body::text, '@') > 0) ORDER BY m.seq LIMIT $5
"""
_REACTIONS: Final = """
SELECT r.conversation_id, r.seq, m.id, r.emoji
FROM reactions r JOIN messages m ON m.conversation_id = r.conversation_id AND m.seq = r.seq
WHERE r.user_id = $1 AND (r.conversation_id, r.seq, r.emoji) > ($2, $3, $4)
ORDER BY r.conversation_id, r.seq, r.emoji LIMIT $5
"""
_REPORTS: Final = f"""
SELECT {REPORT} FROM reports WHERE reporter_id = $1 AND message_id > $2 ORDER BY message_id LIMIT $3
"""
_ATTACHMENTS: Final = f"""
SELECT {ATTACHMENT}, a.created_at FROM attachments a
WHERE a.owner_id = $1 AND a.discarded_at IS NULL AND (a.created_at, a.id) > (coalesce($2::timestamptz, '-infinity'), $3)
ORDER BY a.created_at, a.id LIMIT $4
"""
_AUDIT: Final = """
SELECT id, user_id, action, happened_at, address, request_id FROM audit
WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3
"""


class PostgresExport:
    """`ExportSource` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def memberships(self, user_id: UUID, after: UUID, *, limit: int) -> list[Membership]:
        return [
            Membership(
                row["id"],
                ConversationType(row["type"]),
                row["name"],
                None if row["role"] is None else Role(row["role"]),
                row["joined_at"],
                row["last_read_seq"],
                row["last_delivered_seq"],
                row["until"],
            )
            for row in await self._database.fetch(_MEMBERSHIPS, user_id, after, limit)
        ]

    async def said(self, user_id: UUID, conversation_id: UUID, after_seq: int, *, limit: int, others: bool) -> Said:
        bounds = await self._database.fetchrow(_BOUNDS, conversation_id, after_seq)
        if bounds is None:
            return Said((), None)
        bottom = bounds["bottom"]
        rows = await self._database.fetch(_SAID, conversation_id, user_id, bottom, SCAN, limit, others)
        found = [message_of(row) for row in rows]
        reached = found[-1].seq if len(found) == limit else bottom + SCAN
        return Said(found, reached if reached < bounds["last_seq"] else None)

    async def reactions(self, user_id: UUID, after: OwnReaction | None, *, limit: int) -> list[OwnReaction]:
        place = (START, 0, "") if after is None else (after.conversation_id, after.seq, after.emoji)
        rows = await self._database.fetch(_REACTIONS, user_id, *place, limit)
        return [OwnReaction(row["conversation_id"], row["seq"], row["id"], row["emoji"]) for row in rows]

    async def reports(self, user_id: UUID, after: UUID, *, limit: int) -> list[Report]:
        return [report_of(row) for row in await self._database.fetch(_REPORTS, user_id, after, limit)]

    async def attachments(self, user_id: UUID, after: OwnAttachment | None, *, limit: int) -> list[OwnAttachment]:
        place = (None, START) if after is None else (after.created_at, after.attachment.id)
        rows = await self._database.fetch(_ATTACHMENTS, user_id, *place, limit)
        return [OwnAttachment(attachment_of(row), row["created_at"]) for row in rows]

    async def audit(self, user_id: UUID, after: UUID, *, limit: int) -> list[Audited]:
        return [
            Audited(
                AuditEntry(row["id"], row["user_id"], row["action"], row["address"], row["request_id"]),
                row["happened_at"],
            )
            for row in await self._database.fetch(_AUDIT, user_id, after, limit)
        ]

    async def note(self, entry: AuditEntry) -> None:
        await self._database.fetch(NOTE, entry.id, entry.user_id, entry.action, entry.address, entry.request_id)
