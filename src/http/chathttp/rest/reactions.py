"""`/api/messages/{id}/reactions`."""

from uuid import UUID

import trio
from quart import Blueprint, Response

from actors.conversation.messages import React
from chatcore.emoji import check_emoji
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Event
from chathttp.rest.access import existing_message
from chathttp.rest.answers import caller, no_content
from chathttp.rest.guard import require_token
from chathttp.rest.services import Services


def reactions_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("reactions", __name__, url_prefix="/api/messages/<uuid:message_id>/reactions")
    require_token(blueprint, services)

    async def react(message_id: UUID, emoji: str, *, present: bool) -> Response:
        user_id = caller().user_id
        check_emoji(emoji)
        # It goes to as many as a message does.
        wait = services.send_limiter.take(user_id, trio.current_time())
        if wait is not None:
            raise ChatError(ErrorCode.RATE_LIMITED, "Too many messages and reactions", retry_after=wait)
        message = await existing_message(services, message_id)
        _: Event | None = await services.conversations.ref(message.conversation_id).ask(
            lambda reply: React(message_id, user_id, emoji, present, reply), timeout=services.settings.ask_timeout
        )
        return no_content()

    @blueprint.put("/<emoji>")
    async def add(message_id: UUID, emoji: str) -> Response:
        return await react(message_id, emoji, present=True)

    @blueprint.delete("/<emoji>")
    async def take_back(message_id: UUID, emoji: str) -> Response:
        return await react(message_id, emoji, present=False)

    return blueprint
