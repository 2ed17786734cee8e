"""The values of the domain. All are immutable; every time is an aware UTC `datetime`.

Those that are made for each message have no slots: with them `attrs` sets every field of a frozen object by a function
call, which takes twice as long.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from attrs import frozen


class ConversationType(StrEnum):
    DIRECT = "DIRECT"
    GROUP = "GROUP"


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"

    @property
    def manages_members(self) -> bool:
        return self is not Role.MEMBER


@frozen
class User:
    id: UUID
    email: str
    name: str
    profile_picture_url: str | None
    created_at: datetime


@frozen
class Participant:
    """A member of a conversation with his marks; both marks are `seq` numbers and never fall."""

    user_id: UUID
    name: str
    role: Role
    joined_at: datetime
    last_read_seq: int
    last_delivered_seq: int
    silenced: bool = False
    """The other of a DIRECT conversation has blocked him: he reads, and writes nothing."""


@frozen
class Reaction:
    """Who reacted to a message with one emoji: `count` of them, the first some of them in `user_ids`."""

    emoji: str
    count: int
    user_ids: tuple[UUID, ...]


@frozen(slots=False)
class Message:
    """A message in its present form.

    `seq` counts 1, 2, 3, … within the conversation. `created_rev` and `rev` are the conversation's change
    counter at the message's creation and at its last change. A tombstone has `deleted_at` set and `text` empty.
    """

    id: UUID
    conversation_id: UUID
    seq: int
    rev: int
    created_rev: int
    sender_id: UUID
    sender_name: str
    text: str
    created_at: datetime
    client_message_id: str | None = None
    reply_to: UUID | None = None
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    attachment_ids: tuple[UUID, ...] = ()
    reactions: tuple[Reaction, ...] = ()


@frozen
class Conversation:
    """A conversation as the database has it, with all its present participants.

    Messages below `first_seq` were deleted by retention; `cut_rev` is the `created_rev` of the last of them, else 0.
    """

    id: UUID
    type: ConversationType
    name: str | None
    avatar_url: str | None
    participants: tuple[Participant, ...]
    first_seq: int
    last_seq: int
    rev: int
    last_message: Message | None
    created_at: datetime
    updated_at: datetime
    cut_rev: int = 0


@frozen(slots=False)
class NewMessage:
    """A message before its append; the id is made before the write, so that an unknown outcome can be looked up."""

    id: UUID
    conversation_id: UUID
    sender_id: UUID
    text: str
    client_message_id: str | None = None
    reply_to: UUID | None = None
    attachment_ids: tuple[UUID, ...] = ()


@frozen(slots=False)
class Appended:
    """Where a message stands after its commit. `was_new` is false for a repeated `clientMessageId`."""

    id: UUID
    seq: int
    rev: int
    created_at: datetime
    was_new: bool


class EventKind(StrEnum):
    """The `event` header of a live message frame."""

    CREATED = "message.created"
    UPDATED = "message.updated"
    DELETED = "message.deleted"


@frozen(slots=False)
class Event:
    """One change of a message, at the conversation's `rev` of that change."""

    kind: EventKind
    rev: int
    message: Message


@frozen
class Mark:
    """A participant's marks, both as `seq`; writing one merges by maximum."""

    user_id: UUID
    read_seq: int
    delivered_seq: int


class NotificationType(StrEnum):
    CONVERSATION_CREATED = "conversation.created"
    CONVERSATION_UPDATED = "conversation.updated"
    CONVERSATION_DELETED = "conversation.deleted"
    PARTICIPANT_ADDED = "participant.added"
    PARTICIPANT_REMOVED = "participant.removed"
    MESSAGE_CREATED = "message.created"


@frozen
class Notification:
    """What `/user/queue/notification` tells a user.

    `user_id` is who came or went. `message` and `unread_count` go with `message.created`, and `mentioned` where the
    message mentions who is told.
    """

    type: NotificationType
    conversation_id: UUID
    user_id: UUID | None = None
    message: Message | None = None
    unread_count: int | None = None
    mentioned: bool = False
