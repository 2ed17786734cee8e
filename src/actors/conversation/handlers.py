"""What a conversation does for each message it understands."""

from collections.abc import Callable, Sequence
from math import inf
from typing import assert_never
from uuid import UUID

import trio

from actors.bridge.news import Advanced, Committed
from actors.conversation.agenda import Agenda, Task
from actors.conversation.changes import Changes
from actors.conversation.commits import created, position, runs
from actors.conversation.hearing import Hearing
from actors.conversation.messages import (
    AddMembers,
    Attach,
    ChangeDetails,
    ChangeRole,
    ConversationMessage,
    Delete,
    DeleteConversation,
    Detach,
    Edit,
    Heard,
    Individual,
    Join,
    MarkDelivered,
    MarkRead,
    Marks,
    Post,
    PresenceChanged,
    React,
    Refresh,
    RemoveMember,
    StartTyping,
    StopTyping,
)
from actors.conversation.notifying import Notifier
from actors.conversation.refusal import has_expired, refuse
from actors.conversation.room import ConversationServices, Room
from actors.tracing.hops import Hop, Tracing, ids_of
from chatcore.errors import ChatError, ErrorCode, forbidden, not_found, silenced, unavailable
from chatcore.model import Appended, Event


class Handlers:
    """Performs messages on one room, in order. It stops where the room turns out to be gone."""

    def __init__(self, services: ConversationServices, agenda: Agenda, notifier: Notifier) -> None:
        self._services = services
        self._policy = services.policy
        self._agenda = agenda
        self._hearing = Hearing(services, agenda, self._look)
        self._changes = Changes(services, notifier)
        self._looked = False
        self._doubted_at = -inf

    async def handle(self, room: Room, batch: Sequence[ConversationMessage]) -> None:
        """Handle in order; posts that stand together are one append, marks that stand together one write, and what was
        heard of commits that follow each other one delivery.
        """
        self._looked = False
        heard: list[Heard] = []
        posts: list[Post] = []
        marks: list[MarkRead | MarkDelivered] = []
        for message in batch:
            if posts and not isinstance(message, Post):
                await self._post(room, posts)
                posts = []
            if marks and not isinstance(message, MarkRead | MarkDelivered):
                await self._mark(room, marks)
                marks = []
            if heard and not isinstance(message, Heard):
                await self._hearing.hear(room, heard)
                heard = []
            if room.gone:
                return
            match message:
                case Post():
                    posts.append(message)
                case MarkRead() | MarkDelivered():
                    marks.append(message)
                case Heard():
                    heard.append(message)
                case _:
                    await self._handle_one(room, message)
        if posts:
            await self._post(room, posts)
        if marks:
            await self._mark(room, marks)
        if heard:
            await self._hearing.hear(room, heard)

    def doubt(self) -> None:
        """A write was not answered: if it was committed, or still is to be, the subscriptions must hear of it."""
        now = self._doubted_at = trio.current_time()
        self._agenda.no_later(Task.CATCH_UP, now + self._policy.retry_seconds)

    def plan_catch_up(self, now: float) -> None:
        """The database has just been read at `now`: it is read again while a write may still be committed unseen."""
        if self.in_doubt(now):
            age = now - self._doubted_at
            self._agenda.no_later(Task.CATCH_UP, now + max(age, self._policy.retry_seconds))

    def in_doubt(self, now: float) -> bool:
        """A write may still be committed unseen."""
        return now - self._doubted_at < self._policy.doubt_seconds

    async def _post(self, room: Room, posts: Sequence[Post]) -> None:
        """Append `posts`, cut where the text of one append is over its bound."""
        portion: list[Post] = []
        size = 0
        for post in posts:
            portion.append(post)
            size += len(post.message.text)
            if size >= self._policy.batch_bytes:
                await self._append(room, portion)
                portion, size = [], 0
        await self._append(room, portion)

    async def _append(self, room: Room, posts: Sequence[Post]) -> None:
        now = trio.current_time()
        if Tracing.by is not None:
            Tracing.by.pass_by(ids_of(post.message for post in posts), Hop.MAILBOX_OUT, f"{len(posts)} at once")
        wanted: list[Post] = []
        for post in posts:
            sender_id = post.message.sender_id
            if now < post.reply.deadline and sender_id in room.marks and sender_id not in room.silenced:
                wanted.append(post)
                continue
            if await self._may(room, post, sender_id):
                wanted.append(post)
            now = trio.current_time()
        if room.gone or not wanted:
            return
        try:
            answer = await self._services.log.append([post.message for post in wanted])
        except ChatError as error:
            answer = error
        runs = self.settle(room, wanted, answer)
        self.announce(room, wanted, answer, runs)
        await self.deliver(room, runs)

    def announce(
        self,
        room: Room,
        posts: Sequence[Post],
        answer: Sequence[Appended | ChatError] | Exception,
        runs: Sequence[Sequence[Event]],
    ) -> None:
        """Tell the senders what became of their `posts`, and the other nodes what was committed."""
        if isinstance(answer, ChatError):
            for post in posts:
                post.reply.fail(answer)
        elif not isinstance(answer, Exception):
            for post, outcome in zip(posts, answer, strict=True):
                if isinstance(outcome, ChatError):
                    post.reply.fail(outcome)
                else:
                    post.reply.succeed(outcome)
        # The publish takes a moment and the way to the other nodes is the longer one.
        self._tell(room, runs)

    def settle(
        self, room: Room, posts: Sequence[Post], answer: Sequence[Appended | ChatError] | Exception
    ) -> Sequence[Sequence[Event]]:
        """The runs of events that `posts` have become, to be told and delivered. Raises what is no `ChatError`.

        All else that a commit causes belongs here: a post that comes alone takes another way to here.
        """
        if Tracing.by is not None:
            Tracing.by.settled([post.message for post in posts], answer)
        if isinstance(answer, ChatError):
            if answer.code is not ErrorCode.OVERLOADED:
                self.doubt()
            return ()
        if isinstance(answer, Exception):
            raise answer
        events: list[Event] = []
        for post, outcome in zip(posts, answer, strict=True):
            if isinstance(outcome, ChatError):
                self._learn(outcome)
            elif outcome.was_new:
                events.append(created(room, post, outcome))
            elif outcome.rev > room.gate.position:
                self._agenda.no_later(Task.CATCH_UP, trio.current_time())
        if not events:
            return ()
        room.notice(events)
        return runs(events)

    def deliver_at_once(self, room: Room, runs: Sequence[Sequence[Event]], tell: Callable[[], None]) -> bool:
        """As `deliver`, at most one run, with `tell` called just before the first send. False, and nothing has
        happened, where that takes waiting.
        """
        return all(room.admit_at_once(run, run[0].rev - 1, tell) for run in runs)

    async def deliver(self, room: Room, runs: Sequence[Sequence[Event]]) -> None:
        try:
            for run in runs:
                await room.admit(run, run[0].rev - 1)
        except ChatError:
            self._agenda.no_later(Task.CATCH_UP, trio.current_time() + self._policy.retry_seconds)

    def _tell(self, room: Room, runs: Sequence[Sequence[Event]]) -> None:
        """Tell the other nodes what was committed."""
        relay = self._services.relay
        if not relay.alone:
            for run in runs:
                relay.tell_conversation(room.id, Committed(run[0].rev - 1, tuple(run)))

    async def _mark(self, room: Room, messages: Sequence[MarkRead | MarkDelivered]) -> None:
        durable: list[MarkRead | MarkDelivered] = []
        for message in messages:
            user_id = message.user_id
            if not await self._may(room, message, user_id):
                continue
            if message.seq > room.last_seq and not await self._look_for(room, message):
                continue
            if isinstance(message, MarkRead):
                room.marks.read(user_id, message.seq, room.last_seq)
            else:
                room.marks.delivered(user_id, message.seq, room.last_seq)
            if message.durable:
                durable.append(message)
            else:
                message.reply.succeed(None)
        if not durable or room.gone:
            return
        try:
            await room.save_marks({message.user_id for message in durable})
        except ChatError as error:
            for message in durable:
                message.reply.fail(error)
        else:
            for message in durable:
                message.reply.succeed(None)

    async def _handle_one(self, room: Room, message: Individual) -> None:
        if has_expired(message):
            refuse(message, unavailable())
            return
        try:
            await self._dispatch(room, message)
        except ChatError as error:
            refuse(message, error)
            if error.code in (ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED):
                self.doubt()

    async def _dispatch(self, room: Room, message: Individual) -> None:
        match message:
            case (
                Edit()
                | Delete()
                | React()
                | AddMembers()
                | RemoveMember()
                | ChangeRole()
                | ChangeDetails()
                | DeleteConversation()
            ):
                await self._changes.perform(room, message)
            case Join(user_id, reply):
                await self._require_member(room, user_id)
                reply.succeed(position(room, user_id))
            case Attach(subscription, reply):
                await self._require_member(room, subscription.user_id)
                is_live = subscription.closed or room.attach(subscription)
                reply.succeed(is_live)
                if is_live:
                    room.greet(subscription)
            case Detach(subscription):
                room.detach(subscription)
            case StartTyping(user_id, reply):
                await self._require_writer(room, user_id)
                reply.succeed(None)
                await room.typists.start(user_id, trio.current_time())
            case StopTyping(user_id, reply):
                reply.succeed(None)
                await room.typists.stop(user_id)
            case Marks(reply):
                reply.succeed(room.marks.all())
            case Refresh(reply, tell):
                await self._look(room)
                reply.succeed(None)
                if tell and not room.gone:
                    self._services.relay.tell_conversation(room.id, Advanced(room.gate.position))
            case PresenceChanged(user_id, online):
                await room.company.changed(user_id, online=online)
            case _:
                assert_never(message)

    async def _may(self, room: Room, message: Post | MarkRead | MarkDelivered, user_id: UUID) -> bool:
        """False when `message` is not to be performed; it is answered then."""
        if has_expired(message):
            refuse(message, unavailable())
            return False
        try:
            await (self._require_writer if isinstance(message, Post) else self._require_member)(room, user_id)
        except ChatError as error:
            refuse(message, error)
            return False
        return True

    async def _look_for(self, room: Room, message: MarkRead | MarkDelivered) -> bool:
        """As `_look`; false when the database cannot be asked, `message` is answered then."""
        try:
            await self._look(room)
        except ChatError as error:
            message.reply.fail(error)
            return False
        return True

    async def _require_member(self, room: Room, user_id: UUID) -> None:
        """A stranger is refused, after a look at the database: he may have been added on another node just now."""
        if user_id not in room.marks:
            await self._look(room)
            if room.gone:
                raise not_found("Conversation")
            if user_id not in room.marks:
                raise forbidden()

    async def _require_writer(self, room: Room, user_id: UUID) -> None:
        """As `_require_member`; who is silenced is refused, after a look as well."""
        await self._require_member(room, user_id)
        if user_id in room.silenced:
            await self._look(room)
            if user_id in room.silenced:
                raise silenced()

    async def _look(self, room: Room) -> None:
        """Compare with the database, once a batch: all of a batch was sent before. So a stranger who keeps asking
        costs little. Raises `ChatError`.
        """
        if not self._looked:
            await room.catch_up()
            self._looked = True

    def _learn(self, refusal: ChatError) -> None:
        """What the refusal of a member's post tells: the database knows other members, or nothing is known of it."""
        match refusal.code:
            case ErrorCode.FORBIDDEN | ErrorCode.NOT_FOUND:
                self._agenda.no_later(Task.CATCH_UP, trio.current_time())
            case ErrorCode.UNAVAILABLE:
                self.doubt()
            case _:
                pass
