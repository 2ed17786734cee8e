"""What retention, erasure and export need from storage. Adapters implement these; each has an in-memory twin.

Every method may raise `ChatError` with `UNAVAILABLE`; for a write that means that its outcome is unknown. All writes
here may be repeated.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from attrs import frozen

from actors.attachments.ports import Attachment
from actors.relation_ports import Report
from chatcore.model import ConversationType, Message, Role

START: Final = UUID(int=0)
"""Before every id."""
DELETED_NAME: Final = "Deleted user"


def erased_email(user_id: UUID) -> str:
    """What stands in place of an erased user's address; no mail can be sent there (RFC 2606, section 2)."""
    return f"{user_id}@deleted.invalid"


@frozen
class Taken:
    """The claim is the caller's; `position` is how far the one before him came."""

    position: UUID


@frozen
class Denied:
    """Another holds it, or it was finished a moment ago; `wait` is in seconds."""

    wait: float


class Claims(Protocol):
    """What one holder at a time may do. Who does not prolong a claim for its `lease`, in seconds, has lost it."""

    async def take(self, name: str, holder: UUID, *, lease: float, interval: float) -> Taken | Denied:
        """Denied until `interval` seconds after it was finished, and while another holds it."""
        ...

    async def hold(self, name: str, holder: UUID, position: UUID, *, lease: float) -> bool:
        """Prolong it and note how far it is. False: it is another's by now."""
        ...

    async def finish(self, name: str, holder: UUID) -> None: ...


@frozen
class Oldest:
    """A conversation and the age of its first message, in seconds; None when it has none."""

    conversation_id: UUID
    age: float | None


@frozen
class Cut:
    """What was deleted from the old end, and the conversation's `rev` after it. Nothing was when `deleted` is 0."""

    deleted: int
    rev: int


class RetentionStore(Protocol):
    """Messages by age."""

    async def scan(self, after: UUID, *, limit: int) -> list[Oldest]:
        """Conversations by id."""
        ...

    async def cut(self, conversation_id: UUID, *, older_than: float, limit: int) -> Cut:
        """Delete the oldest messages that are older than so many seconds, at most `limit`, and discard what they bore.

        Raises `first_seq`, `cut_rev` and once the `rev`, and to `first_seq - 1` every mark that is below it.
        """
        ...


@frozen
class AuditEntry:
    """Who did what and from where. `address` and `request_id` are None for what the server did by itself."""

    id: UUID
    user_id: UUID
    action: str
    address: str | None = None
    request_id: str | None = None


@frozen
class Audited:
    """An entry as it was stored."""

    entry: AuditEntry
    happened_at: datetime


@frozen
class ErasureJob:
    """What is left of an erasure. `leaving` and then tombstones go by `conversation_id`; `seq` within that one."""

    user_id: UUID
    tombstone: bool
    leaving: bool = True
    conversation_id: UUID = START
    seq: int = 0


@frozen
class Tombstoned:
    """`count` messages became tombstones and the `rev` is the conversation's after it. `next_seq` is where to go on,
    None when there is no more.
    """

    count: int
    rev: int
    next_seq: int | None


class ErasureStore(Protocol):
    """Accounts that end. What is left to do is a durable job that one node at a time does."""

    async def accept(self, user_id: UUID, *, tombstone: bool, entry: AuditEntry) -> bool:
        """Anonymise the account, end all its sign-ins, blocks and mutes, discard what no message bears, note `entry`,
        and leave a job for the rest, in one transaction. False when that was done before.

        Errors: `NOT_FOUND` (no such user).
        """
        ...

    async def erased(self, *, within: float | None) -> list[UUID]:
        """Who was erased in the last so many seconds; all of them for None."""
        ...

    async def next_job(self, holder: UUID, *, lease: float) -> ErasureJob | None:
        """The oldest that nobody holds."""
        ...

    async def save(self, job: ErasureJob, holder: UUID, *, lease: float) -> bool:
        """Note how far it is, and hold it on. False: it is another's by now."""
        ...

    async def finish(self, job: ErasureJob, holder: UUID, entry: AuditEntry) -> None: ...

    async def waiting(self) -> int:
        """Jobs that are not finished."""
        ...

    async def memberships(self, user_id: UUID, after: UUID, *, limit: int) -> list[tuple[UUID, ConversationType]]:
        """By id."""
        ...

    async def seal(self, conversation_id: UUID, user_id: UUID) -> int | None:
        """From now on the user writes no more in this DIRECT conversation, and the other may. The `rev` of that; None
        when it stands so already.
        """
        ...

    async def spoken_in(self, user_id: UUID, after: UUID, *, limit: int) -> list[UUID]:
        """By id the conversations of which the user is or was a member."""
        ...

    async def tombstone(self, conversation_id: UUID, user_id: UUID, after_seq: int, *, limit: int) -> Tombstoned:
        """Make at most `limit` of his messages after `after_seq` tombstones, each at a `rev` of its own."""
        ...


@frozen
class Membership:
    """How a user stands to a conversation; `role` and `joined_at` are None where he is a member no more."""

    conversation_id: UUID
    type: ConversationType
    name: str | None
    role: Role | None
    joined_at: datetime | None
    read_seq: int | None
    delivered_seq: int | None
    muted_until: datetime | None


@frozen
class OwnReaction:
    conversation_id: UUID
    seq: int
    message_id: UUID
    emoji: str


@frozen
class Said:
    """What a user wrote, and what others wrote with an `@` in it, by `seq`. `next_seq` is where to go on, None when
    there is no more.
    """

    messages: Sequence[Message]
    next_seq: int | None


@frozen
class OwnAttachment:
    """`discarded` ones can be had no more."""

    attachment: Attachment
    created_at: datetime


class ExportSource(Protocol):
    """All that is kept about a user, a page at a time."""

    async def memberships(self, user_id: UUID, after: UUID, *, limit: int) -> list[Membership]:
        """Of present and former conversations, by id."""
        ...

    async def said(self, user_id: UUID, conversation_id: UUID, after_seq: int, *, limit: int, others: bool) -> Said:
        """At most `limit` messages. With `others`, those of others that may mention somebody are there, too."""
        ...

    async def reactions(self, user_id: UUID, after: OwnReaction | None, *, limit: int) -> list[OwnReaction]:
        """By conversation, seq and emoji."""
        ...

    async def reports(self, user_id: UUID, after: UUID, *, limit: int) -> list[Report]:
        """Those that the user made, by message id."""
        ...

    async def attachments(self, user_id: UUID, after: OwnAttachment | None, *, limit: int) -> list[OwnAttachment]:
        """The user's own that are not discarded, by time and id."""
        ...

    async def audit(self, user_id: UUID, after: UUID, *, limit: int) -> list[Audited]:
        """By id."""
        ...

    async def note(self, entry: AuditEntry) -> None:
        """Store an entry."""
        ...
