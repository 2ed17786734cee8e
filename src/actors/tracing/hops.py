"""Where a message can be seen on its way, and whom that is told.

A place on the way asks `Tracing.by` once, for a whole batch, and does nothing more while nobody follows.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import ClassVar, Protocol
from uuid import UUID

from chatcore.errors import ChatError
from chatcore.model import Appended, Event, NewMessage


class Hop(StrEnum):
    RECEIVED = "received"
    PARSED = "parsed"
    MAILBOX_IN = "mailbox-in"
    MAILBOX_OUT = "mailbox-out"
    EXPRESS = "express"
    STORE_QUEUED = "store-queued"
    BATCH_SENT = "batch-sent"
    COMMIT_ANSWERED = "commit-answered"
    SENDER_ANSWERED = "sender-answered"
    BRIDGE_PUBLISHED = "bridge-published"
    BRIDGE_RECEIVED = "bridge-received"
    FAN_OUT_FIRST = "fan-out-first"
    FAN_OUT_LAST = "fan-out-last"


class Hops(Protocol):
    """Who is told. Nothing here waits or raises; times are on Trio's clock."""

    def begin(self, message: NewMessage, received: float | None = None) -> None:
        """A message is about to be given to its conversation; `received` is when its bytes came, if that is known."""
        ...

    def pass_by(self, ids: Iterable[UUID], hop: Hop, says: str = "", at: float | None = None) -> None:
        """Messages are at `hop`, now unless `at` is given."""
        ...

    def settled(self, messages: Sequence[NewMessage], answer: Sequence[Appended | ChatError] | Exception) -> None:
        """What became of an append, in the order of `messages`, or of the whole."""
        ...

    def mark(self, events: Sequence[Event]) -> float | None:
        """The present time in seconds since 1970, for the other nodes, if one of `events` is followed."""
        ...


class Tracing:
    """One for the process, since a process is a node."""

    by: ClassVar[Hops | None] = None
    """None while nobody follows."""


def ids_of(messages: Iterable[NewMessage]) -> list[UUID]:
    return [message.id for message in messages]


def ids_of_events(events: Iterable[Event]) -> list[UUID]:
    return [event.message.id for event in events]
