"""What an append has committed, as events, and where that leaves the conversation."""

from collections.abc import Sequence
from uuid import UUID

from actors.conversation.messages import Position, Post
from actors.conversation.room import Room
from chatcore.model import Appended, Event, EventKind, Message


def runs(events: Sequence[Event]) -> list[Sequence[Event]]:
    """Those that follow each other by `rev`: what was committed a part at a time may have others' changes between."""
    if events[-1].rev - events[0].rev == len(events) - 1:
        return [events]
    apart: list[list[Event]] = []
    for event in sorted(events, key=lambda event: event.rev):
        if apart and apart[-1][-1].rev + 1 == event.rev:
            apart[-1].append(event)
        else:
            apart.append([event])
    return list(apart)


def created(room: Room, post: Post, outcome: Appended) -> Event:
    new = post.message
    message = Message(
        id=outcome.id,
        conversation_id=room.id,
        seq=outcome.seq,
        rev=outcome.rev,
        created_rev=outcome.rev,
        sender_id=new.sender_id,
        sender_name=room.name_of(new.sender_id),
        text=new.text,
        created_at=outcome.created_at,
        client_message_id=new.client_message_id,
        reply_to=new.reply_to,
        attachment_ids=new.attachment_ids,
    )
    return Event(EventKind.CREATED, outcome.rev, message)


def position(room: Room, user_id: UUID) -> Position:
    """Where the conversation and a member stand."""
    stored = room.conversation
    return Position(room.gate.position, room.last_seq, room.marks.of(user_id), stored.first_seq, stored.cut_rev)
