"""`/api/conversations`."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import Final
from uuid import UUID

from quart import Blueprint, Response

from actors.conversation.messages import MarkRead
from actors.ports import ConversationCursor
from chatcore.errors import invalid
from chatcore.model import ConversationType
from chathttp.json_body import RequestBody, decoder_of
from chathttp.rest.access import member_conversation
from chathttp.rest.administration import Administration
from chathttp.rest.answers import body, caller, json_answer, no_content, size_parameter, text_parameter
from chathttp.rest.guard import require_token
from chathttp.rest.services import Services
from chathttp.wire import check_seq

_CURSOR: Final = struct.Struct(">q16s")


class _Create(RequestBody, frozen=True):
    type: ConversationType
    participant_ids: list[UUID]
    name: str | None = None
    avatar_url: str | None = None


class _Read(RequestBody, frozen=True):
    seq: int


_decode_create: Final = decoder_of(_Create)
_decode_read: Final = decoder_of(_Read)


def write_cursor(cursor: ConversationCursor) -> str:
    return urlsafe_b64encode(_CURSOR.pack(cursor.activity_us, cursor.conversation_id.bytes)).decode()


def read_cursor(text: str) -> ConversationCursor:
    """Errors: `VALIDATION_ERROR` for what `write_cursor` never wrote."""
    try:
        activity_us, id_bytes = _CURSOR.unpack(urlsafe_b64decode(text.encode("ascii")))
        cursor = ConversationCursor(activity_us, UUID(bytes=id_bytes))
    except (Base64Error, ValueError, struct.error):
        raise invalid("before", "is not a cursor") from None
    if write_cursor(cursor) != text:
        raise invalid("before", "is not a cursor")
    return cursor


def conversations_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("conversations", __name__, url_prefix="/api/conversations")
    require_token(blueprint, services)
    timeout = services.settings.ask_timeout

    administration = Administration(services)

    @blueprint.post("")
    async def create() -> Response:
        given = await body(_decode_create)
        return await administration.create(
            given.type, given.participant_ids, "participantIds", given.name, given.avatar_url
        )

    @blueprint.get("")
    async def list_mine() -> Response:
        limit = size_parameter("limit", 50)
        before = text_parameter("before", max_length=64)
        cursor = None if before is None else read_cursor(before)
        rows = await services.users.conversations(caller().user_id, before=cursor, limit=limit + 1)
        headers: dict[str, str] = {}
        if len(rows) > limit:
            following = write_cursor(rows[limit - 1][1])
            headers["Link"] = f'</api/conversations?limit={limit}&before={following}>; rel="next"'
        content = [await administration.seen(conversation) for conversation, _ in rows[:limit]]
        return json_answer(content, headers=headers)

    @blueprint.get("/<uuid:conversation_id>")
    async def read_one(conversation_id: UUID) -> Response:
        return await administration.answer(await member_conversation(services, conversation_id, caller().user_id))

    @blueprint.patch("/<uuid:conversation_id>")
    async def change(conversation_id: UUID) -> Response:
        return await administration.change_details(conversation_id)

    @blueprint.post("/<uuid:conversation_id>/participants")
    async def add(conversation_id: UUID) -> Response:
        return await administration.add(conversation_id)

    @blueprint.patch("/<uuid:conversation_id>/participants/<uuid:member_id>")
    async def change_role(conversation_id: UUID, member_id: UUID) -> Response:
        return await administration.change_role(conversation_id, member_id)

    @blueprint.delete("/<uuid:conversation_id>/participants/<uuid:member_id>")
    async def remove(conversation_id: UUID, member_id: UUID) -> Response:
        await administration.remove(conversation_id, member_id)
        return no_content()

    @blueprint.put("/<uuid:conversation_id>/read")
    async def mark_read(conversation_id: UUID) -> Response:
        user_id, given = caller().user_id, await body(_decode_read)
        check_seq(given.seq)
        _: None = await services.conversations.ref(conversation_id).ask(
            lambda reply: MarkRead(user_id, given.seq, reply, durable=True), timeout=timeout
        )
        return no_content()

    return blueprint
