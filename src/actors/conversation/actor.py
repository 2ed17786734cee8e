"""The conversation actor: the owner of one conversation's order, members, marks, typists and audience."""

from math import inf
from typing import assert_never
from uuid import UUID

import trio

from actors.conversation.agenda import Agenda, Task
from actors.conversation.audience import Audience
from actors.conversation.handlers import Handlers
from actors.conversation.messages import ConversationMessage, Post
from actors.conversation.refusal import refuse
from actors.conversation.room import ConversationServices, Room
from actors.runtime.cell import ActorContext
from actors.runtime.mailbox import MailboxClosed
from chatcore.errors import ChatError, ErrorCode, not_found, unavailable
from chatcore.model import Appended


class ConversationActor:
    """One conversation in use.

    Mailbox: `policy.mailbox_capacity` messages; full: refused as `OVERLOADED`. Owns the order of delivery, the members
    and their marks, who types, and the audience. Transient: a crash brings it back from the database, its audience
    still attached and resynchronised; posts that were in hand are settled by looking their ids up. Passivates when
    nothing listens and nothing came for `policy.idle_seconds`.
    """

    def __init__(
        self, services: ConversationServices, audience: Audience, context: ActorContext[ConversationMessage]
    ) -> None:
        self._services = services
        self._policy = services.policy
        self._audience = audience
        self._context = context
        self._mailbox = context.mailbox
        self._agenda = Agenda()
        self._handlers = Handlers(services, self._agenda)
        self._idle_at = inf

    async def run(self, conversation_id: UUID) -> None:
        room = await self._open(conversation_id)
        if room is None:
            return
        try:
            await self._serve(room)
        finally:
            with trio.move_on_after(self._policy.flush_timeout, shield=True):
                await self._save_marks(room)

    async def _open(self, conversation_id: UUID) -> Room | None:
        """The room from the database. None when there is no such conversation, or nobody is left to wait for it."""
        while True:
            try:
                conversation = await self._services.store.load(conversation_id)
                if conversation is None:
                    return await self._close_unknown()
                room = Room(self._services, conversation, self._audience)
                await self._settle_in_hand(room)
                await room.resynchronise()
            except ChatError as error:
                if error.code is not ErrorCode.UNAVAILABLE:
                    raise
                if not await self._refuse_for_now(error):
                    return None
            else:
                return room

    async def _close_unknown(self) -> None:
        error = not_found("Conversation")
        for subscription in list(self._audience):
            self._audience.discard(subscription)
            subscription.end()
        self._refuse_waiting(error)
        while not self._mailbox.close_if_empty():
            self._refuse_waiting(error)

    async def _refuse_for_now(self, error: ChatError) -> bool:
        """Refuse what waits and what comes until it is time to ask the database again. False: nobody waits, give up."""
        self._refuse_waiting(error)
        if not self._audience and self._mailbox.close_if_empty():
            return False
        with trio.move_on_after(self._policy.retry_seconds):
            while True:
                try:
                    for message in await self._mailbox.receive_batch(self._policy.batch_limit):
                        refuse(message, error)
                except MailboxClosed:
                    return False
        return True

    def _refuse_waiting(self, error: ChatError) -> None:
        for message in self._context.in_hand:
            refuse(message, error)
        while (message := self._mailbox.try_receive()) is not None:
            refuse(message, error)
        self._context.done()

    async def _settle_in_hand(self, room: Room) -> None:
        """Answer what a crashed incarnation had received: a post is done if its message is in the database."""
        open_posts = {m.message.id: m for m in self._context.in_hand if isinstance(m, Post) and not m.reply.settled}
        if open_posts:
            for found in await self._services.history.find(open_posts.keys(), room.id):
                appended = Appended(found.id, found.seq, found.created_rev, found.created_at, was_new=True)
                open_posts[found.id].reply.succeed(appended)
        for message in self._context.in_hand:
            refuse(message, unavailable())
        self._context.done()

    async def _serve(self, room: Room) -> None:
        while True:
            self._plan(room)
            batch: list[ConversationMessage] = []
            try:
                with trio.move_on_at(min(self._agenda.next_deadline, self._idle_at)):
                    batch = await self._mailbox.receive_batch(self._policy.batch_limit)
            except MailboxClosed:
                return None
            if batch:
                self._idle_at = inf
                if not await self._handlers.handle(room, batch):
                    return await self._close_unknown()
            if not await self._do_what_is_due(room):
                return await self._close_unknown()
            if not batch and trio.current_time() >= self._idle_at:
                room.prune()
                if not self._audience and self._mailbox.close_if_empty():
                    return None
                self._idle_at = inf

    def _plan(self, room: Room) -> None:
        now = trio.current_time()
        agenda = self._agenda
        agenda.set(Task.EXPIRE_TYPING, room.typing.next_deadline)
        if room.marks.has_unannounced or (not room.is_large and not room.marks.is_settled):
            agenda.no_later(Task.ANNOUNCE_MARKS, now, after_last=self._policy.mark_interval)
        if room.marks.has_unsaved:
            agenda.no_later(Task.SAVE_MARKS, now + self._policy.mark_interval)
        elif not room.marks.is_settled:
            agenda.no_later(Task.SAVE_MARKS, now + self._policy.large_room_mark_interval)
        if room.unnoticed is not None:
            agenda.no_later(Task.NOTIFY, now, after_last=self._policy.notification_interval)
        if self._idle_at == inf:
            self._idle_at = now + self._policy.idle_seconds

    async def _do_what_is_due(self, room: Room) -> bool:
        """False when the conversation is gone."""
        now = trio.current_time()
        for task in self._agenda.take_due(now):
            match task:
                case Task.EXPIRE_TYPING:
                    for user_id in room.typing.expire(now):
                        await room.announce_typing(user_id, is_typing=False)
                case Task.ANNOUNCE_MARKS:
                    await room.announce_marks()
                case Task.SAVE_MARKS:
                    room.marks.settle()
                    await self._save_marks(room)
                case Task.NOTIFY:
                    room.notify_of_messages()
                case Task.CATCH_UP:
                    if not await self._catch_up(room):
                        return False
                case _:
                    assert_never(task)
        return True

    async def _catch_up(self, room: Room) -> bool:
        try:
            return await room.catch_up()
        except ChatError:
            self._agenda.no_later(Task.CATCH_UP, trio.current_time() + self._policy.retry_seconds)
            return True

    async def _save_marks(self, room: Room) -> None:
        room.marks.settle()
        marks = room.marks.take_unsaved()
        if not marks:
            return
        try:
            await self._services.store.save_marks(room.id, marks)
        except ChatError:
            room.marks.put_back(marks)
