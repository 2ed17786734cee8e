"""Users, and what is theirs, on PostgreSQL."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from attrs import frozen

from actors.adapters.postgres.driver import Connection, Row
from actors.adapters.postgres.queries import Queries
from actors.adapters.postgres.rows import CONVERSATION, USER, conversation_of, user_of
from actors.ports import ConversationCursor
from chatcore.errors import ChatError, ErrorCode, invalid, not_found
from chatcore.model import Conversation, User
from chatcore.validation import check_storable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_GET: Final = f"SELECT {USER} FROM users u WHERE u.id = ANY ($1)"
_ADD: Final = f"""
INSERT INTO users AS u (id, email, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING {USER}
"""
_UPDATE: Final = f"""
UPDATE users u SET name = coalesce($2, u.name),
    profile_picture_url = CASE WHEN $3::text IS NULL THEN u.profile_picture_url ELSE nullif($3, '') END
WHERE u.id = $1 AND u.erased_at IS NULL RETURNING {USER}
"""
# Each erased user has one row of erasures; to count both is to read two indexes, and no table.
_ALL: Final = f"""
SELECT total.n AS total, page.*
FROM (SELECT (SELECT count(*) FROM users) - (SELECT count(*) FROM erasures) AS n) total
LEFT JOIN (
    SELECT {USER} FROM users u WHERE u.erased_at IS NULL ORDER BY lower(u.name), u.id OFFSET $1 LIMIT $2
) page ON true
ORDER BY lower(page.name), page.id
"""
# $1 is the text, $2 and $3 are patterns for a name, or a later word of it, that begins with the text.
_SEARCH: Final = f"""
WITH found AS MATERIALIZED (
    SELECT {USER}, lower(u.name) LIKE $2 OR lower(u.name) LIKE $3 AS begins,
        word_similarity($1, lower(u.name)) AS similarity
    FROM users u
    WHERE (lower(u.name) LIKE $2 OR lower(u.name) LIKE $3 OR lower(u.name) %> $1) AND u.erased_at IS NULL
)
SELECT total.n AS total, page.* FROM (SELECT count(*) AS n FROM found) total
LEFT JOIN (
    SELECT u.* FROM found u ORDER BY u.begins DESC, u.similarity DESC, lower(u.name), u.id OFFSET $4 LIMIT $5
) page ON true
ORDER BY page.begins DESC, page.similarity DESC, lower(page.name), page.id
"""
# First the page's ids, from rows without members and messages; then those in the same snapshot, for the page only.
_CONVERSATIONS: Final = f"""
WITH page AS MATERIALIZED (
    SELECT c.id FROM participants p JOIN conversations c ON c.id = p.conversation_id
    WHERE p.user_id = $1 AND ($2::timestamptz IS NULL OR (c.active_at, c.id) < ($2, $3::uuid))
    ORDER BY c.active_at DESC, c.id DESC LIMIT $4
)
{CONVERSATION} WHERE c.id IN (SELECT page.id FROM page) ORDER BY c.active_at DESC, c.id DESC
"""
# The same page with no more than says what must be seen of it.
_LISTED: Final = """
SELECT page.id, page.active_at, page.rev, (
    SELECT sum(m.last_read_seq + m.last_delivered_seq)::bigint FROM participants m WHERE m.conversation_id = page.id
) AS marks
FROM (
    SELECT c.id, c.active_at, c.rev FROM participants p JOIN conversations c ON c.id = p.conversation_id
    WHERE p.user_id = $1 AND ($2::timestamptz IS NULL OR (c.active_at, c.id) < ($2, $3::uuid))
    ORDER BY c.active_at DESC, c.id DESC LIMIT $4
) page ORDER BY page.active_at DESC, page.id DESC
"""
_SHOWN: Final = f"{CONVERSATION} WHERE c.id = ANY ($1::uuid[])"


@frozen
class ListedConversation:
    """One of a page of a user's list: its place, its rev, and the sum of all its members' marks."""

    cursor: ConversationCursor
    rev: int
    marks: int


class PostgresUserDirectory:
    """`UserDirectory` on PostgreSQL."""

    def __init__(self, database: Queries) -> None:
        self._database = database

    async def get(self, user_ids: Collection[UUID]) -> list[User]:
        return [user_of(row) for row in await self._database.fetch(_GET, list(user_ids))]

    async def add(self, user_id: UUID, email: str, name: str) -> tuple[User, bool]:
        async def run(connection: Connection) -> tuple[User, bool]:
            row = await connection.fetchrow(_ADD, user_id, email, name)
            if row is not None:
                return user_of(row), True
            row = await connection.fetchrow(_GET, [user_id])
            if row is None:
                raise ChatError(ErrorCode.CONFLICT, "Another user has this e-mail address")
            return user_of(row), False

        return await self._database.transaction(run)

    async def update(self, user_id: UUID, *, name: str | None, profile_picture_url: str | None) -> User:
        row = await self._database.fetchrow(_UPDATE, user_id, name, profile_picture_url)
        if row is None:
            raise not_found("The user")
        return user_of(row)

    async def search(self, text: str, *, offset: int, limit: int) -> tuple[list[User], int]:
        check_storable("search", text)
        wanted = text.strip().lower()
        if wanted:
            start = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            rows = await self._database.fetch(_SEARCH, wanted, start, f"% {start}", offset, limit)
        else:
            rows = await self._database.fetch(_ALL, offset, limit)
        return [user_of(row) for row in rows if row["id"] is not None], rows[0]["total"]

    async def conversations(
        self, user_id: UUID, *, before: ConversationCursor | None, limit: int
    ) -> list[tuple[Conversation, ConversationCursor]]:
        rows = await self._database.fetch(_CONVERSATIONS, user_id, *_bound_of(before), limit)
        return [(conversation_of(row), _cursor_of(row)) for row in rows]

    async def listed(self, user_id: UUID, *, before: ConversationCursor | None, limit: int) -> list[ListedConversation]:
        """What `conversations` gives, without what is shown."""
        rows = await self._database.fetch(_LISTED, user_id, *_bound_of(before), limit)
        return [ListedConversation(_cursor_of(row), row["rev"], row["marks"]) for row in rows]

    async def shown(self, conversation_ids: Collection[UUID]) -> dict[UUID, Conversation]:
        """Those that exist, by id."""
        rows = await self._database.fetch(_SHOWN, list(conversation_ids))
        return {row["id"]: conversation_of(row) for row in rows}

    async def conversation_ids(self, user_id: UUID) -> list[UUID]:
        rows = await self._database.fetch("SELECT conversation_id FROM participants WHERE user_id = $1", user_id)
        return [row["conversation_id"] for row in rows]


def _bound_of(before: ConversationCursor | None) -> tuple[datetime | None, UUID | None]:
    return (None, None) if before is None else (_time_of(before), before.conversation_id)


def _cursor_of(row: Row) -> ConversationCursor:
    return ConversationCursor((row["active_at"] - _EPOCH) // _MICROSECOND, row["id"])


def _time_of(cursor: ConversationCursor) -> datetime:
    try:
        return _EPOCH + cursor.activity_us * _MICROSECOND
    except OverflowError:
        raise invalid("before", "is no cursor of this list") from None
