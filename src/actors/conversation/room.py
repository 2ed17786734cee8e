"""What one incarnation of a conversation's actor holds in memory, and how it delivers."""

from collections.abc import Collection, Sequence
from itertools import islice
from uuid import UUID

import trio
from attrs import frozen

from actors.bridge.ports import Relay
from actors.conversation.audience import Attendance
from actors.conversation.policy import ConversationPolicy
from actors.conversation.recent import Recent
from actors.conversation.subscription import (
    BodyEncoder,
    Encoded,
    Subscription,
    Topic,
    encode_event,
    highest_created,
)
from actors.ports import ConversationStore, MessageHistory, MessageLog
from actors.presence.ports import PresenceWatch
from actors.users.actor import Users
from actors.users.messages import Notify
from chatcore.gate import Admission, Gate
from chatcore.marks import Marks
from chatcore.model import Conversation, Event, EventKind, Message, Notification, NotificationType


@frozen
class ConversationServices:
    """What all conversations of a node share."""

    log: MessageLog
    history: MessageHistory
    store: ConversationStore
    users: Users
    encoder: BodyEncoder
    policy: ConversationPolicy
    relay: Relay
    presence: PresenceWatch


class Room:
    """The conversation in memory: members, marks and position, and the attendance that outlives it."""

    def __init__(self, services: ConversationServices, conversation: Conversation, attendance: Attendance) -> None:
        policy = services.policy
        self.id: UUID = conversation.id
        self.audience = attendance.audience
        self.typing = attendance.typing
        self.conversation = conversation
        self.last_seq = conversation.last_seq
        self.gate = Gate(conversation.rev)
        self.marks = Marks(conversation.participants)
        self.unnoticed: Message | None = None
        """The newest message that no notification has told of."""
        self.gone = False
        """The database has no such conversation any more."""
        self._services = services
        self._policy = policy
        self._names = {p.user_id: p.name for p in conversation.participants}
        self._recent = Recent(conversation.rev, max_events=policy.recent_events, max_bytes=policy.recent_bytes)

    @property
    def is_large(self) -> bool:
        return len(self.marks) > self._policy.large_room_members

    def name_of(self, user_id: UUID) -> str:
        return self._names.get(user_id, "")

    async def admit(self, events: Sequence[Event], prev_rev: int) -> None:
        """Deliver a committed batch, or first what is missing before it. Raises `ChatError` when that fails."""
        match self.gate.admit(prev_rev, events[-1].rev):
            case Admission.DELIVER:
                await self._deliver(events)
            case Admission.BEHIND:
                await self.catch_up()
            case Admission.DROP:
                pass

    async def catch_up(self) -> None:
        """Take members and details as the database has them, and deliver all that happened after the position.

        Who is no member any more is cut off first, so that nothing of a later `rev` reaches him. Sets `gone` when
        there is no such conversation. Raises `ChatError`; what was delivered by then stays so.
        """
        conversation = await self._services.store.load(self.id)
        if conversation is None:
            self.gone = True
            return
        await self.adopt(conversation)
        await self.reach(conversation.rev)
        self.last_seq = max(self.last_seq, conversation.last_seq)

    async def reach(self, rev: int) -> None:
        """Deliver all that happened after the position and up to `rev`. Raises `ChatError`."""
        while self.gate.position < rev:
            events = await self._services.history.events(
                self.id, after_rev=self.gate.position, upto_rev=rev, limit=self._policy.history_page
            )
            if not events:
                self.gate.advance(rev)
                break
            await self._deliver(events)

    async def resynchronise(self) -> None:
        """Give the subscriptions that an earlier incarnation left what they have missed, and follow them again."""
        revs: list[int] = []
        self.audience.discard_closed()
        await self._cut_off_strangers()
        for subscription in self.audience.of_topic(Topic.MESSAGES):
            revs.append(subscription.rev)
            self._follow(subscription)
        if not self.is_large and any(self.audience.of_topic(Topic.READ)):
            self.marks.announce_all()
        floor = min(revs, default=self.gate.position)
        while floor < self.gate.position:
            events = await self._services.history.events(
                self.id, after_rev=floor, upto_rev=self.gate.position, limit=self._policy.history_page
            )
            if not events:
                break
            await self._redeliver([encode_event(self._services.encoder, event) for event in events])
            floor = events[-1].rev

    async def adopt(self, conversation: Conversation) -> None:
        """Take members and details from the database; what belongs to who is no member ends."""
        self.conversation = conversation
        self._names = {p.user_id: p.name for p in conversation.participants}
        self.marks.merge(conversation.participants)
        await self._cut_off_strangers()

    def attach(self, subscription: Subscription) -> bool:
        """Make it live; false when it is further behind than what is at hand."""
        if subscription not in self.audience:
            if subscription.topic is Topic.MESSAGES and not self._join_live(subscription):
                return False
            self.audience.add(subscription)
        return True

    def greet(self, subscription: Subscription) -> None:
        """Give a subscription that has just been attached the state that its topic begins with."""
        if subscription.topic is Topic.TYPING:
            for user_id in self.typing.now_typing:
                body = self._services.encoder.typing(self.id, user_id, is_typing=True)
                subscription.outlet.offer(subscription.format.notice_frame(body))

    def detach(self, subscription: Subscription) -> None:
        if (
            self.audience.discard(subscription)
            and subscription.topic is Topic.MESSAGES
            and subscription.counts_as_delivered
        ):
            self.marks.unfollow(subscription.user_id)

    def prune(self) -> None:
        """Forget subscriptions whose connection has ended without a word."""
        for subscription in [s for s in self.audience if s.closed]:
            self.detach(subscription)

    async def start_typing(self, user_id: UUID, now: float) -> None:
        if self.typing.start(user_id, now):
            await self._announce_typing(user_id, is_typing=True)

    async def stop_typing(self, user_id: UUID) -> None:
        if self.typing.stop(user_id):
            await self._announce_typing(user_id, is_typing=False)

    async def expire_typing(self, now: float) -> None:
        for user_id in self.typing.expire(now):
            await self._announce_typing(user_id, is_typing=False)

    async def announce_marks(self) -> None:
        if not self.is_large:
            self.marks.settle()
        for mark in self.marks.take_unannounced(delivered_too=not self.is_large).all:
            body = self._services.encoder.mark(
                self.id, mark.user_id, read_seq=mark.read_seq, delivered_seq=mark.delivered_seq
            )
            await self.audience.announce(Topic.READ, body, self._policy.fanout_slice)

    async def save_marks(self, user_ids: Collection[UUID] | None = None) -> None:
        """Store the marks that are not stored yet, of `user_ids` or of all. Raises `ChatError`: the others stay so."""
        while marks := self.marks.take_unsaved(user_ids, self._policy.marks_page):
            unsaved = marks
            try:
                await self._services.store.save_marks(self.id, marks)
                unsaved = []
            finally:
                self.marks.put_back(unsaved)

    async def notify_of_messages(self) -> None:
        """Tell the members that listen on this node of the newest message, each with his unread count."""
        message, self.unnoticed = self.unnoticed, None
        if message is None:
            return
        listening = self._services.users.listening
        few, many = (self.marks.all(), listening) if len(self.marks) < len(listening) else (listening, self.marks)
        told = iter([user_id for user_id in few if user_id in many])
        while some := list(islice(told, self._policy.fanout_slice)):
            bodies = [(user_id, self._body_for(user_id, message)) for user_id in some if user_id in self.marks]
            self._services.users.tell(Notify(self.id, bodies, seq=message.seq))
            await trio.lowlevel.checkpoint()

    def _body_for(self, user_id: UUID, message: Message) -> bytes:
        unread = max(0, self.last_seq - self.marks.of(user_id).read_seq)
        notification = Notification(NotificationType.MESSAGE_CREATED, self.id, message=message, unread_count=unread)
        return self._services.encoder.notification(notification)

    def notify(self, type_: NotificationType, about: UUID | None, also: Sequence[UUID] = ()) -> None:
        """Tell all members, and the users in `also`, of a change of the conversation itself."""
        body = self._services.encoder.notification(Notification(type_, self.id, user_id=about))
        listening = self._services.users.listening
        told = [u for u in {**self.marks.all(), **dict.fromkeys(also)} if u in listening]
        if told:
            self._services.users.tell(Notify(self.id, [(user_id, body) for user_id in told]))

    async def _cut_off_strangers(self) -> None:
        for subscription in [s for s in self.audience if s.user_id not in self.marks]:
            self.detach(subscription)
            subscription.end()
        for user_id in [u for u in self.typing.now_typing if u not in self.marks]:
            await self.stop_typing(user_id)

    async def _announce_typing(self, user_id: UUID, *, is_typing: bool) -> None:
        body = self._services.encoder.typing(self.id, user_id, is_typing=is_typing)
        await self.audience.announce(Topic.TYPING, body, self._policy.fanout_slice)

    def _join_live(self, subscription: Subscription) -> bool:
        if subscription.rev < 0:
            subscription.rev = self.gate.position
        missing = self._recent.after(subscription.rev)
        if missing is None:
            return False
        self._follow(subscription)
        if missing:
            written = subscription.deliver(subscription.format.message_frames(missing), missing)
            subscription.rev = missing[-1].rev
            if written and subscription.counts_as_delivered:
                self.marks.delivered(subscription.user_id, highest_created(missing), self.last_seq)
        return True

    def _follow(self, subscription: Subscription) -> None:
        if subscription.counts_as_delivered:
            self.marks.follow(subscription.user_id, self.last_seq)

    async def _deliver(self, events: Sequence[Event]) -> None:
        """Move the position to the last of `events`, and give every subscription what it has not had."""
        encoder, position = self._services.encoder, self.gate.position
        encoded = [encode_event(encoder, event) for event in events if event.rev > position]
        self._recent.extend(encoded)
        self.gate.advance(encoded[-1].rev)
        for event in events:
            if event.kind is EventKind.CREATED and event.message.seq > self.last_seq:
                self.last_seq = event.message.seq
                self.unnoticed = event.message
        late = await self._fan_out(encoded) if self.audience else ()
        created = highest_created(encoded)
        if created:
            self.marks.written(created, [s.user_id for s in late if s.counts_as_delivered])

    async def _redeliver(self, encoded: Sequence[Encoded]) -> None:
        """Give the subscriptions that are behind what happened before the position."""
        behind = [
            subscription
            for subscription in self.audience.of_topic(Topic.MESSAGES)
            if subscription.counts_as_delivered and subscription.rev < encoded[-1].rev
        ]
        late = await self._fan_out(encoded)
        created = highest_created(encoded)
        for subscription in behind:
            if subscription in self.audience and subscription not in late:
                self.marks.delivered(subscription.user_id, created, self.last_seq)

    async def _fan_out(self, encoded: Sequence[Encoded]) -> set[Subscription]:
        """The subscriptions whose socket did not take the bytes at once; those found closed are forgotten."""
        fan_out = await self.audience.deliver(encoded, self._policy.fanout_slice)
        for subscription in fan_out.gone:
            self.detach(subscription)
        return set(fan_out.late)
