"""What the nodes tell each other about a conversation: the closed union that the bridge carries."""

from typing import Final
from uuid import UUID

from attrs import frozen

from chatcore.model import Event, Mark

DELETED_REV: Final = 2**63 - 1
"""Beyond every `rev`: the database has no such conversation any more."""


@frozen
class Committed:
    """A batch that was committed on another node, by `rev`; `prev_rev` is the `rev` before its first event."""

    prev_rev: int
    events: tuple[Event, ...]


@frozen
class Advanced:
    """The database has the conversation at `rev`: who is behind reads it from there (members, details, events)."""

    rev: int


@frozen
class TypingMoved:
    """A start is repeated while it lasts, so that it ends by itself when its node dies."""

    user_id: UUID
    is_typing: bool


@frozen
class WhoTypes:
    """Asks the other nodes to tell again who types at them."""


@frozen
class MarksMoved:
    """Marks that rose; who hears of it merges by maximum and does not store them, for their node does."""

    marks: tuple[Mark, ...]


@frozen
class MarksStored:
    """The sum of all read and delivered marks that are stored. Only a node's own sweep says so: marks are told best
    effort and raise no `rev`, so this shows that some have been missed.
    """

    total: int


News = Committed | Advanced | TypingMoved | WhoTypes | MarksMoved
