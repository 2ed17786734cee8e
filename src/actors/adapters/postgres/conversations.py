"""Conversations and their members on PostgreSQL."""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from actors.adapters.postgres.changing import change_under_lock, end, load_existing, raised
from actors.adapters.postgres.database import Database
from actors.adapters.postgres.driver import Connection
from actors.adapters.postgres.relations import LOCK_PAIR
from actors.adapters.postgres.rows import load_conversation
from actors.adapters.rules import check_add, check_details, check_remove, check_size, heir, pair_of
from actors.ports import Roster
from chatcore.errors import invalid, silenced
from chatcore.model import Conversation, ConversationType, Mark, Participant, Role

_CREATE: Final = """
INSERT INTO conversations (id, type, name, avatar_url, direct_low, direct_high, active_at, created_at, updated_at)
SELECT $1, $2, $3, $4, $5, $6, now, now, now FROM clock_timestamp() now ON CONFLICT DO NOTHING RETURNING id
"""
_EXISTING: Final = "SELECT id FROM conversations WHERE (direct_low = $2 AND direct_high = $3) OR id = $1"
_JOIN: Final = """
INSERT INTO participants (conversation_id, user_id, role, joined_at, last_read_seq, last_delivered_seq)
SELECT c.id, t.user_id, t.role, now, c.last_seq, c.last_seq
FROM conversations c, clock_timestamp() now, unnest($2::uuid[], $3::text[]) t (user_id, role) WHERE c.id = $1
"""
_SILENCE: Final = """
UPDATE participants p SET silenced = true FROM blocks b
WHERE p.conversation_id = $1 AND p.user_id = b.blocked_id AND b.blocker_id = $2 AND b.blocked_id = $3
"""
_IS_BLOCKED: Final = "SELECT EXISTS (SELECT FROM blocks WHERE blocker_id = $1 AND blocked_id = $2)"
_LEAVE: Final = """
WITH unmuted AS (DELETE FROM mutes WHERE conversation_id = $1 AND user_id = $2)
DELETE FROM participants WHERE conversation_id = $1 AND user_id = $2
"""
_PROMOTE: Final = "UPDATE participants SET role = 'owner' WHERE conversation_id = $1 AND user_id = $2"
_DETAILS: Final = "UPDATE conversations SET name = $2, avatar_url = $3 WHERE id = $1"
_SAVE_MARKS: Final = """
WITH c AS MATERIALIZED (SELECT last_seq FROM conversations WHERE id = $1 FOR NO KEY UPDATE)
UPDATE participants p SET
    last_read_seq = greatest(p.last_read_seq, least(t.read, c.last_seq)),
    last_delivered_seq = greatest(
        p.last_delivered_seq, p.last_read_seq, least(greatest(t.delivered, t.read), c.last_seq)
    )
FROM c, unnest($2::uuid[], $3::bigint[], $4::bigint[]) t (user_id, read, delivered)
WHERE p.conversation_id = $1 AND p.user_id = t.user_id
"""


class PostgresConversationStore:
    """`ConversationStore` on PostgreSQL. Every change locks the conversation's row first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, conversation_id: UUID) -> Conversation | None:
        return await self._database.query(lambda connection: load_conversation(connection, conversation_id))

    async def create(
        self,
        conversation_id: UUID,
        type_: ConversationType,
        creator_id: UUID,
        member_ids: Collection[UUID],
        name: str | None,
        avatar_url: str | None,
    ) -> tuple[Conversation, bool]:
        members = sorted({creator_id, *member_ids})
        pair = pair_of(type_, set(members))
        low, high = pair or (None, None)
        other = None if pair is None else next(each for each in pair if each != creator_id)
        owner = creator_id if type_ is ConversationType.GROUP else None
        roles = [Role.OWNER if each == owner else Role.MEMBER for each in members]

        async def run(connection: Connection) -> tuple[Conversation, bool]:
            await _check_users(connection, "participantIds", members)
            if other is not None:
                await connection.execute(LOCK_PAIR, creator_id, other)
                if await connection.fetchval(_IS_BLOCKED, other, creator_id):
                    raise silenced()
            created = await connection.fetchval(_CREATE, conversation_id, type_, name, avatar_url, low, high)
            if created is not None:
                await connection.execute(_JOIN, conversation_id, members, roles)
                if other is not None:
                    await connection.execute(_SILENCE, conversation_id, creator_id, other)
                return await load_existing(connection, conversation_id), True
            # A statement of its own sees what the transaction that was first has committed meanwhile.
            existing = await connection.fetchval(_EXISTING, conversation_id, low, high)
            return await load_existing(connection, existing), False

        return await self._database.transaction(run)

    async def add_members(
        self, conversation_id: UUID, by: UUID, user_ids: Collection[UUID], *, max_members: int
    ) -> Roster:
        wanted = list(dict.fromkeys(user_ids))

        async def run(connection: Connection, now: Conversation, members: dict[UUID, Participant]) -> Roster:
            check_add(now.type, members.get(by))
            await _check_users(connection, "userIds", wanted)
            added = [each for each in wanted if each not in members]
            check_size(len(members) + len(added), max_members)
            if not added:
                return Roster(now)
            await connection.execute(_JOIN, conversation_id, added, [Role.MEMBER] * len(added))
            return Roster(await raised(connection, conversation_id), added=tuple(added))

        return await change_under_lock(self._database, conversation_id, run)

    async def remove_member(self, conversation_id: UUID, by: UUID, user_id: UUID) -> Roster:
        async def run(connection: Connection, now: Conversation, members: dict[UUID, Participant]) -> Roster:
            gone = check_remove(now.type, members.get(by), members.pop(user_id, None))
            if not members:
                await end(connection, conversation_id)
                return Roster(now, removed=(user_id,), deleted=True)
            await connection.execute(_LEAVE, conversation_id, user_id)
            if gone.role is Role.OWNER and (successor := heir(members.values())) is not None:
                await connection.execute(_PROMOTE, conversation_id, successor.user_id)
            return Roster(await raised(connection, conversation_id), removed=(user_id,))

        return await change_under_lock(self._database, conversation_id, run)

    async def change_details(
        self, conversation_id: UUID, by: UUID, *, name: str | None, avatar_url: str | None
    ) -> Roster:
        async def run(connection: Connection, now: Conversation, members: dict[UUID, Participant]) -> Roster:
            check_details(now.type, members.get(by), name, avatar_url)
            new_name = now.name if name is None else name or None
            new_avatar = now.avatar_url if avatar_url is None else avatar_url or None
            if (new_name, new_avatar) == (now.name, now.avatar_url):
                return Roster(now)
            await connection.execute(_DETAILS, conversation_id, new_name, new_avatar)
            return Roster(await raised(connection, conversation_id))

        return await change_under_lock(self._database, conversation_id, run)

    async def save_marks(self, conversation_id: UUID, marks: Sequence[Mark]) -> None:
        merged: dict[UUID, Mark] = {}
        for mark in marks:
            old = merged.get(mark.user_id, mark)
            read, delivered = max(old.read_seq, mark.read_seq), max(old.delivered_seq, mark.delivered_seq)
            merged[mark.user_id] = Mark(mark.user_id, read, delivered)
        rows = merged.values()
        await self._database.fetch(
            _SAVE_MARKS,
            conversation_id,
            [each.user_id for each in rows],
            [each.read_seq for each in rows],
            [each.delivered_seq for each in rows],
        )


async def _check_users(connection: Connection, field: str, user_ids: Collection[UUID]) -> None:
    known = await connection.fetchval(
        "SELECT count(*) FROM users WHERE id = ANY ($1) AND erased_at IS NULL", list(user_ids)
    )
    if known != len(set(user_ids)):
        raise invalid(field, "names a user that does not exist")
