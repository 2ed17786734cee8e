"""What a conversation does for each message it understands."""

from collections.abc import Sequence
from typing import assert_never
from uuid import UUID

import trio

from actors.conversation.agenda import Agenda, Task
from actors.conversation.messages import (
    AddMembers,
    Attach,
    ChangeDetails,
    ConversationMessage,
    Delete,
    Detach,
    Edit,
    Join,
    MarkDelivered,
    MarkRead,
    Marks,
    Position,
    Post,
    Refresh,
    RemoveMember,
    StartTyping,
    StopTyping,
)
from actors.conversation.refusal import refuse
from actors.conversation.room import ConversationServices, Room
from actors.ports import Roster
from actors.runtime.reply import Reply
from chatcore.errors import ChatError, ErrorCode, forbidden, unavailable
from chatcore.model import Appended, Event, EventKind, Message, NotificationType


class Handlers:
    """Performs messages on one room, in order. Its methods return false when the conversation is gone."""

    def __init__(self, services: ConversationServices, agenda: Agenda) -> None:
        self._services = services
        self._policy = services.policy
        self._agenda = agenda

    async def handle(self, room: Room, batch: Sequence[ConversationMessage]) -> bool:
        """Handle in order, posts that stand together as one append. False when the conversation is gone."""
        posts: list[Post] = []
        size = 0
        for message in batch:
            if isinstance(message, Post):
                size += len(message.message.text)
                posts.append(message)
                if size < self._policy.batch_bytes:
                    continue
            if posts:
                if not await self._append(room, posts):
                    return False
                posts, size = [], 0
            if not isinstance(message, Post) and not await self._handle_one(room, message):
                return False
        return not posts or await self._append(room, posts)

    async def _append(self, room: Room, posts: Sequence[Post]) -> bool:
        wanted: list[Post] = []
        for post in posts:
            if post.reply.expired:
                post.reply.fail(unavailable())
            else:
                try:
                    await self._require_member(room, post.message.sender_id)
                    wanted.append(post)
                except ChatError as error:
                    post.reply.fail(error)
        if not wanted:
            return True
        try:
            outcomes = await self._services.log.append([post.message for post in wanted])
        except ChatError as error:
            for post in wanted:
                post.reply.fail(error)
            self._agenda.no_later(Task.CATCH_UP, trio.current_time() + self._policy.retry_seconds)
            return True
        events: list[Event] = []
        for post, outcome in zip(wanted, outcomes, strict=True):
            if isinstance(outcome, ChatError):
                post.reply.fail(outcome)
                continue
            post.reply.succeed(outcome)
            if outcome.was_new:
                events.append(_created(room, post, outcome))
        if not events:
            return True
        events.sort(key=lambda event: event.rev)
        try:
            alive = await room.admit(events, events[0].rev - 1)
        except ChatError:
            self._agenda.no_later(Task.CATCH_UP, trio.current_time() + self._policy.retry_seconds)
            return True
        for event in events:
            sender_id = event.message.sender_id
            room.marks.sent(sender_id, event.message.seq)
            if room.typing.stop(sender_id):
                await room.announce_typing(sender_id, is_typing=False)
        return alive

    async def _handle_one(self, room: Room, message: ConversationMessage) -> bool:
        """False when the conversation is gone."""
        try:
            return await self._dispatch(room, message)
        except ChatError as error:
            refuse(message, error)
            if error.code is ErrorCode.UNAVAILABLE:
                self._agenda.no_later(Task.CATCH_UP, trio.current_time() + self._policy.retry_seconds)
            return True

    async def _dispatch(self, room: Room, message: ConversationMessage) -> bool:
        services = self._services
        match message:
            case Post():
                return await self._append(room, [message])
            case Edit(message_id, editor_id, text, reply):
                event = await services.log.edit(room.id, message_id, editor_id, text)
                reply.succeed(event)
                return await room.admit([event], event.rev - 1)
            case Delete(message_id, user_id, moderator, reply):
                deleted = await services.log.delete(room.id, message_id, user_id, moderator=moderator)
                reply.succeed(deleted)
                return deleted is None or await room.admit([deleted], deleted.rev - 1)
            case AddMembers(by, user_ids, reply):
                roster = await services.store.add_members(room.id, by, user_ids, max_members=self._policy.max_members)
                return await self._adopt(room, roster, reply)
            case RemoveMember(by, user_id, reply):
                return await self._adopt(room, await services.store.remove_member(room.id, by, user_id), reply)
            case ChangeDetails(by, name, avatar_url, reply):
                roster = await services.store.change_details(room.id, by, name=name, avatar_url=avatar_url)
                return await self._adopt(room, roster, reply)
            case Join(user_id, reply):
                await self._require_member(room, user_id)
                reply.succeed(Position(room.gate.position, room.last_seq, room.marks.of(user_id)))
            case Attach(subscription, reply):
                await self._require_member(room, subscription.user_id)
                reply.succeed(subscription.closed or room.attach(subscription))
            case Detach(subscription):
                room.detach(subscription)
            case StartTyping(user_id, reply):
                await self._require_member(room, user_id)
                reply.succeed(None)
                if room.typing.start(user_id, trio.current_time()):
                    await room.announce_typing(user_id, is_typing=True)
            case StopTyping(user_id, reply):
                reply.succeed(None)
                if room.typing.stop(user_id):
                    await room.announce_typing(user_id, is_typing=False)
            case MarkRead() | MarkDelivered():
                await self._mark(room, message)
            case Marks(reply):
                reply.succeed(room.marks.all())
            case Refresh():
                return await room.catch_up()
            case _:
                assert_never(message)
        return True

    async def _mark(self, room: Room, message: MarkRead | MarkDelivered) -> None:
        await self._require_member(room, message.user_id)
        if message.durable and message.seq > room.last_seq:
            await room.catch_up()
        if isinstance(message, MarkRead):
            room.marks.read(message.user_id, message.seq, room.last_seq)
        else:
            room.marks.delivered(message.user_id, message.seq, room.last_seq)
        if message.durable:
            await self._services.store.save_marks(room.id, [room.marks.of(message.user_id)])
        message.reply.succeed(None)

    async def _require_member(self, room: Room, user_id: UUID) -> None:
        """A stranger is refused, after a look at the database: he may have been added on another node just now."""
        if user_id not in room.marks:
            await room.catch_up()
            if user_id not in room.marks:
                raise forbidden()

    async def _adopt(self, room: Room, roster: Roster, reply: Reply[Roster]) -> bool:
        """Take a committed change of members or details, once everything before it has been delivered."""
        before = room.gate.position
        changed = roster.conversation.rev > before
        if changed and not await room.catch_up():
            reply.succeed(roster)
            return False
        reply.succeed(roster)
        for user_id in roster.added:
            room.notify(NotificationType.PARTICIPANT_ADDED, user_id)
        for user_id in roster.removed:
            room.notify(NotificationType.PARTICIPANT_REMOVED, user_id, also=[user_id])
        if changed and not roster.added and not roster.removed:
            room.notify(NotificationType.CONVERSATION_UPDATED, None)
        return True


def _created(room: Room, post: Post, outcome: Appended) -> Event:
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
    )
    return Event(EventKind.CREATED, outcome.rev, message)
