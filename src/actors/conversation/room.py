"""What one incarnation of a conversation's actor holds in memory, and how it delivers."""

from collections import deque
from collections.abc import Sequence
from uuid import UUID

from attrs import frozen

from actors.conversation.audience import Audience
from actors.conversation.policy import ConversationPolicy
from actors.conversation.subscription import BodyEncoder, Encoded, Subscription, Topic
from actors.ports import ConversationStore, MessageHistory, MessageLog
from actors.users.actor import Users
from actors.users.messages import Notify
from chatcore.gate import Admission, Gate
from chatcore.marks import Marks
from chatcore.model import Conversation, Event, EventKind, Message, Notification, NotificationType
from chatcore.typing import Typing


@frozen
class ConversationServices:
    """What all conversations of a node share."""

    log: MessageLog
    history: MessageHistory
    store: ConversationStore
    users: Users
    encoder: BodyEncoder
    policy: ConversationPolicy


class Room:
    """The conversation in memory: members, marks, typists, position, and the audience that outlives it."""

    def __init__(self, services: ConversationServices, conversation: Conversation, audience: Audience) -> None:
        policy = services.policy
        self.id: UUID = conversation.id
        self.audience = audience
        self.conversation = conversation
        self.last_seq = conversation.last_seq
        self.gate = Gate(conversation.rev)
        self.marks = Marks(conversation.participants)
        self.typing = Typing(policy.typing_timeout, policy.typing_min_interval)
        self.unnoticed: Message | None = None
        """The newest message that no notification has told of."""
        self._services = services
        self._policy = policy
        self._names = {p.user_id: p.name for p in conversation.participants}
        self._recent: deque[Encoded] = deque(maxlen=policy.recent_events)
        self._recent_floor = conversation.rev

    @property
    def is_large(self) -> bool:
        return len(self.marks) > self._policy.large_room_members

    def name_of(self, user_id: UUID) -> str:
        return self._names.get(user_id, "")

    async def admit(self, events: Sequence[Event], prev_rev: int) -> bool:
        """Deliver a committed batch, or first what is missing before it. False when the conversation is gone."""
        match self.gate.admit(prev_rev, events[-1].rev):
            case Admission.DROP:
                return True
            case Admission.BEHIND:
                return await self.catch_up()
            case Admission.DELIVER:
                await self._deliver(events)
                return True

    async def catch_up(self) -> bool:
        """Take members and details as the database has them, and deliver all that happened after the position.

        Who is no member any more is cut off first, so that nothing of a later `rev` reaches him. False when the
        conversation is gone.
        """
        conversation = await self._services.store.load(self.id)
        if conversation is None:
            return False
        self.adopt(conversation)
        while self.gate.position < conversation.rev:
            events = await self._services.history.events(
                self.id, after_rev=self.gate.position, upto_rev=conversation.rev, limit=self._policy.history_page
            )
            if not events:
                self.gate.advance(conversation.rev)
                break
            await self._deliver(events)
        return True

    async def resynchronise(self) -> None:
        """Give the subscriptions that an earlier incarnation left what they have missed, and follow them again."""
        revs: list[int] = []
        for subscription in list(self.audience):
            if subscription.closed or subscription.user_id not in self.marks:
                self.detach(subscription)
                continue
            if subscription.topic is Topic.MESSAGES:
                revs.append(subscription.rev)
                self._follow(subscription)
        floor = min(revs, default=self.gate.position)
        while floor < self.gate.position:
            events = await self._services.history.events(
                self.id, after_rev=floor, upto_rev=self.gate.position, limit=self._policy.history_page
            )
            if not events:
                break
            await self._fan_out([self._encode(event) for event in events])
            floor = events[-1].rev

    def adopt(self, conversation: Conversation) -> None:
        """Take members and details from the database; subscriptions of who is no member end."""
        self.conversation = conversation
        self._names = {p.user_id: p.name for p in conversation.participants}
        self.marks.merge(conversation.participants)
        for subscription in [s for s in self.audience if s.user_id not in self.marks]:
            self.detach(subscription)
            subscription.end()
        for user_id in [u for u in self.typing.now_typing if u not in self.marks]:
            self.typing.stop(user_id)

    def attach(self, subscription: Subscription) -> bool:
        """Make it live; false when it is further behind than what is at hand."""
        if subscription.topic is Topic.MESSAGES:
            if subscription.rev < 0:
                subscription.rev = self.gate.position
            if subscription.rev < self._recent_floor:
                return False
            missing = [event for event in self._recent if event.rev > subscription.rev]
            if missing:
                subscription.deliver(subscription.format.message_frames(missing), missing)
                subscription.rev = missing[-1].rev
            self._follow(subscription)
        self.audience.add(subscription)
        if subscription.topic is Topic.TYPING:
            for user_id in self.typing.now_typing:
                body = self._services.encoder.typing(self.id, user_id, is_typing=True)
                subscription.deliver(subscription.format.notice_frame(body), ())
        return True

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

    async def announce_typing(self, user_id: UUID, *, is_typing: bool) -> None:
        body = self._services.encoder.typing(self.id, user_id, is_typing=is_typing)
        await self.audience.announce(Topic.TYPING, body, self._policy.fanout_slice)

    async def announce_marks(self) -> None:
        if not self.is_large:
            self.marks.settle()
        for mark in self.marks.take_unannounced(delivered_too=not self.is_large):
            body = self._services.encoder.mark(
                self.id, mark.user_id, read_seq=mark.read_seq, delivered_seq=mark.delivered_seq
            )
            await self.audience.announce(Topic.READ, body, self._policy.fanout_slice)

    def notify_of_messages(self) -> None:
        """Tell the members that listen on this node of the newest message, each with his unread count."""
        message, self.unnoticed = self.unnoticed, None
        if message is None:
            return
        listening = self._services.users.listening
        few, many = (self.marks.all(), listening) if len(self.marks) < len(listening) else (listening, self.marks)
        bodies: list[tuple[UUID, bytes]] = []
        for user_id in few:
            if user_id in many:
                unread = max(0, self.last_seq - self.marks.of(user_id).read_seq)
                notification = Notification(
                    NotificationType.MESSAGE_CREATED, self.id, message=message, unread_count=unread
                )
                bodies.append((user_id, self._services.encoder.notification(notification)))
        if bodies:
            self._services.users.tell(Notify(self.id, bodies, skip_watching=True))

    def notify(self, type_: NotificationType, about: UUID | None, also: Sequence[UUID] = ()) -> None:
        """Tell all members, and the users in `also`, of a change of the conversation itself."""
        body = self._services.encoder.notification(Notification(type_, self.id, user_id=about))
        listening = self._services.users.listening
        told = [u for u in {**self.marks.all(), **dict.fromkeys(also)} if u in listening]
        if told:
            self._services.users.tell(Notify(self.id, [(user_id, body) for user_id in told]))

    def _follow(self, subscription: Subscription) -> None:
        if subscription.counts_as_delivered:
            self.marks.follow(subscription.user_id, self.last_seq)

    def _encode(self, event: Event) -> Encoded:
        message = event.message
        return Encoded(event.kind, event.rev, message.seq, message.id, self._services.encoder.message(event))

    async def _deliver(self, events: Sequence[Event]) -> None:
        encoded = [self._encode(event) for event in events if event.rev > self.gate.position]
        overflow = len(self._recent) + len(encoded) - self._policy.recent_events
        if overflow > 0:
            kept = len(self._recent)
            self._recent_floor = (
                self._recent[overflow - 1].rev if overflow <= kept else encoded[overflow - kept - 1].rev
            )
        self._recent.extend(encoded)
        self.gate.advance(encoded[-1].rev)
        for event in events:
            if event.kind is EventKind.CREATED and event.message.seq > self.last_seq:
                self.last_seq = event.message.seq
                self.unnoticed = event.message
        await self._fan_out(encoded)

    async def _fan_out(self, encoded: Sequence[Encoded]) -> None:
        late = await self.audience.deliver(encoded, self._policy.fanout_slice)
        created = [event.seq for event in encoded if event.kind is EventKind.CREATED]
        if created:
            self.marks.written(created[-1], late)
