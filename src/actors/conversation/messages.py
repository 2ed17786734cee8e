"""The closed union of what a conversation's actor understands."""

from collections.abc import Mapping
from uuid import UUID

from attrs import field, frozen

from actors.bridge.news import MarksStored, News
from actors.conversation.subscription import Subscription
from actors.ports import Roster
from actors.runtime.reply import Reply
from chatcore.model import Appended, Event, Mark, NewMessage, Role


@frozen
class Position:
    """Where the conversation and the asking member stand. Of messages below `first_seq`, the last of which was created
    at `cut_rev`, nothing is left.
    """

    rev: int
    last_seq: int
    mark: Mark
    first_seq: int = 1
    cut_rev: int = 0


@frozen
class Post:
    """Append a message; the reply comes after the commit."""

    message: NewMessage
    reply: Reply[Appended]


@frozen
class Edit:
    message_id: UUID
    editor_id: UUID
    text: str
    reply: Reply[Event]


@frozen
class Delete:
    """Replace by a tombstone; None when it was one. A moderator need be neither member nor sender."""

    message_id: UUID
    user_id: UUID
    moderator: bool
    reply: Reply[Event | None]


@frozen
class React:
    """Add a reaction, or take it back where it is not to be `present`; None when it stands so already."""

    message_id: UUID
    user_id: UUID
    emoji: str
    present: bool
    reply: Reply[Event | None]


@frozen
class AddMembers:
    by: UUID
    user_ids: tuple[UUID, ...]
    reply: Reply[Roster]


@frozen
class RemoveMember:
    """`by == user_id` leaves."""

    by: UUID
    user_id: UUID
    reply: Reply[Roster]


@frozen
class ChangeRole:
    """Making another member the owner hands ownership on."""

    by: UUID
    user_id: UUID
    role: Role
    reply: Reply[Roster]


@frozen
class DeleteConversation:
    """All its subscriptions end. An administrator need be neither its owner nor a member."""

    by: UUID
    administrator: bool
    reply: Reply[Roster]


@frozen
class ChangeDetails:
    """None leaves a field as it is, "" clears it."""

    by: UUID
    name: str | None
    avatar_url: str | None
    reply: Reply[Roster]


@frozen
class Join:
    """May this user subscribe, and where does the conversation stand? `FORBIDDEN` for a stranger."""

    user_id: UUID
    reply: Reply[Position]


@frozen
class Attach:
    """Make a subscription live.

    The reply is true when it is live. A message subscription whose `rev` is behind what the actor still has at hand
    gets false, and is to catch up from the database first. A negative `rev` means "from now on".
    """

    subscription: Subscription
    reply: Reply[bool]


@frozen
class Detach:
    subscription: Subscription


@frozen
class StartTyping:
    user_id: UUID
    reply: Reply[None]


@frozen
class StopTyping:
    user_id: UUID
    reply: Reply[None]


@frozen
class MarkRead:
    """Move the read mark, clamped to `last_seq`. With `durable` the reply comes once the mark is stored."""

    user_id: UUID
    seq: int
    reply: Reply[None]
    durable: bool


@frozen
class MarkDelivered:
    """Move the delivered mark, clamped to `last_seq`. With `durable` the reply comes once the mark is stored."""

    user_id: UUID
    seq: int
    reply: Reply[None]
    durable: bool


@frozen
class Marks:
    """The present marks of all members, those not yet stored included."""

    reply: Reply[Mapping[UUID, Mark]]


@frozen
class Refresh:
    """Something outside changed (a member's name, another node's write): compare with the database.

    The reply comes once that is done, or fails with why it cannot be done now. With `tell` the other nodes are told to
    do the same.
    """

    reply: Reply[None] = field(factory=Reply[None].discard)
    tell: bool = False


@frozen
class Heard:
    """What another node tells, or the sweep has found in the database."""

    news: News | MarksStored


@frozen
class PresenceChanged:
    """A member whom this conversation watches is online now, or is so no more."""

    user_id: UUID
    online: bool


Change = Edit | Delete | React | AddMembers | RemoveMember | ChangeRole | ChangeDetails | DeleteConversation

Individual = Change | Join | Attach | Detach | StartTyping | StopTyping | Marks | Refresh | PresenceChanged
"""Each is performed by itself; the others together with those of their kind that wait beside them."""

ConversationMessage = Post | MarkRead | MarkDelivered | Heard | Individual
