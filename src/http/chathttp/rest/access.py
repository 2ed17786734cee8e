"""What a caller may see of a conversation."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from actors.conversation.messages import Join, Marks, Position
from chatcore.errors import ChatError, ErrorCode, forbidden, not_found
from chatcore.model import Conversation, Mark, Message
from chathttp.rest.services import Services

LIVE_MARKS_TIMEOUT: Final = 0.2
"""Seconds; stored marks are a second old at most, so nobody is kept waiting for newer ones."""


async def member_conversation(services: Services, conversation_id: UUID, user_id: UUID) -> Conversation:
    """The conversation. Errors: `NOT_FOUND` when there is none, `FORBIDDEN` when the user is no member."""
    conversation = await services.store.load(conversation_id)
    if conversation is None:
        raise not_found("Conversation")
    if all(each.user_id != user_id for each in conversation.participants):
        raise forbidden()
    return conversation


async def live_marks(services: Services, conversation_id: UUID) -> Mapping[UUID, Mark]:
    """Marks that may not be stored yet; none when the conversation is not in use here, or too busy to tell."""
    actor = services.conversations.live(conversation_id)
    if actor is None:
        return {}
    try:
        marks: Mapping[UUID, Mark] = await actor.ask(Marks, timeout=LIVE_MARKS_TIMEOUT)
    except ChatError as error:
        if error.code in {ErrorCode.OVERLOADED, ErrorCode.UNAVAILABLE, ErrorCode.NOT_FOUND}:
            return {}
        raise
    return marks


async def existing_message(services: Services, message_id: UUID) -> Message:
    """Errors: `NOT_FOUND`."""
    found = await services.history.find([message_id])
    if not found:
        raise not_found("Message")
    return found[0]


async def live_read_seq(services: Services, conversation_id: UUID, user_id: UUID) -> int:
    """The member's read mark that may not be stored yet; 0 where `live_marks` would have none."""
    actor = services.conversations.live(conversation_id)
    if actor is None:
        return 0
    try:
        position: Position = await actor.ask(lambda reply: Join(user_id, reply), timeout=LIVE_MARKS_TIMEOUT)
    except ChatError:
        return 0
    return position.mark.read_seq
