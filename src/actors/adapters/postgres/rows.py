"""How rows become values of the domain."""

import json
from typing import Final
from uuid import UUID

from actors.adapters.postgres.driver import Connection, Row
from chatcore.model import Conversation, ConversationType, Message, Participant, Reaction, Role, User

USER: Final = "u.id, u.email, u.name, u.profile_picture_url, u.created_at"
"""Columns of `users u` for `user_of`."""

SHOWN_REACTORS: Final = "stackmentor.shown_reactors"
"""The session's setting that says how many users are named with each reaction of a message."""

MESSAGE_FIELDS: Final = (
    "conversation_id",
    "id",
    "seq",
    "rev",
    "created_rev",
    "sender_id",
    "body",
    "created_at",
    "client_message_id",
    "reply_to",
    "edited_at",
    "deleted_at",
    "attachment_ids",
)

RAW_MESSAGE: Final = ", ".join(f"m.{field}" for field in MESSAGE_FIELDS)
"""The columns of `messages m` that `MESSAGE` needs, for subqueries."""

# The rev tells without a look which messages were never reacted to: nearly all.
_REACTIONS: Final = f"""
CASE WHEN m.rev > m.created_rev AND m.deleted_at IS NULL THEN (
    SELECT json_agg(json_build_object('emoji', each.emoji, 'count', each.n, 'userIds', each.user_ids)
        ORDER BY each.first_rev)
    FROM (
        SELECT r.emoji, count(*) AS n, min(r.rev) AS first_rev,
            (array_agg(r.user_id ORDER BY r.rev))[:current_setting('{SHOWN_REACTORS}')::int] AS user_ids
        FROM reactions r WHERE r.conversation_id = m.conversation_id AND r.seq = m.seq GROUP BY r.emoji
    ) each
) END AS m_reactions
"""

MESSAGE: Final = (
    ", ".join(f"m.{field} AS m_{field}" for field in MESSAGE_FIELDS) + f", s.name AS m_sender_name, {_REACTIONS}"
)
"""Columns of `messages m` and its sender `users s` for `message_of`."""

CONVERSATION: Final = f"""
SELECT c.id, c.type, c.name, c.avatar_url, c.first_seq, c.last_seq, c.rev, c.cut_rev, c.active_at,
    c.created_at, c.updated_at,
    p.user_ids, p.names, p.roles, p.joined_at, p.read_seqs, p.delivered_seqs, p.silenced, last.*
FROM conversations c
CROSS JOIN LATERAL (
    SELECT array_agg(each.user_id) AS user_ids, array_agg(each.name) AS names, array_agg(each.role) AS roles,
        array_agg(each.joined_at) AS joined_at, array_agg(each.last_read_seq) AS read_seqs,
        array_agg(each.last_delivered_seq) AS delivered_seqs, array_agg(each.silenced) AS silenced
    FROM (
        SELECT p.*, u.name FROM participants p JOIN users u ON u.id = p.user_id
        WHERE p.conversation_id = c.id ORDER BY p.joined_at, p.user_id
    ) each
) p
LEFT JOIN LATERAL (
    SELECT {MESSAGE} FROM messages m JOIN users s ON s.id = m.sender_id
    WHERE m.conversation_id = c.id AND m.seq = c.last_seq
) last ON true
"""
"""All of `conversations c` for `conversation_of`, in one snapshot; wants a WHERE."""


async def load_conversation(connection: Connection, conversation_id: object) -> Conversation | None:
    row = await connection.fetchrow(f"{CONVERSATION} WHERE c.id = $1", conversation_id)
    return None if row is None else conversation_of(row)


def user_of(row: Row) -> User:
    return User(row["id"], row["email"], row["name"], row["profile_picture_url"], row["created_at"])


def message_of(row: Row) -> Message:
    return Message(
        id=row["m_id"],
        conversation_id=row["m_conversation_id"],
        seq=row["m_seq"],
        rev=row["m_rev"],
        created_rev=row["m_created_rev"],
        sender_id=row["m_sender_id"],
        sender_name=row["m_sender_name"],
        text=row["m_body"],
        created_at=row["m_created_at"],
        client_message_id=row["m_client_message_id"],
        reply_to=row["m_reply_to"],
        edited_at=row["m_edited_at"],
        deleted_at=row["m_deleted_at"],
        attachment_ids=tuple(row["m_attachment_ids"] or ()),
        reactions=_reactions_of(row["m_reactions"]),
    )


def _reactions_of(value: str | None) -> tuple[Reaction, ...]:
    if value is None:
        return ()
    return tuple(
        Reaction(each["emoji"], each["count"], tuple(map(UUID, each["userIds"]))) for each in json.loads(value)
    )


def conversation_of(row: Row) -> Conversation:
    columns = ("user_ids", "names", "roles", "joined_at", "read_seqs", "delivered_seqs", "silenced")
    members = zip(*(row[column] or () for column in columns), strict=True)
    return Conversation(
        id=row["id"],
        type=ConversationType(row["type"]),
        name=row["name"],
        avatar_url=row["avatar_url"],
        participants=tuple(
            Participant(user_id, name, Role(role), joined_at, read_seq, delivered_seq, silenced)
            for user_id, name, role, joined_at, read_seq, delivered_seq, silenced in members
        ),
        first_seq=row["first_seq"],
        last_seq=row["last_seq"],
        rev=row["rev"],
        last_message=None if row["m_id"] is None else message_of(row),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        cut_rev=row["cut_rev"],
    )
