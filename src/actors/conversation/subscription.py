"""What a conversation delivers to, and what it delivers."""

from collections.abc import Hashable, Sequence
from enum import Enum
from typing import Protocol
from uuid import UUID

from attrs import frozen

from chatcore.model import Event, EventKind, Notification


class Topic(Enum):
    MESSAGES = "messages"
    TYPING = "typing"
    READ = "read"
    PRESENCE = "presence"


@frozen
class Encoded:
    """One event with its JSON body, encoded once for all subscribers and nodes."""

    kind: EventKind
    rev: int
    seq: int
    message_id: UUID
    body: bytes


def highest_created(events: Sequence[Encoded]) -> int:
    """The `seq` of the last message that `events` create; 0 when they create none."""
    highest = 0
    for event in events:
        if event.kind is EventKind.CREATED and event.seq > highest:
            highest = event.seq
    return highest


class FrameFormat(Hashable, Protocol):
    """All that makes the frames of one subscriber differ from another's; equal formats share their bytes."""

    @property
    def acknowledged(self) -> bool:
        """The client acknowledges each frame, so that each delivery has to be noted (`Subscription.deliver`)."""
        ...

    def message_frames(self, events: Sequence[Encoded]) -> bytes:
        """Ready bytes for the socket: the frames of `events` one after another."""
        ...

    def notice_frame(self, body: bytes) -> bytes:
        """Ready bytes of an event that is never stored (typing, marks)."""
        ...


class DirectSend(Protocol):
    def __call__(self, frames: bytes, /) -> int:
        """How many bytes the kernel took. Raises `OSError` when it takes none."""
        ...


class Outlet(Protocol):
    """The way to one socket, for frames that are ready. Nothing here waits."""

    @property
    def direct(self) -> DirectSend:
        """Past the queue to the kernel; what it leaves goes to `rest`.

        Refuses while anything is queued, which comes first, and when the way is closed.
        """
        ...

    def rest(self, frames: bytes, taken: int) -> None:
        """Queue what comes after the `taken` bytes that `direct` wrote."""
        ...

    def offer(self, frames: bytes, /) -> bool:
        """Write or queue. True when the kernel took all of it at once."""
        ...


class Place(Protocol):
    """Where a subscription stands among those that it shares frames with."""

    def someone_closed(self) -> None: ...


class Subscription(Protocol):
    """One subscription of one connection. It outlives the conversation's actor; only the actor moves `rev`, and it may
    do so late: `Audience` knows.

    Whatever sets `closed` tells `place` of it, so that nothing more is delivered from then on.
    """

    rev: int
    place: Place | None

    @property
    def closed(self) -> bool: ...

    @property
    def outlet(self) -> Outlet: ...

    @property
    def user_id(self) -> UUID: ...

    @property
    def topic(self) -> Topic: ...

    @property
    def format(self) -> FrameFormat: ...

    @property
    def counts_as_delivered(self) -> bool:
        """Writing to the socket is delivery (`ack:auto`)."""
        ...

    def deliver(self, frames: bytes, events: Sequence[Encoded]) -> bool:
        """Offer the frames of `events`, and note what the client has to acknowledge, or what has been queued."""
        ...

    def queued(self, events: Sequence[Encoded]) -> None:
        """Frames of `events` were left in the queue: they count as delivered once the socket has taken them."""
        ...

    def end(self) -> None:
        """The subscription is over: its user is no member any more. There is no frame for that."""
        ...


class BodyEncoder(Protocol):
    """The contract's JSON."""

    def message(self, event: Event) -> bytes: ...

    def typing(self, conversation_id: UUID, user_id: UUID, *, is_typing: bool) -> bytes: ...

    def mark(self, conversation_id: UUID, user_id: UUID, *, read_seq: int, delivered_seq: int) -> bytes: ...

    def presence(self, conversation_id: UUID, user_id: UUID, *, online: bool) -> bytes: ...

    def notification(self, notification: Notification) -> bytes: ...


def encode_event(encoder: BodyEncoder, event: Event) -> Encoded:
    message = event.message
    return Encoded(event.kind, event.rev, message.seq, message.id, encoder.message(event))
