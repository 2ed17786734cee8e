"""`/api/conversations`."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import Final
from uuid import UUID

import msgspec
from quart import Blueprint, Response

from actors.conversation.messages import AddMembers, ChangeDetails, MarkRead, RemoveMember
from actors.ports import ConversationCursor, Roster
from actors.users.messages import Notify
from chatcore.errors import invalid
from chatcore.model import Conversation, ConversationType, Notification, NotificationType
from chatcore.validation import check_name, check_url
from chathttp.json_body import RequestBody, decoder_of
from chathttp.rest.access import live_marks, member_conversation
from chathttp.rest.answers import body, caller, json_answer, no_content, size_parameter, text_parameter
from chathttp.rest.guard import require_token
from chathttp.rest.services import Services
from chathttp.wire import ConversationJson, JsonBodyEncoder, check_seq, conversation_json

_CURSOR: Final = struct.Struct(">q16s")


class _Create(RequestBody, frozen=True):
    type: ConversationType
    participant_ids: list[UUID]
    name: str | None = None
    avatar_url: str | None = None


class _Change(RequestBody, frozen=True):
    name: str | msgspec.UnsetType | None = msgspec.UNSET
    avatar_url: str | msgspec.UnsetType | None = msgspec.UNSET


class _Add(RequestBody, frozen=True):
    user_ids: list[UUID]


class _Read(RequestBody, frozen=True):
    seq: int


_decode_create: Final = decoder_of(_Create)
_decode_change: Final = decoder_of(_Change)
_decode_add: Final = decoder_of(_Add)
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


def _checked_name(name: str | None) -> str | None:
    return None if name is None else check_name("name", name)


def _checked_url(url: str | None) -> str | None:
    if url:
        check_url("avatarUrl", url)
    return url


def conversations_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("conversations", __name__, url_prefix="/api/conversations")
    require_token(blueprint, services)
    timeout = services.settings.ask_timeout

    async def answer(conversation: Conversation, status: int = 200) -> Response:
        return json_answer(await _as_seen(services, conversation), status)

    @blueprint.post("")
    async def create() -> Response:
        conversation, is_new = await _create(services, await body(_decode_create))
        return await answer(conversation, 201 if is_new else 200)

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
        content = [await _as_seen(services, conversation) for conversation, _ in rows[:limit]]
        return json_answer(content, headers=headers)

    @blueprint.get("/<uuid:conversation_id>")
    async def read_one(conversation_id: UUID) -> Response:
        return await answer(await member_conversation(services, conversation_id, caller().user_id))

    @blueprint.patch("/<uuid:conversation_id>")
    async def change(conversation_id: UUID) -> Response:
        user_id, given = caller().user_id, await body(_decode_change)
        name = None if given.name is msgspec.UNSET else _checked_name(given.name or None) or ""
        avatar_url = None if given.avatar_url is msgspec.UNSET else _checked_url(given.avatar_url) or ""
        roster: Roster = await services.conversations.ref(conversation_id).ask(
            lambda reply: ChangeDetails(user_id, name, avatar_url, reply), timeout=timeout
        )
        return await answer(roster.conversation)

    @blueprint.post("/<uuid:conversation_id>/participants")
    async def add(conversation_id: UUID) -> Response:
        user_id, given = caller().user_id, await body(_decode_add)
        new_ids = tuple(dict.fromkeys(given.user_ids))
        if not 1 <= len(new_ids) <= services.settings.max_group_size:
            raise invalid("userIds", f"must be 1 to {services.settings.max_group_size}")
        roster: Roster = await services.conversations.ref(conversation_id).ask(
            lambda reply: AddMembers(user_id, new_ids, reply), timeout=timeout
        )
        return await answer(roster.conversation)

    @blueprint.delete("/<uuid:conversation_id>/participants/<uuid:member_id>")
    async def remove(conversation_id: UUID, member_id: UUID) -> Response:
        user_id = caller().user_id
        _: Roster = await services.conversations.ref(conversation_id).ask(
            lambda reply: RemoveMember(user_id, member_id, reply), timeout=timeout
        )
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


async def _as_seen(services: Services, conversation: Conversation) -> ConversationJson:
    return conversation_json(conversation, caller().user_id, await live_marks(services, conversation.id))


async def _create(services: Services, given: _Create) -> tuple[Conversation, bool]:
    user_id, limit = caller().user_id, services.settings.max_group_size
    others = [each for each in dict.fromkeys(given.participant_ids) if each != user_id]
    name, avatar_url = _checked_name(given.name), _checked_url(given.avatar_url)
    if given.type is ConversationType.DIRECT:
        # Two people have no name for what is between them.
        name = avatar_url = None
        if len(others) != 1:
            raise invalid("participantIds", "must name exactly one other user")
    elif len(others) >= limit:
        raise invalid("participantIds", f"must be fewer than {limit}")
    conversation, is_new = await services.store.create(
        services.new_id(), given.type, user_id, others, name, avatar_url or None
    )
    if is_new:
        created = JsonBodyEncoder().notification(Notification(NotificationType.CONVERSATION_CREATED, conversation.id))
        services.tell_users(Notify(conversation.id, [(each.user_id, created) for each in conversation.participants]))
    return conversation, is_new
