"""The conversation actor: the owner of one conversation's order, members, marks, typists and audience."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from math import inf
from typing import assert_never
from uuid import UUID

import trio

from actors.bridge.news import Advanced
from actors.conversation.agenda import Agenda, Task
from actors.conversation.audience import Attendance
from actors.conversation.express import Express
from actors.conversation.handlers import Handlers
from actors.conversation.messages import ConversationMessage, Heard, Post, PresenceChanged
from actors.conversation.notifying import Notifier
from actors.conversation.refusal import refuse
from actors.conversation.room import ConversationServices, Room
from actors.runtime.alarms import Alarm
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
        self, services: ConversationServices, attendance: Attendance, context: ActorContext[ConversationMessage]
    ) -> None:
        self._services = services
        self._policy = services.policy
        self._attendance = attendance
        self._audience = attendance.audience
        self._mailbox = context.mailbox
        self._alarm = Alarm(context.alarms, self._mailbox.nudge)
        self._agenda = Agenda()
        self._notifier = Notifier(services)
        self._handlers = Handlers(services, self._agenda, self._notifier)
        self._idle_at = inf
        self._rings_in_time = False
        """Whether the alarm is set for all that was planned by the last post that this task slept through."""
        self._marks_at = -inf
        """When marks may be stored again, after an attempt that failed."""
        context.on_leave = self._leave
        self.room: Room | None = None
        """For others to look at only; there is none before it has been read from the database."""

    async def run(self, conversation_id: UUID) -> None:
        # Before it is read from the database: nothing that happens meanwhile is missed.
        self._services.relay.follow_conversation(conversation_id)
        try:
            await self._live(conversation_id)
        finally:
            self._services.relay.unfollow_conversation(conversation_id)
            self._services.presence.unwatch(conversation_id)

    async def _live(self, conversation_id: UUID) -> None:
        room = await self._open(conversation_id)
        if room is None:
            return
        self.room = room
        express = Express(self._services.log, self._mailbox, self._handlers, room, partial(self._go_on_waiting, room))
        try:
            await self._serve(room, express)
        finally:
            express.stop()
            self._attendance.marks.clear()
            self._attendance.marks.update(room.marks.all())
            with trio.move_on_after(self._policy.flush_timeout, shield=True):
                await self._flush(room)

    async def _open(self, conversation_id: UUID) -> Room | None:
        """The room from the database. None when there is no such conversation, or nobody is left to wait for it."""
        if self._mailbox.in_hand:
            self._handlers.doubt()
        while True:
            try:
                conversation = await self._services.store.load(conversation_id)
                if conversation is None:
                    return self._close_unknown()
                room = Room(self._services, conversation, self._attendance)
                await self._settle_in_hand(room)
                await room.resynchronise()
            except ChatError as error:
                if error.code not in (ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED):
                    raise
                if not await self._refuse_for_now(error):
                    return None
            else:
                return room

    def _leave(self) -> None:
        """Passivate as soon as nothing is in hand. Raises `CONFLICT` while somebody is subscribed."""
        if self.room is not None:
            self.room.prune()
        if self._audience:
            raise ChatError(ErrorCode.CONFLICT, f"The conversation has {len(self._audience)} subscriptions")
        self._idle_at = -inf
        self._mailbox.nudge()

    def _close_unknown(self) -> None:
        error = not_found("Conversation")
        for subscription in list(self._audience):
            self._audience.discard(subscription)
            subscription.end()
        self._refuse_waiting(error)
        self._mailbox.close_if_empty()

    async def _refuse_for_now(self, error: ChatError) -> bool:
        """Refuse what waits and what comes until it is time to ask the database again. False: nobody waits, give up."""
        self._refuse_waiting(error)
        self._audience.discard_closed()
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
        """Refuse what is in hand and what waits."""
        while self._mailbox.try_receive() is not None:
            pass
        for message in self._mailbox.in_hand:
            refuse(message, error)
        self._mailbox.done()

    async def _settle_in_hand(self, room: Room) -> None:
        """Answer what a crashed incarnation had received: a post is done if its message is in the database."""
        in_hand = self._mailbox.in_hand
        open_posts = {m.message.id: m for m in in_hand if isinstance(m, Post) and not m.reply.settled}
        if open_posts:
            for found in sorted(await self._services.history.find(open_posts.keys(), room.id), key=lambda m: m.seq):
                appended = Appended(found.id, found.seq, found.created_rev, found.created_at, was_new=True)
                open_posts[found.id].reply.succeed(appended)
                room.unnoticed = found
        for message in in_hand:
            refuse(message, unavailable())
        if in_hand:
            self._services.relay.tell_conversation(room.id, Advanced(room.gate.position))
        self._mailbox.done()

    async def _serve(self, room: Room, express: Express) -> None:
        now = trio.current_time()
        while not room.gone:
            self._rings_in_time = False
            self._plan(room, now)
            try:
                batch = await self._receive_until(min(self._agenda.next_deadline, self._idle_at), now)
            except MailboxClosed:
                return
            if await express.finish():
                self._idle_at = inf
            elif batch:
                if not all(isinstance(message, Heard | PresenceChanged) for message in batch):
                    self._idle_at = inf
                await self._handlers.handle(room, batch)
            now = trio.current_time()
            if now >= self._agenda.next_deadline:
                await self._do_what_is_due(room, now)
                now = trio.current_time()
            if not batch and now >= self._idle_at:
                room.prune()
                if not self._audience and self._mailbox.close_if_empty():
                    return
                self._idle_at = inf
        self._close_unknown()

    def _go_on_waiting(self, room: Room, now: float) -> None:
        """A post was performed while this task waits: what that means for when it is to be woken."""
        self._idle_at = now + self._policy.idle_seconds
        if self._rings_in_time and not self._agenda.is_new:
            return  # the post before has brought the same to do, and none of it was done since
        self._plan(room, now)
        self._agenda.is_new = False
        deadline = min(self._agenda.next_deadline, self._idle_at)
        if deadline <= now:
            self._mailbox.nudge()
        else:
            self._alarm.ring_by(deadline)
            self._rings_in_time = True

    async def _receive_until(self, deadline: float, now: float) -> list[ConversationMessage]:
        """What waits or comes; nothing once the deadline has passed, or sooner."""
        self._mailbox.done(now)
        if deadline <= now:
            await trio.lowlevel.checkpoint()
            return []
        self._alarm.ring_by(deadline)
        return await self._mailbox.receive_batch_or_nudge(self._policy.batch_limit)

    def _plan(self, room: Room, now: float) -> None:
        agenda = self._agenda
        policy = self._policy
        marks_at = max(now, self._marks_at)
        agenda.set(Task.EXPIRE_TYPING, room.typists.next_deadline)
        if not room.marks.is_settled:
            if room.is_large:
                agenda.no_later(Task.SETTLE_MARKS, now + policy.large_room_mark_interval)
            else:
                agenda.no_later(Task.ANNOUNCE_MARKS, marks_at, after_last=policy.mark_interval)
        if room.marks.has_unannounced:
            agenda.no_later(Task.ANNOUNCE_MARKS, marks_at, after_last=policy.mark_interval)
        if room.marks.has_unsaved:
            agenda.no_later(Task.SAVE_MARKS, max(now + policy.mark_interval, marks_at))
        if room.company.has_unconfirmed:
            agenda.no_later(Task.SETTLE_PRESENCE, now + policy.presence_settle_seconds)
        if room.unnoticed is not None:
            agenda.no_later(Task.NOTIFY, now, after_last=policy.notification_interval)
        if self._idle_at == inf:
            self._idle_at = now + policy.idle_seconds

    async def _do_what_is_due(self, room: Room, now: float) -> None:
        for task in self._agenda.take_due(now):
            match task:
                case Task.EXPIRE_TYPING:
                    await room.typists.expire(now)
                case Task.ANNOUNCE_MARKS:
                    await self._store_marks(room.announce_marks)
                case Task.SETTLE_MARKS:
                    room.marks.settle()
                case Task.SAVE_MARKS:
                    await self._store_marks(room.save_marks)
                case Task.NOTIFY:
                    await self._notifier.of_message(room)
                case Task.SETTLE_PRESENCE:
                    await room.company.settle()
                case Task.CATCH_UP:
                    await self._catch_up(room)
                case _:
                    assert_never(task)

    async def _catch_up(self, room: Room) -> None:
        rev, seq = room.gate.position, room.last_seq
        try:
            await room.catch_up()
        except ChatError:
            self._agenda.no_later(Task.CATCH_UP, trio.current_time() + self._policy.retry_seconds)
            return
        now = trio.current_time()
        if self._handlers.in_doubt(now) and not room.gone:
            # A write of this node that was not answered may be among it, and nobody has told of that.
            if room.gate.position > rev:
                self._services.relay.tell_conversation(room.id, Advanced(room.gate.position))
            if room.last_seq > seq:
                room.unnoticed = room.conversation.last_message
        self._handlers.plan_catch_up(now)

    async def _store_marks(self, store: Callable[[], Awaitable[None]]) -> None:
        """Announcing stores first. What fails stays to be done, and is planned again for when the database is tried."""
        now = trio.current_time()
        if now < self._marks_at:
            return
        try:
            await store()
        except ChatError:
            self._marks_at = now + self._policy.retry_seconds

    async def _flush(self, room: Room) -> None:
        if not room.gone:
            room.marks.settle()
            with suppress(ChatError):
                await room.save_marks()
