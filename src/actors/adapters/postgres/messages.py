"""The write side of messages on PostgreSQL."""

from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from actors.adapters.postgres.database import Database
from actors.adapters.postgres.driver import Connection, Row
from actors.adapters.postgres.rows import MESSAGE, message_of
from actors.adapters.rules import check_body, check_delete, check_distinct, check_edit, check_reaction
from chatcore.errors import ChatError, not_found
from chatcore.model import Appended, Event, EventKind, Message, NewMessage

_LOCK: Final = "SELECT rev FROM conversations WHERE id = $1 FOR NO KEY UPDATE"
_FIND: Final = f"""
SELECT {MESSAGE},
    (SELECT NOT p.silenced FROM participants p WHERE p.conversation_id = $1 AND p.user_id = $3) AS may_write
FROM messages m JOIN users s ON s.id = m.sender_id WHERE m.conversation_id = $1 AND m.id = $2
"""
_CHANGE: Final = f"""
WITH raised AS (
    UPDATE conversations SET rev = rev + 1, updated_at = greatest(updated_at, clock_timestamp()) WHERE id = $1
    RETURNING rev, clock_timestamp() AS now
), m AS (
    UPDATE messages m SET
        rev = raised.rev, body = coalesce($3, ''),
        edited_at = CASE WHEN $3::text IS NULL THEN m.edited_at ELSE greatest(raised.now, m.created_at) END,
        deleted_at = CASE WHEN $3::text IS NULL THEN greatest(raised.now, m.created_at) END,
        attachment_ids = CASE WHEN $3::text IS NOT NULL THEN m.attachment_ids END
    FROM raised WHERE m.conversation_id = $1 AND m.seq = $2 RETURNING m.*
)
SELECT {MESSAGE} FROM m JOIN users s ON s.id = m.sender_id
"""
"""Gives the message the text $3, or makes it a tombstone where that is null."""
_TOUCH: Final = f"""
WITH m AS (
    UPDATE messages m SET rev = c.rev FROM conversations c
    WHERE c.id = $1 AND m.conversation_id = $1 AND m.seq = $2 RETURNING m.*
)
SELECT {MESSAGE} FROM m JOIN users s ON s.id = m.sender_id
"""
_RAISE_REV: Final = """
UPDATE conversations SET rev = rev + 1, updated_at = greatest(updated_at, clock_timestamp()) WHERE id = $1
"""
_REACT: Final = """
INSERT INTO reactions (conversation_id, seq, emoji, user_id, rev)
SELECT $1, $2, $3, $4, c.rev + 1 FROM conversations c WHERE c.id = $1
ON CONFLICT DO NOTHING RETURNING (
    SELECT count(DISTINCT r.emoji) FROM reactions r WHERE r.conversation_id = $1 AND r.seq = $2 AND r.emoji <> $3
)
"""
"""How many other emojis the message has; no row for who has reacted with this one already."""
_TAKE_BACK: Final = """
DELETE FROM reactions WHERE conversation_id = $1 AND seq = $2 AND emoji = $3 AND user_id = $4 RETURNING 1
"""
_FORGET_REACTIONS: Final = "DELETE FROM reactions WHERE conversation_id = $1 AND seq = $2"
_DISCARD: Final = "UPDATE attachments SET discarded_at = clock_timestamp() WHERE id = ANY ($1)"


class PostgresMessageLog:
    """`MessageLog` on PostgreSQL. Every method locks the conversation's row first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, messages: Sequence[NewMessage]) -> list[Appended | ChatError]:
        return await self._database.writer.append(messages)

    def append_at_once(
        self, messages: Sequence[NewMessage], answered: Callable[[Sequence[Appended | ChatError] | Exception], None]
    ) -> bool:
        return self._database.writer.append_at_once(messages, answered)

    async def edit(self, conversation_id: UUID, message_id: UUID, editor_id: UUID, text: str) -> Event:
        check_body(text)

        async def run(connection: Connection) -> Message:
            found, may_write = await _locked(connection, conversation_id, message_id, editor_id)
            old = check_edit(found, editor_id, may_write=may_write)
            return await _changed(connection, old, text)

        changed = await self._database.transaction(run)
        return Event(EventKind.UPDATED, changed.rev, changed)

    async def delete(self, conversation_id: UUID, message_id: UUID, user_id: UUID, *, moderator: bool) -> Event | None:
        async def run(connection: Connection) -> Message | None:
            found, may_write = await _locked(connection, conversation_id, message_id, user_id)
            old = check_delete(found, user_id, member=may_write is not None, moderator=moderator)
            if old.attachment_ids:
                await connection.execute(_DISCARD, list(old.attachment_ids))
            if old.reactions:
                await connection.execute(_FORGET_REACTIONS, old.conversation_id, old.seq)
            return await _changed(connection, old, None) if old.deleted_at is None else None

        changed = await self._database.transaction(run)
        return None if changed is None else Event(EventKind.DELETED, changed.rev, changed)

    async def react(
        self, conversation_id: UUID, message_id: UUID, user_id: UUID, emoji: str, *, present: bool, max_distinct: int
    ) -> Event | None:
        async def run(connection: Connection) -> Message | None:
            found, may_write = await _locked(connection, conversation_id, message_id, user_id)
            old = check_reaction(found, may_write=may_write, present=present)
            row = await connection.fetchrow(_REACT if present else _TAKE_BACK, conversation_id, old.seq, emoji, user_id)
            if row is None:
                return None
            if present:
                check_distinct(row[0] + 1, max_distinct)
            await connection.execute(_RAISE_REV, conversation_id)
            return _present(await connection.fetchrow(_TOUCH, conversation_id, old.seq), old)

        changed = await self._database.transaction(run)
        return None if changed is None else Event(EventKind.UPDATED, changed.rev, changed)


async def _locked(
    connection: Connection, conversation_id: UUID, message_id: UUID, user_id: UUID
) -> tuple[Message | None, bool | None]:
    """The message, and whether the user may write (None: he is no member), under the conversation's lock."""
    if await connection.fetchrow(_LOCK, conversation_id) is None:
        raise not_found("The conversation")
    row = await connection.fetchrow(_FIND, conversation_id, message_id, user_id)
    return (None, None) if row is None else (message_of(row), row["may_write"])


async def _changed(connection: Connection, old: Message, text: str | None) -> Message:
    return _present(await connection.fetchrow(_CHANGE, old.conversation_id, old.seq, text), old)


def _present(row: Row | None, old: Message) -> Message:
    if row is None:
        raise RuntimeError(f"message {old.id} vanished under the lock of its conversation")
    return message_of(row)
