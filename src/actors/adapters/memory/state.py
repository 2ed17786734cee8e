"""What the four in-memory twins share."""

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from uuid import UUID

import attrs

from actors.adapters.memory.faults import Faults
from actors.attachments.ports import Attachment
from chatcore.errors import not_found
from chatcore.model import Conversation, ConversationType, Message, NewMessage, Participant, Reaction, User


@attrs.define(eq=False)
class Room:
    """A conversation's row with its participants and messages. `messages` is by seq, tombstones included."""

    id: UUID
    type: ConversationType
    name: str | None
    avatar_url: str | None
    created_at: datetime
    active_at: datetime
    updated_at: datetime
    first_seq: int = 1
    cut_rev: int = 0
    last_seq: int = 0
    rev: int = 0
    pair: tuple[UUID, UUID] | None = None
    participants: dict[UUID, Participant] = attrs.field(factory=dict[UUID, Participant])
    messages: dict[int, Message] = attrs.field(factory=dict[int, Message])
    seq_of: dict[UUID, int] = attrs.field(factory=dict[UUID, int])
    seq_of_client: dict[tuple[UUID, str], int] = attrs.field(factory=dict[tuple[UUID, str], int])
    reactions: dict[int, dict[str, dict[UUID, int]]] = attrs.field(factory=dict[int, dict[str, dict[UUID, int]]])
    """By seq, emoji and user the rev at which it came; no emoji without a user."""
    muted: dict[UUID, datetime] = attrs.field(factory=dict[UUID, datetime])
    former: set[UUID] = attrs.field(factory=set[UUID])
    """Who has left, or was removed."""

    def change(self, now: datetime) -> int:
        """The rev of a change made now."""
        self.rev += 1
        self.updated_at = max(self.updated_at, now)
        return self.rev

    def put(self, message: Message) -> None:
        self.messages[message.seq] = message
        self.seq_of[message.id] = message.seq
        if message.client_message_id is not None:
            self.seq_of_client[message.sender_id, message.client_message_id] = message.seq

    def raise_marks(self, user_id: UUID, read_seq: int, delivered_seq: int) -> None:
        """Merge by maximum, at most `last_seq`; nothing for who is no member."""
        if (old := self.participants.get(user_id)) is not None:
            read = max(old.last_read_seq, min(read_seq, self.last_seq))
            delivered = max(old.last_delivered_seq, min(delivered_seq, self.last_seq), read)
            self.participants[user_id] = attrs.evolve(old, last_read_seq=read, last_delivered_seq=delivered)

    def forget_before(self, seq: int) -> list[Message]:
        """As retention does: delete the messages below `seq`."""
        forgotten: list[Message] = []
        for old in range(self.first_seq, min(seq, self.last_seq + 1)):
            gone = self.messages.pop(old)
            self.reactions.pop(old, None)
            del self.seq_of[gone.id]
            if gone.client_message_id is not None:
                del self.seq_of_client[gone.sender_id, gone.client_message_id]
            self.first_seq, self.cut_rev = old + 1, gone.created_rev
            forgotten.append(gone)
        return forgotten


@attrs.define(eq=False)
class KeptAttachment:
    """An attachment's row."""

    attachment: Attachment
    created_at: datetime
    upload_until: datetime
    discarded_at: datetime | None = None

    @property
    def is_unused(self) -> bool:
        return self.attachment.message_id is None and self.discarded_at is None


class ChatState:
    """Users and conversations in memory, for one Trio run. `now` gives aware UTC times."""

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self.now = now or (lambda: datetime.now(UTC))
        self.users: dict[UUID, User] = {}
        self.erased: dict[UUID, datetime] = {}
        """Whose account was anonymised, and when."""
        self.rooms: dict[UUID, Room] = {}
        self.blocks: dict[UUID, list[UUID]] = {}
        """Whom a user has blocked, the latest first."""
        self.ended: list[Room] = []
        """Deleted conversations whose messages are still to be purged."""
        self.shown_reactors = 100
        self.attachments: dict[UUID, KeptAttachment] = {}
        self.faults = Faults()

    def room(self, conversation_id: UUID) -> Room:
        """Errors: `NOT_FOUND`."""
        if (room := self.rooms.get(conversation_id)) is None:
            raise not_found("The conversation")
        return room

    def present(self, message: Message) -> Message:
        """The message with its sender's present name, and its reactions."""
        room = self.rooms.get(message.conversation_id)
        found = {} if room is None else room.reactions.get(message.seq, {})
        shown = self.shown_reactors
        reactions = tuple(
            Reaction(emoji, len(revs), tuple(revs)[:shown])
            for emoji, revs in sorted(found.items(), key=lambda each: min(each[1].values()))
        )
        return attrs.evolve(message, sender_name=self.users[message.sender_id].name, reactions=reactions)

    def conversation(self, room: Room) -> Conversation:
        last = room.messages.get(room.last_seq)
        members = sorted(room.participants.values(), key=lambda each: (each.joined_at, each.user_id))
        return Conversation(
            room.id,
            room.type,
            room.name,
            room.avatar_url,
            tuple(attrs.evolve(each, name=self.users[each.user_id].name) for each in members),
            room.first_seq,
            room.last_seq,
            room.rev,
            None if last is None else self.present(last),
            room.created_at,
            room.updated_at,
            room.cut_rev,
        )

    def may_bind(self, new: NewMessage) -> bool:
        """All its attachments are the sender's, uploaded and unused."""
        kept = [self.attachments.get(each) for each in new.attachment_ids]
        return all(
            each is not None
            and each.is_unused
            and each.attachment.uploaded
            and each.attachment.owner_id == new.sender_id
            for each in kept
        ) and len(set(new.attachment_ids)) == len(kept)

    def bind(self, message: Message) -> None:
        for each in message.attachment_ids:
            kept = self.attachments[each]
            kept.attachment = attrs.evolve(
                kept.attachment, conversation_id=message.conversation_id, message_id=message.id
            )

    def discard(self, attachment_ids: Collection[UUID], now: datetime) -> None:
        for each in attachment_ids:
            self.attachments[each].discarded_at = now

    def end(self, room: Room) -> None:
        """The conversation is gone; its messages are left to `purge`."""
        del self.rooms[room.id]
        self.ended.append(room)

    def purge(self, limit: int) -> int:
        gone = 0
        while self.ended and not gone:
            room = self.ended[0]
            gone = self.delete_before(room, room.first_seq + limit)
            if gone < limit:
                self.ended.pop(0)
        return gone

    def delete_before(self, room: Room, seq: int) -> int:
        """Forget messages, and discard what they bore; how many they were."""
        gone = room.forget_before(seq)
        self.discard([each for message in gone for each in message.attachment_ids], self.now())
        return len(gone)

    def rooms_of(self, user_id: UUID) -> Iterator[Room]:
        return (room for room in self.rooms.values() if user_id in room.participants)
