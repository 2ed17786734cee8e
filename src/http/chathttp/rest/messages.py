"""`/api/messages`."""

from typing import Final
from uuid import UUID

import trio
from quart import Blueprint, Response, request

from actors.conversation.messages import Delete, Edit, MarkRead, Post
from actors.ports import Standing
from actors.tracing.hops import Tracing
from chatcore.errors import ChatError, ErrorCode, invalid, unavailable
from chatcore.model import Appended, Event, Message, NewMessage
from chatcore.validation import check_text
from chathttp.json_body import RequestBody, decoder_of
from chathttp.rest.access import existing_message, live_read_seq
from chathttp.rest.answers import (
    body,
    caller,
    integer_parameter,
    json_answer,
    no_content,
    page_parameter,
    size_parameter,
    total_pages,
    uuid_parameter,
)
from chathttp.rest.guard import require_token
from chathttp.rest.services import Services
from chathttp.wire import PageJson, decode_send_message, message_json

MODERATING_ROLES: Final = frozenset({"admins", "moderators"})
_BOUNDS: Final = ("page", "beforeSeq", "afterSeq", "afterRev")


class _Edit(RequestBody, frozen=True):
    text: str


_decode_edit: Final = decoder_of(_Edit)


def messages_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("messages", __name__, url_prefix="/api/messages")
    require_token(blueprint, services)
    timeout = services.settings.ask_timeout

    @blueprint.post("")
    async def send() -> Response:
        user_id, given = caller().user_id, await body(decode_send_message)
        wait = services.send_limiter.take(user_id, trio.current_time())
        if wait is not None:
            raise ChatError(ErrorCode.RATE_LIMITED, "Too many messages", retry_after=wait)
        new = NewMessage(
            id=services.new_id(),
            conversation_id=given.conversation_id,
            sender_id=user_id,
            text=given.text,
            client_message_id=given.client_message_id,
            reply_to=given.reply_to,
            attachment_ids=tuple(given.attachment_ids or ()),
        )
        if new.attachment_ids:
            await services.attachments.check_uploads(user_id, new.attachment_ids)
        if Tracing.by is not None:
            Tracing.by.begin(new)
        appended: Appended = await services.conversations.ref(new.conversation_id).ask(
            lambda reply: Post(new, reply), timeout=timeout
        )
        # Read back: a repeat answers with the message as it is now.
        stored = await services.history.find([appended.id], new.conversation_id)
        if not stored:
            raise unavailable()
        return json_answer(message_json(stored[0], is_read=True), 201 if appended.was_new else 200)

    @blueprint.get("")
    async def page() -> Response:
        user_id = caller().user_id
        conversation_id, size = uuid_parameter("conversationId"), size_parameter("size", 50)
        if sum(name in request.args for name in _BOUNDS) > 1:
            raise invalid("page", f"at most one of {', '.join(_BOUNDS)} may be given")
        number = page_parameter() or 0
        before, after = integer_parameter("beforeSeq"), integer_parameter("afterSeq")
        after_rev = integer_parameter("afterRev")
        standing = await services.standings.standing(conversation_id, user_id)
        pages, seen_rev = services.pages, standing.rev
        if after_rev is not None:
            found = await pages.changed(
                conversation_id, after_rev=after_rev, limit=size, user_id=user_id, seen_rev=seen_rev
            )
        elif after is not None:
            found = await pages.oldest(conversation_id, after_seq=after, limit=size, user_id=user_id, seen_rev=seen_rev)
        else:
            upper = before if before is not None else standing.last_seq + 1 - number * size
            found = (
                await pages.newest(conversation_id, before_seq=upper, limit=size, user_id=user_id, seen_rev=seen_rev)
                if upper > 1
                else []
            )
        read = max(standing.read_seq, await live_read_seq(services, conversation_id, user_id))
        return json_answer(_page(standing, read, found, number, size))

    @blueprint.patch("/<uuid:message_id>")
    async def edit(message_id: UUID) -> Response:
        user_id, given = caller().user_id, await body(_decode_edit)
        check_text(given.text)
        message = await existing_message(services, message_id)
        event: Event = await services.conversations.ref(message.conversation_id).ask(
            lambda reply: Edit(message_id, user_id, given.text, reply), timeout=timeout
        )
        return json_answer(message_json(event.message, is_read=True))

    @blueprint.delete("/<uuid:message_id>")
    async def delete(message_id: UUID) -> Response:
        principal = caller()
        message = await existing_message(services, message_id)
        moderator = not MODERATING_ROLES.isdisjoint(principal.roles)
        _: Event | None = await services.conversations.ref(message.conversation_id).ask(
            lambda reply: Delete(message_id, principal.user_id, moderator, reply), timeout=timeout
        )
        return no_content()

    @blueprint.put("/<uuid:message_id>/read")
    async def mark_read(message_id: UUID) -> Response:
        user_id = caller().user_id
        message = await existing_message(services, message_id)
        _: None = await services.conversations.ref(message.conversation_id).ask(
            lambda reply: MarkRead(user_id, message.seq, reply, durable=True), timeout=timeout
        )
        return no_content()

    return blueprint


def _page(standing: Standing, read: int, found: list[Message], number: int, size: int) -> PageJson:
    total = standing.last_seq - standing.first_seq + 1
    content = [message_json(each, is_read=each.seq <= read) for each in found]
    return PageJson(content, number, size, total, total_pages(total, size))
