"""The contract's JSON: what the server sends, and the bodies of the frames that a socket client sends."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from actors.presence.ports import Seen
from actors.search import SearchHit
from chatcore.errors import invalid
from chatcore.features import Feature
from chatcore.model import Conversation, Event, Mark, Message, Notification, Participant, User
from chatcore.validation import check_attachments, check_client_message_id, check_text
from chathttp.json_body import RequestBody, decoder_of

ATTACHMENTS_PATH: Final = "/api/attachments"
"""The id of an attachment follows."""
PREVIEW_LENGTH: Final = 140
"""Code points of a message's text in a notification."""


def timestamp(time: datetime) -> str:
    """RFC 3339 in UTC with exactly three decimals and `Z`; what is below a millisecond is cut off."""
    return time.isoformat(timespec="milliseconds")[:23] + "Z"


class _Reaction(msgspec.Struct, rename="camel", frozen=True):
    emoji: str
    count: int
    user_ids: tuple[UUID, ...]


class MessageJson(msgspec.Struct, rename="camel", frozen=True, gc=False):
    id: UUID
    conversation_id: UUID
    seq: int
    rev: int
    sender_id: UUID
    sender_name: str
    text: str
    attachment_urls: tuple[str, ...]
    timestamp: str
    is_read: bool
    client_message_id: str | None
    reply_to: UUID | None
    edited_at: str | None
    deleted_at: str | None
    reactions: tuple[_Reaction, ...]


class _ParticipantJson(msgspec.Struct, rename="camel", frozen=True):
    user_id: UUID
    name: str
    role: str
    joined_at: str
    last_read_seq: int
    last_delivered_seq: int


class ConversationJson(msgspec.Struct, rename="camel", frozen=True):
    id: UUID
    type: str
    name: str | None
    avatar_url: str | None
    participants: list[_ParticipantJson]
    last_seq: int
    rev: int
    last_message: MessageJson | None
    unread_count: int
    created_at: str
    updated_at: str


class UserJson(msgspec.Struct, rename="camel", frozen=True):
    id: UUID
    email: str | None
    name: str
    profile_picture_url: str | None
    created_at: str


class PageJson(msgspec.Struct, rename="camel", frozen=True):
    content: list[MessageJson] | list[UserJson]
    page: int
    size: int
    total_elements: int
    total_pages: int


class _FragmentJson(msgspec.Struct, rename="camel", frozen=True):
    text: str
    is_match: bool


class SearchHitJson(msgspec.Struct, rename="camel", frozen=True):
    message: MessageJson
    excerpt: list[_FragmentJson]


class FeatureJson(msgspec.Struct, rename="camel", frozen=True):
    name: str
    enabled: bool
    beta_user_ids: list[UUID]
    percent: float


class _Typing(msgspec.Struct, rename="camel", frozen=True):
    conversation_id: UUID
    user_id: UUID
    is_typing: bool


class _MarkJson(msgspec.Struct, rename="camel", frozen=True):
    conversation_id: UUID
    user_id: UUID
    last_read_seq: int
    last_delivered_seq: int


class PresenceJson(msgspec.Struct, rename="camel", frozen=True):
    user_id: UUID
    online: bool
    last_seen_at: str | None


class _PresenceEvent(msgspec.Struct, rename="camel", frozen=True):
    conversation_id: UUID
    user_id: UUID
    online: bool


class _Notification(msgspec.Struct, rename="camel", frozen=True, omit_defaults=True):
    type: str
    conversation_id: UUID
    user_id: UUID | None = None
    message_id: UUID | None = None
    seq: int | None = None
    sender_id: UUID | None = None
    sender_name: str | None = None
    preview: str | None = None
    unread_count: int | None = None
    mentioned: bool = False


_encode: Final = msgspec.json.Encoder().encode


def to_json(value: msgspec.Struct | Sequence[msgspec.Struct] | Mapping[str, bool]) -> bytes:
    return _encode(value)


def message_json(message: Message, *, is_read: bool) -> MessageJson:
    """`is_read` is the reader's own: his read mark has reached the message."""
    return MessageJson(
        message.id,
        message.conversation_id,
        message.seq,
        message.rev,
        message.sender_id,
        message.sender_name,
        message.text,
        tuple(f"{ATTACHMENTS_PATH}/{each}" for each in message.attachment_ids) if message.attachment_ids else (),
        timestamp(message.created_at),
        is_read,
        message.client_message_id,
        message.reply_to,
        None if message.edited_at is None else timestamp(message.edited_at),
        None if message.deleted_at is None else timestamp(message.deleted_at),
        tuple([_Reaction(each.emoji, each.count, each.user_ids) for each in message.reactions])
        if message.reactions
        else (),
    )


def search_hit_json(hit: SearchHit, *, is_read: bool) -> SearchHitJson:
    excerpt = [_FragmentJson(each.text, each.is_match) for each in hit.excerpt]
    return SearchHitJson(message_json(hit.message, is_read=is_read), excerpt)


def feature_json(feature: Feature) -> FeatureJson:
    return FeatureJson(feature.name, feature.enabled, sorted(feature.beta_user_ids), feature.percent)


def participant_json(participant: Participant, mark: Mark | None = None) -> _ParticipantJson:
    """`mark` holds marks newer than the database's, from the live conversation; the higher ones show."""
    read, delivered = participant.last_read_seq, participant.last_delivered_seq
    if mark is not None:
        read, delivered = max(read, mark.read_seq), max(delivered, mark.delivered_seq)
    return _ParticipantJson(
        participant.user_id,
        participant.name,
        participant.role.value,
        timestamp(participant.joined_at),
        read,
        delivered,
    )


def conversation_json(
    conversation: Conversation, reader: UUID, live_marks: Mapping[UUID, Mark] | None = None
) -> ConversationJson:
    """As `reader` sees it: `unreadCount` and `lastMessage.isRead` are his."""
    marks = live_marks or {}
    participants = [participant_json(each, marks.get(each.user_id)) for each in conversation.participants]
    read = next((each.last_read_seq for each in participants if each.user_id == reader), 0)
    last = conversation.last_message
    return ConversationJson(
        id=conversation.id,
        type=conversation.type.value,
        name=conversation.name,
        avatar_url=conversation.avatar_url,
        participants=participants,
        last_seq=conversation.last_seq,
        rev=conversation.rev,
        last_message=None if last is None else message_json(last, is_read=last.seq <= read),
        unread_count=max(0, conversation.last_seq - read),
        created_at=timestamp(conversation.created_at),
        updated_at=timestamp(conversation.updated_at),
    )


def user_json(user: User, reader: UUID) -> UserJson:
    """The e-mail is null to everybody but the user himself."""
    return UserJson(
        user.id,
        user.email if user.id == reader else None,
        user.name,
        user.profile_picture_url,
        timestamp(user.created_at),
    )


def presence_json(user_id: UUID, seen: Seen) -> PresenceJson:
    return PresenceJson(user_id, seen.online, None if seen.last_seen_at is None else timestamp(seen.last_seen_at))


class JsonBodyEncoder:
    """The bodies of live frames, the same bytes for every subscriber. A message takes about 2 µs."""

    def message(self, event: Event) -> bytes:
        return _encode(message_json(event.message, is_read=False))

    def typing(self, conversation_id: UUID, user_id: UUID, *, is_typing: bool) -> bytes:
        return _encode(_Typing(conversation_id, user_id, is_typing))

    def mark(self, conversation_id: UUID, user_id: UUID, *, read_seq: int, delivered_seq: int) -> bytes:
        return _encode(_MarkJson(conversation_id, user_id, read_seq, delivered_seq))

    def presence(self, conversation_id: UUID, user_id: UUID, *, online: bool) -> bytes:
        return _encode(_PresenceEvent(conversation_id, user_id, online))

    def notification(self, notification: Notification) -> bytes:
        """`message.created` bears the beginning of the text and the reader's unread count."""
        message = notification.message
        if message is None:
            body = _Notification(notification.type.value, notification.conversation_id, user_id=notification.user_id)
        else:
            body = _Notification(
                notification.type.value,
                notification.conversation_id,
                message_id=message.id,
                seq=message.seq,
                sender_id=message.sender_id,
                sender_name=message.sender_name,
                preview=message.text[:PREVIEW_LENGTH],
                unread_count=notification.unread_count,
                mentioned=notification.mentioned,
            )
        return _encode(body)


class SendMessageBody(RequestBody, frozen=True):
    conversation_id: UUID
    text: str
    attachment_ids: list[UUID] | None = None
    client_message_id: str | None = None
    reply_to: UUID | None = None


class TypingBody(RequestBody, frozen=True):
    conversation_id: UUID


class ReadBody(RequestBody, frozen=True):
    conversation_id: UUID
    seq: int


class AuthRefreshBody(RequestBody, frozen=True):
    access_token: str


decode_typing: Final = decoder_of(TypingBody)
decode_auth_refresh: Final = decoder_of(AuthRefreshBody)
_decode_send: Final = decoder_of(SendMessageBody)
_decode_read: Final = decoder_of(ReadBody)


def decode_send_message(data: bytes) -> SendMessageBody:
    """A message to send, its rules checked. Errors: `VALIDATION_ERROR`."""
    body = _decode_send(data)
    attachments = body.attachment_ids or ()
    if attachments:
        check_attachments(attachments)
    check_text(body.text, attachments=len(attachments))
    check_client_message_id(body.client_message_id)
    return body


def check_seq(seq: int) -> None:
    if not 0 <= seq < 2**63:
        raise invalid("seq", "must be 0 or more")


def decode_read(data: bytes) -> ReadBody:
    """A read mark to move. Errors: `VALIDATION_ERROR`."""
    body = _decode_read(data)
    check_seq(body.seq)
    return body
