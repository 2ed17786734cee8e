"""What the actors and the edge need from storage. Adapters implement these; each has an in-memory twin.

Every method may raise `ChatError` with `UNAVAILABLE` while the database is away or too slow; for a write
that means that its outcome is unknown.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol
from uuid import UUID

from attrs import frozen

from chatcore.errors import ChatError
from chatcore.model import (
    Appended,
    Conversation,
    ConversationType,
    Event,
    Mark,
    Message,
    NewMessage,
    Role,
    User,
)


class MessageLog(Protocol):
    """The write side of messages. Each change raises the conversation's `rev` in its own transaction."""

    async def append(self, messages: Sequence[NewMessage]) -> list[Appended | ChatError]:
        """Append in the given order; the answer has one outcome for each message, in the same order.

        A repeated `client_message_id` of one sender and conversation, within the call or from before, gives the
        first message with `was_new` false. Moves each sender's marks to his message. Refused alone, never sinking
        the others: `NOT_FOUND` (no such conversation), `FORBIDDEN` (not a member), `VALIDATION_ERROR` (`replyTo` is
        no message of the conversation, or a text that the database cannot hold). The new messages of one
        conversation in one call have consecutive `rev`s.

        After an unknown outcome the very same messages, by id, may be given again: each is stored once, and one
        that was stored already is new again, at the seq and rev that it has.
        """
        ...

    def append_at_once(
        self, messages: Sequence[NewMessage], answered: Callable[[Sequence[Appended | ChatError] | Exception], None]
    ) -> bool:
        """As `append` of at least one message, for who does not wait: the outcomes, or what `append` would raise, are
        told to `answered` once, later, in another task; it must not raise and is not to take long.

        False, and nothing has happened, where that is not possible: `append` then does it, or says why not.
        """
        ...

    async def edit(self, conversation_id: UUID, message_id: UUID, editor_id: UUID, text: str) -> Event:
        """Replace the text.

        Errors: `NOT_FOUND`, `FORBIDDEN` (not a member, not the sender, silenced), `CONFLICT` (deleted).
        """
        ...

    async def delete(self, conversation_id: UUID, message_id: UUID, user_id: UUID, *, moderator: bool) -> Event | None:
        """Make it a tombstone without reactions; None when it is one already. A moderator need not be member or sender.

        Errors: `NOT_FOUND`, `FORBIDDEN`.
        """
        ...

    async def react(
        self, conversation_id: UUID, message_id: UUID, user_id: UUID, emoji: str, *, present: bool, max_distinct: int
    ) -> Event | None:
        """Add the user's reaction, or take it back where not `present`; None when it stands so already.

        Errors: `NOT_FOUND`, `FORBIDDEN` (not a member; silenced, to add one), `CONFLICT` (deleted, or more than
        `max_distinct` emojis on one message).
        """
        ...


class MessageHistory(Protocol):
    """The read side of messages. None of these checks membership."""

    async def newest(self, conversation_id: UUID, *, before_seq: int, limit: int) -> list[Message]:
        """Messages with `seq < before_seq`, newest first."""
        ...

    async def oldest(self, conversation_id: UUID, *, after_seq: int, limit: int) -> list[Message]:
        """Messages with `seq > after_seq`, oldest first."""
        ...

    async def changed(self, conversation_id: UUID, *, after_rev: int, limit: int) -> list[Message]:
        """Messages with `rev > after_rev`, by `rev`."""
        ...

    async def events(self, conversation_id: UUID, *, after_rev: int, upto_rev: int, limit: int) -> list[Event]:
        """What happened in `after_rev < rev <= upto_rev`, by `rev`, at most `limit` events.

        Every message created in that range is a `CREATED` at its `created_rev` with its present body; every message
        whose last change lies in the range, and is later than its creation, is also an `UPDATED` or `DELETED` at its
        present `rev`.
        """
        ...

    async def event_floor(self, conversation_id: UUID, *, after_rev: int, upto_rev: int, limit: int) -> int | None:
        """None if that range has at most `limit` events, else the `rev` after which the last `limit` come."""
        ...

    async def find(self, message_ids: Collection[UUID], conversation_id: UUID | None = None) -> list[Message]:
        """The messages that exist of `message_ids`; quicker where the conversation is known."""
        ...


class HistoryPages(Protocol):
    """History for who reads it page by page. A page is as of `seen_rev` of the conversation or later, and shows the
    user what he has changed himself. Membership is the caller's to check.
    """

    async def newest(
        self, conversation_id: UUID, *, before_seq: int, limit: int, user_id: UUID, seen_rev: int
    ) -> list[Message]:
        """Messages with `seq < before_seq`, newest first."""
        ...

    async def oldest(
        self, conversation_id: UUID, *, after_seq: int, limit: int, user_id: UUID, seen_rev: int
    ) -> list[Message]:
        """Messages with `seq > after_seq`, oldest first."""
        ...

    async def changed(
        self, conversation_id: UUID, *, after_rev: int, limit: int, user_id: UUID, seen_rev: int
    ) -> list[Message]:
        """Messages with `rev > after_rev`, by `rev`."""
        ...


@frozen
class Roster:
    """The answer to a change of a conversation: how it stands after the commit, and who came or went.

    One that is `deleted` is given as it was last.
    """

    conversation: Conversation
    added: tuple[UUID, ...] = ()
    removed: tuple[UUID, ...] = ()
    deleted: bool = False


class ConversationStore(Protocol):
    """Conversations and their members. A change that changes nothing raises no `rev`."""

    async def load(self, conversation_id: UUID) -> Conversation | None: ...

    async def create(
        self,
        conversation_id: UUID,
        type_: ConversationType,
        creator_id: UUID,
        member_ids: Collection[UUID],
        name: str | None,
        avatar_url: str | None,
    ) -> tuple[Conversation, bool]:
        """The conversation and whether it is new: a DIRECT pair that exists gives the existing one, under a race too.

        Errors: `VALIDATION_ERROR` naming `participantIds` when a user does not exist, `FORBIDDEN` when the other of a
        DIRECT pair has blocked the creator.
        """
        ...

    async def add_members(
        self, conversation_id: UUID, by: UUID, user_ids: Collection[UUID], *, max_members: int
    ) -> Roster:
        """Errors: `NOT_FOUND`, `FORBIDDEN` (`by` is no owner or admin), `CONFLICT` (DIRECT, or over `max_members`),
        `VALIDATION_ERROR` naming `userIds` (unknown user). Marks of who joins start at `last_seq`.
        """
        ...

    async def remove_member(self, conversation_id: UUID, by: UUID, user_id: UUID) -> Roster:
        """`by == user_id` leaves. An owner who leaves hands on to the longest-standing admin, else member.

        With the last member the conversation is deleted.

        Errors: `NOT_FOUND` (conversation, or `user_id` is no member), `FORBIDDEN`, `CONFLICT` (DIRECT).
        """
        ...

    async def change_details(
        self, conversation_id: UUID, by: UUID, *, name: str | None, avatar_url: str | None
    ) -> Roster:
        """None leaves a field as it is, "" clears it; any member may.

        Errors: `NOT_FOUND`, `FORBIDDEN` (not a member), `CONFLICT` (DIRECT).
        """
        ...

    async def save_marks(self, conversation_id: UUID, marks: Sequence[Mark]) -> None:
        """Merge by maximum; reading implies delivered; who is no member is passed over."""
        ...


class GroupStore(Protocol):
    """Roles in groups, and their end."""

    async def change_role(self, conversation_id: UUID, by: UUID, user_id: UUID, role: Role) -> Roster:
        """The owner makes a member an admin, a member, or the owner in his place; he is an admin then.

        Errors: `NOT_FOUND` (conversation, or `user_id` is no member), `FORBIDDEN` (`by` is not the owner), `CONFLICT`
        (DIRECT; the owner's own role).
        """
        ...

    async def delete(self, conversation_id: UUID, by: UUID, *, administrator: bool) -> Roster:
        """It is gone at once, and `purge` deletes its messages.

        Errors: `NOT_FOUND`, `FORBIDDEN` (`by` is neither its owner nor an administrator), `CONFLICT` (DIRECT).
        """
        ...

    async def purge(self, limit: int) -> int:
        """Delete at most `limit` messages of a deleted conversation, and tell how many; 0: none is left of any."""
        ...


@frozen
class Standing:
    """How much a member may read: the conversation's numbers, and his read mark."""

    first_seq: int
    last_seq: int
    read_seq: int
    rev: int


class Standings(Protocol):
    """How conversations stand, without loading all their members."""

    async def standing(self, conversation_id: UUID, user_id: UUID) -> Standing:
        """For every page of history. Errors: `NOT_FOUND` (no such conversation), `FORBIDDEN` (not a member)."""
        ...

    async def members(self, conversation_id: UUID) -> frozenset[UUID]:
        """Nobody where there is no such conversation."""
        ...

    async def revs(self, conversation_ids: Collection[UUID]) -> dict[UUID, int]:
        """The `rev` of each that exists: for the sweep."""
        ...

    async def companions(self, user_id: UUID, of: Collection[UUID]) -> set[UUID]:
        """Those of `of` who share a conversation with the user."""
        ...

    async def marks_sums(self, conversation_ids: Collection[UUID]) -> dict[UUID, int]:
        """The sum of all read and delivered marks of each that has members."""
        ...


@frozen
class ConversationCursor:
    """Position in a user's list: activity as microseconds since 1970, ties by id."""

    activity_us: int
    conversation_id: UUID


class UserDirectory(Protocol):
    """Users and what is theirs."""

    async def get(self, user_ids: Collection[UUID]) -> list[User]:
        """Those that exist, in no order."""
        ...

    async def add(self, user_id: UUID, email: str, name: str) -> tuple[User, bool]:
        """The user and whether it is new. Errors: `CONFLICT` when another user has the e-mail."""
        ...

    async def update(self, user_id: UUID, *, name: str | None, profile_picture_url: str | None) -> User:
        """None leaves a field as it is; "" clears the picture. Errors: `NOT_FOUND`."""
        ...

    async def search(self, text: str, *, offset: int, limit: int) -> tuple[list[User], int]:
        """By name, typo-tolerant, best first; all by name when `text` is empty. The second value is the total."""
        ...

    async def conversations(
        self, user_id: UUID, *, before: ConversationCursor | None, limit: int
    ) -> list[tuple[Conversation, ConversationCursor]]:
        """The user's conversations, latest activity (last message, else creation) first."""
        ...

    async def conversation_ids(self, user_id: UUID) -> list[UUID]:
        """All conversations the user is a member of."""
        ...
