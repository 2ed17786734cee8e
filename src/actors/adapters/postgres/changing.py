"""Changes of a conversation itself: under its row's lock, counted by its rev."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from actors.adapters.postgres.database import Database
from actors.adapters.postgres.driver import Connection
from actors.adapters.postgres.rows import load_conversation
from actors.ports import Roster
from chatcore.errors import not_found
from chatcore.model import Conversation, Participant

_LOCK: Final = "SELECT rev FROM conversations WHERE id = $1 FOR NO KEY UPDATE"
_RAISE_REV: Final = """
UPDATE conversations SET rev = rev + 1, updated_at = greatest(updated_at, clock_timestamp()) WHERE id = $1
"""
_END: Final = """
WITH unmuted AS (
    DELETE FROM mutes WHERE conversation_id = $1
), ended AS (
    DELETE FROM conversations WHERE id = $1
)
INSERT INTO deleted_conversations (id) VALUES ($1)
"""

Change = Callable[[Connection, Conversation, dict[UUID, Participant]], Awaitable[Roster]]


async def change_under_lock(database: Database, conversation_id: UUID, change: Change) -> Roster:
    """Run `change` with the conversation as it stands under its lock, and its members by user. Errors: `NOT_FOUND`."""

    async def run(connection: Connection) -> Roster:
        if await connection.fetchrow(_LOCK, conversation_id) is None:
            raise not_found("The conversation")
        now = await load_existing(connection, conversation_id)
        return await change(connection, now, {each.user_id: each for each in now.participants})

    return await database.transaction(run)


async def raised(connection: Connection, conversation_id: UUID) -> Conversation:
    """Count the change, and give the conversation as it will be after the commit."""
    await connection.execute(_RAISE_REV, conversation_id)
    return await load_existing(connection, conversation_id)


async def end(connection: Connection, conversation_id: UUID) -> None:
    """It is gone with its members; its messages are left to the purge."""
    await connection.execute(_END, conversation_id)


async def load_existing(connection: Connection, conversation_id: UUID) -> Conversation:
    conversation = await load_conversation(connection, conversation_id)
    if conversation is None:
        raise not_found("The conversation")
    return conversation
