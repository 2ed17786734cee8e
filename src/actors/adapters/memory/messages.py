"""In-memory twins of the two ports for messages."""

from collections.abc import Callable, Collection, Sequence
from uuid import UUID

import attrs
import trio

from actors.adapters.memory.state import ChatState, Room
from actors.adapters.rules import check_body, check_delete, check_distinct, check_edit, check_reaction, no_attachment
from chatcore.errors import ChatError, forbidden, invalid, not_found, silenced
from chatcore.model import Appended, Event, EventKind, Message, NewMessage


class MemoryMessageLog:
    """`MessageLog` over a `ChatState`."""

    def __init__(self, state: ChatState) -> None:
        self._state = state

    async def append(self, messages: Sequence[NewMessage]) -> list[Appended | ChatError]:
        await self._state.faults.before("append")
        stored: set[UUID] = set()
        outcomes = [self._append(message, stored) for message in messages]
        self._state.faults.after("append")
        return outcomes

    def append_at_once(
        self, messages: Sequence[NewMessage], answered: Callable[[Sequence[Appended | ChatError] | Exception], None]
    ) -> bool:
        async def append() -> None:
            answer: Sequence[Appended | ChatError] | Exception
            try:
                answer = await self.append(messages)
            except Exception as error:  # it is for who asked, as with `append`
                answer = error
            answered(answer)

        trio.lowlevel.spawn_system_task(append)
        return True

    async def edit(self, conversation_id: UUID, message_id: UUID, editor_id: UUID, text: str) -> Event:
        await self._state.faults.before("edit")
        check_body(text)
        room = self._state.room(conversation_id)
        old = check_edit(_message(room, message_id), editor_id, may_write=_may_write(room, editor_id))
        now = self._state.now()
        changed = attrs.evolve(old, text=text, edited_at=now, rev=room.change(now))
        room.put(changed)
        self._state.faults.after("edit")
        return Event(EventKind.UPDATED, changed.rev, self._state.present(changed))

    async def delete(self, conversation_id: UUID, message_id: UUID, user_id: UUID, *, moderator: bool) -> Event | None:
        await self._state.faults.before("delete")
        room = self._state.room(conversation_id)
        member = user_id in room.participants
        old = check_delete(_message(room, message_id), user_id, member=member, moderator=moderator)
        if old.deleted_at is not None:
            return None
        now = self._state.now()
        changed = attrs.evolve(old, text="", deleted_at=now, rev=room.change(now), attachment_ids=())
        self._state.discard(old.attachment_ids, now)
        room.put(changed)
        room.reactions.pop(changed.seq, None)
        self._state.faults.after("delete")
        return Event(EventKind.DELETED, changed.rev, self._state.present(changed))

    async def react(
        self, conversation_id: UUID, message_id: UUID, user_id: UUID, emoji: str, *, present: bool, max_distinct: int
    ) -> Event | None:
        await self._state.faults.before("react")
        room = self._state.room(conversation_id)
        may_write = _may_write(room, user_id)
        old = check_reaction(_message(room, message_id), may_write=may_write, present=present)
        emojis = room.reactions.get(old.seq, {})
        if (user_id in emojis.get(emoji, ())) == present:
            return None
        if present:
            check_distinct(len(emojis.keys() | {emoji}), max_distinct)
        rev = room.change(self._state.now())
        if present:
            room.reactions.setdefault(old.seq, emojis).setdefault(emoji, {})[user_id] = rev
        else:
            del emojis[emoji][user_id]
            if not emojis[emoji]:
                del emojis[emoji]
        changed = attrs.evolve(old, rev=rev)
        room.put(changed)
        self._state.faults.after("react")
        return Event(EventKind.UPDATED, changed.rev, self._state.present(changed))

    def _append(self, new: NewMessage, stored: set[UUID]) -> Appended | ChatError:
        try:
            check_body(new.text, new.client_message_id)
        except ChatError as refusal:
            return refusal
        room = self._state.rooms.get(new.conversation_id)
        if room is None:
            return not_found("The conversation")
        if (mine := room.messages.get(room.seq_of.get(new.id, 0))) is not None and mine.sender_id == new.sender_id:
            return Appended(mine.id, mine.seq, mine.rev, mine.created_at, was_new=mine.id not in stored)
        if new.sender_id not in room.participants:
            return forbidden()
        first = None
        if new.client_message_id is not None:
            seq = room.seq_of_client.get((new.sender_id, new.client_message_id))
            first = None if seq is None else room.messages[seq]
        # A repeat of a message from before this call is not looked at closely.
        repeat = first is not None and first.id not in stored
        if not repeat and not _may_write(room, new.sender_id):
            return silenced()
        if not repeat and new.reply_to is not None and (new.reply_to not in room.seq_of or new.reply_to in stored):
            return invalid("replyTo", "is no message of this conversation")
        if first is not None:
            return Appended(first.id, first.seq, first.rev, first.created_at, was_new=False)
        if not self._state.may_bind(new):
            return no_attachment()
        stored.add(new.id)
        return self._store(room, new)

    def _store(self, room: Room, new: NewMessage) -> Appended:
        now = max(self._state.now(), room.active_at)
        room.last_seq += 1
        room.active_at = now
        rev = room.change(now)
        name = self._state.users[new.sender_id].name
        message = Message(
            id=new.id,
            conversation_id=room.id,
            seq=room.last_seq,
            rev=rev,
            created_rev=rev,
            sender_id=new.sender_id,
            sender_name=name,
            text=new.text,
            created_at=now,
            client_message_id=new.client_message_id,
            reply_to=new.reply_to,
            attachment_ids=new.attachment_ids,
        )
        self._state.bind(message)
        room.put(message)
        room.raise_marks(new.sender_id, message.seq, message.seq)
        return Appended(message.id, message.seq, rev, now, was_new=True)


class MemoryMessageHistory:
    """`MessageHistory` over a `ChatState`."""

    def __init__(self, state: ChatState) -> None:
        self._state = state

    async def newest(self, conversation_id: UUID, *, before_seq: int, limit: int) -> list[Message]:
        found = [each for each in await self._all("newest", conversation_id) if each.seq < before_seq]
        return found[::-1][:limit]

    async def oldest(self, conversation_id: UUID, *, after_seq: int, limit: int) -> list[Message]:
        return [each for each in await self._all("oldest", conversation_id) if each.seq > after_seq][:limit]

    async def changed(self, conversation_id: UUID, *, after_rev: int, limit: int) -> list[Message]:
        found = [each for each in await self._all("changed", conversation_id) if each.rev > after_rev]
        return sorted(found, key=lambda each: each.rev)[:limit]

    async def events(self, conversation_id: UUID, *, after_rev: int, upto_rev: int, limit: int) -> list[Event]:
        found = _events(await self._all("events", conversation_id), after_rev, upto_rev)
        return found[:limit]

    async def event_floor(self, conversation_id: UUID, *, after_rev: int, upto_rev: int, limit: int) -> int | None:
        found = _events(await self._all("event_floor", conversation_id), after_rev, upto_rev)
        return found[-limit - 1].rev if len(found) > limit else None

    async def find(self, message_ids: Collection[UUID], conversation_id: UUID | None = None) -> list[Message]:
        await self._state.faults.before("find")
        wanted = set(message_ids)
        return [
            self._state.present(room.messages[room.seq_of[each]])
            for room in self._state.rooms.values()
            if conversation_id in (None, room.id)
            for each in wanted & room.seq_of.keys()
        ]

    async def _all(self, method: str, conversation_id: UUID) -> list[Message]:
        """In the order of seq."""
        await self._state.faults.before(method)
        room = self._state.rooms.get(conversation_id)
        return [] if room is None else [self._state.present(room.messages[seq]) for seq in sorted(room.messages)]


def _message(room: Room, message_id: UUID) -> Message | None:
    seq = room.seq_of.get(message_id)
    return None if seq is None else room.messages[seq]


def _may_write(room: Room, user_id: UUID) -> bool | None:
    """None for who is no member, false for who is silenced."""
    participant = room.participants.get(user_id)
    return None if participant is None else not participant.silenced


def _events(messages: list[Message], after_rev: int, upto_rev: int) -> list[Event]:
    found = [Event(EventKind.CREATED, each.created_rev, each) for each in messages]
    for each in messages:
        if each.rev > each.created_rev:
            kind = EventKind.UPDATED if each.deleted_at is None else EventKind.DELETED
            found.append(Event(kind, each.rev, each))
    return sorted((each for each in found if after_rev < each.rev <= upto_rev), key=lambda each: each.rev)
