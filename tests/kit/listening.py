"""What comes of an event until a subscriber has it, and subscriptions that remember."""

import json
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import attrs

from actors.conversation.subscription import Encoded, Place, Topic
from chatcore.model import Event, EventKind, Notification


class Encoder:
    """Implements `BodyEncoder`; `crashes` of the next bodies of messages fail."""

    def __init__(self) -> None:
        self.crashes = 0

    def message(self, event: Event) -> bytes:
        if self.crashes:
            self.crashes -= 1
            raise RuntimeError("the encoder crashed")
        message = event.message
        more = {"reactions": [[each.emoji, each.count] for each in message.reactions]} if message.reactions else {}
        name = message.sender_name
        return _json(event=event.kind, rev=message.rev, seq=message.seq, text=message.text, sender=name, **more)

    def typing(self, conversation_id: UUID, user_id: UUID, *, is_typing: bool) -> bytes:
        return _json(user=user_id, typing=is_typing)

    def mark(self, conversation_id: UUID, user_id: UUID, *, read_seq: int, delivered_seq: int) -> bytes:
        return _json(user=user_id, read=read_seq, delivered=delivered_seq)

    def presence(self, conversation_id: UUID, user_id: UUID, *, online: bool) -> bytes:
        return _json(user=user_id, online=online)

    def notification(self, notification: Notification) -> bytes:
        text = None if notification.message is None else notification.message.text
        more = {"mentioned": True} if notification.mentioned else {}
        about, unread = notification.user_id, notification.unread_count
        return _json(type=notification.type, about=about, text=text, unread=unread, **more)


def _json(**values: object) -> bytes:
    return json.dumps({name: str(v) if isinstance(v, UUID) else v for name, v in values.items()}).encode()


@attrs.frozen
class PlainFormat:
    """Implements `FrameFormat`: frames are lines that tell all they hold, behind a name."""

    name: str = "plain"
    acknowledged: bool = False

    def message_frames(self, events: Sequence[Encoded]) -> bytes:
        return b"".join(self._line(event) for event in events)

    def notice_frame(self, body: bytes) -> bytes:
        return body

    def read(self, frames: bytes) -> list[Encoded]:
        """What `message_frames` was given; none of a notice."""
        events: list[Encoded] = []
        for line in frames.splitlines():
            name, _, rest = line.partition(b" ")
            if name == self.name.encode():
                kind, rev, seq, message_id, body = rest.split(b" ", 4)
                events.append(Encoded(EventKind(kind.decode()), int(rev), int(seq), UUID(message_id.decode()), body))
        return events

    def _line(self, event: Encoded) -> bytes:
        head = f"{self.name} {event.kind.value} {event.rev} {event.seq} {event.message_id} "
        return head.encode() + event.body + b"\n"


def _closing(listening: "Listening", _: object, closed: bool) -> bool:
    if listening.place is not None:
        listening.place.someone_closed()
    return closed


@attrs.define(eq=False)
class Listening:
    """Implements `Subscription`. It checks that every frame is its own, and that `rev` and `seq` only rise by one's
    right; while `slow` its socket takes nothing at once.
    """

    user_id: UUID
    topic: Topic = Topic.MESSAGES
    format: PlainFormat = attrs.field(factory=PlainFormat)
    rev: int = -1
    counts_as_delivered: bool = True
    slow: bool = False
    closed: bool = attrs.field(default=False, on_setattr=_closing)
    place: Place | None = None
    ended: bool = False
    events: list[Encoded] = attrs.field(factory=list[Encoded])
    late: list[Encoded] = attrs.field(factory=list[Encoded])
    notices: list[dict[str, Any]] = attrs.field(factory=list[dict[str, Any]])
    batches: int = 0
    on_deliver: Callable[[], None] | None = None

    @property
    def outlet(self) -> "Listening":
        return self

    def direct(self, frames: bytes) -> int:
        """While slow it takes nothing of every other batch, and of the others a byte."""
        if self.slow and self.batches % 2:
            raise BlockingIOError
        self._take(frames)
        return 1 if self.slow else len(frames)

    def rest(self, frames: bytes, taken: int) -> None:
        assert (self.slow, taken) == (True, 1)
        assert self.format.read(frames) == self.events[-len(self.format.read(frames)) :]

    def offer(self, frames: bytes) -> bool:
        self._take(frames)
        return not self.slow

    def deliver(self, frames: bytes, events: Sequence[Encoded]) -> bool:
        assert frames == self.format.message_frames(events)
        if self.offer(frames):
            return True
        self.queued(events)
        return False

    def queued(self, events: Sequence[Encoded]) -> None:
        assert self.slow
        self.late += events

    def _take(self, frames: bytes) -> None:
        assert not self.closed
        if self.on_deliver is not None:
            self.on_deliver()
        events = self.format.read(frames)
        if events:
            self.events += events
            self.batches += 1
        else:
            self.notices.append(json.loads(frames))

    def end(self) -> None:
        assert not self.ended
        self.ended = self.closed = True

    @property
    def revs(self) -> list[int]:
        return [event.rev for event in self.events]

    @property
    def seqs(self) -> list[int]:
        """Of the messages that were created."""
        return [event.seq for event in self.events if event.kind == "message.created"]

    @property
    def texts(self) -> list[str]:
        return [json.loads(event.body)["text"] for event in self.events]

    def take_notices(self) -> list[dict[str, Any]]:
        notices, self.notices = self.notices, []
        return notices
