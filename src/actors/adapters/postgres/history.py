"""The read side of messages on PostgreSQL: every page is a range of an index, as quick deep down as at the end."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from actors.adapters.postgres.driver import Row
from actors.adapters.postgres.queries import Queries
from actors.adapters.postgres.rows import MESSAGE, RAW_MESSAGE, message_of
from chatcore.model import Event, EventKind, Message

_MAX: Final = 2**62

# Bounds on both sides rather than LIMIT: seq has no gap, and a plan that serves all values cannot go wrong on a range.
_NEWEST: Final = f"""
SELECT {MESSAGE}
FROM (SELECT least($2, c.last_seq + 1) AS top FROM conversations c WHERE c.id = $1) bound
JOIN messages m ON m.conversation_id = $1 AND m.seq < bound.top AND m.seq >= bound.top - $3::bigint
JOIN users s ON s.id = m.sender_id ORDER BY m.seq DESC
"""
_OLDEST: Final = f"""
SELECT {MESSAGE}
FROM (
    SELECT least(greatest($2, c.first_seq - 1), c.last_seq) AS bottom FROM conversations c WHERE c.id = $1
) bound
JOIN messages m ON m.conversation_id = $1 AND m.seq > bound.bottom AND m.seq <= bound.bottom + $3::bigint
JOIN users s ON s.id = m.sender_id ORDER BY m.seq
"""
# Unchanged is `rev <= created_rev`: the planner takes an equality of columns for rare, and would sort the whole rest.
_CHANGED: Final = f"""
SELECT {MESSAGE} FROM (
    (SELECT {RAW_MESSAGE} FROM messages m
        WHERE m.conversation_id = $1 AND m.seq > (SELECT seq_at_rev($1, $2)) AND m.rev <= m.created_rev
        ORDER BY m.seq LIMIT $3)
    UNION ALL
    (SELECT {RAW_MESSAGE} FROM messages m
        WHERE m.conversation_id = $1 AND m.rev > m.created_rev AND m.rev > $2 ORDER BY m.rev LIMIT $3)
) m JOIN users s ON s.id = m.sender_id ORDER BY m.rev LIMIT $3
"""
_EVENTS: Final = f"""
SELECT {MESSAGE}, event_rev FROM (
    (SELECT {RAW_MESSAGE}, m.created_rev AS event_rev
        FROM (SELECT seq_at_rev($1, $2) AS low, seq_at_rev($1, $3) AS high) bound
        JOIN messages m ON m.conversation_id = $1 AND m.seq > bound.low
            AND m.seq <= least(bound.high, bound.low + $4::bigint))
    UNION ALL
    (SELECT {RAW_MESSAGE}, m.rev AS event_rev FROM messages m
        WHERE m.conversation_id = $1 AND m.rev > m.created_rev AND m.rev > $2 AND m.rev <= $3
        ORDER BY m.rev LIMIT $4)
) m JOIN users s ON s.id = m.sender_id ORDER BY event_rev LIMIT $4
"""
_EVENT_FLOOR: Final = """
SELECT event_rev FROM (
    (SELECT m.created_rev AS event_rev
        FROM (SELECT seq_at_rev($1, $2) AS low, seq_at_rev($1, $3) AS high) bound
        JOIN messages m ON m.conversation_id = $1 AND m.seq <= bound.high
            AND m.seq > greatest(bound.low, bound.high - $4::bigint - 1))
    UNION ALL
    (SELECT m.rev AS event_rev FROM messages m
        WHERE m.conversation_id = $1 AND m.rev > m.created_rev AND m.rev > $2 AND m.rev <= $3
        ORDER BY m.rev DESC LIMIT $4::bigint + 1)
) m ORDER BY event_rev DESC OFFSET $4 LIMIT 1
"""
# The messages of a deleted conversation stay for a while.
_FIND: Final = f"""
SELECT {MESSAGE} FROM messages m JOIN users s ON s.id = m.sender_id JOIN conversations c ON c.id = m.conversation_id
WHERE m.id = ANY ($1)
"""
_FIND_IN: Final = f"{_FIND} AND m.conversation_id = $2"


class PostgresMessageHistory:
    """`MessageHistory` on PostgreSQL."""

    def __init__(self, database: Queries) -> None:
        self._database = database

    async def newest(self, conversation_id: UUID, *, before_seq: int, limit: int) -> list[Message]:
        rows = await self._database.fetch(_NEWEST, conversation_id, _bigint(before_seq), limit)
        return [message_of(row) for row in rows]

    async def oldest(self, conversation_id: UUID, *, after_seq: int, limit: int) -> list[Message]:
        rows = await self._database.fetch(_OLDEST, conversation_id, _bigint(after_seq), limit)
        return [message_of(row) for row in rows]

    async def changed(self, conversation_id: UUID, *, after_rev: int, limit: int) -> list[Message]:
        rows = await self._database.fetch(_CHANGED, conversation_id, _bigint(after_rev), limit)
        return [message_of(row) for row in rows]

    async def events(self, conversation_id: UUID, *, after_rev: int, upto_rev: int, limit: int) -> list[Event]:
        rows = await self._database.fetch(_EVENTS, conversation_id, _bigint(after_rev), _bigint(upto_rev), limit)
        return [_event_of(row) for row in rows]

    async def event_floor(self, conversation_id: UUID, *, after_rev: int, upto_rev: int, limit: int) -> int | None:
        bounds = (_bigint(after_rev), _bigint(upto_rev))
        return await self._database.fetchval(_EVENT_FLOOR, conversation_id, *bounds, limit)

    async def find(self, message_ids: Collection[UUID], conversation_id: UUID | None = None) -> list[Message]:
        if conversation_id is None:
            rows = await self._database.fetch(_FIND, list(message_ids))
        else:
            rows = await self._database.fetch(_FIND_IN, list(message_ids), conversation_id)
        return [message_of(row) for row in rows]


def _bigint(value: int) -> int:
    """Numbers come from clients: what no seq or rev can be is cut, before the sums here leave the column's range."""
    return max(0, min(value, _MAX))


def _event_of(row: Row) -> Event:
    message = message_of(row)
    rev: int = row["event_rev"]
    if rev == message.created_rev:
        return Event(EventKind.CREATED, rev, message)
    return Event(EventKind.UPDATED if message.deleted_at is None else EventKind.DELETED, rev, message)
