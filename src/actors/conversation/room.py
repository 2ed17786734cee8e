"""What one incarnation of a conversation's actor holds in memory, and how it delivers."""

from collections.abc import Callable, Collection, Sequence
from math import inf
from uuid import UUID

from attrs import frozen

from actors.bridge.news import MarksMoved
from actors.bridge.ports import Relay
from actors.conversation.audience import NOBODY, Attendance, FanOut
from actors.conversation.company import Company
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
from actors.conversation.typists import Typists
from actors.ports import ConversationStore, GroupStore, MessageHistory, MessageLog
from actors.presence.ports import PresenceWatch
from actors.tracing.hops import Hop, Tracing
from actors.users.actor import Users
from chatcore.gate import Admission, Gate
from chatcore.marks import Marks
from chatcore.mentions import Mentionable
from chatcore.model import Conversation, Event, EventKind, Message


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
    groups: GroupStore
    members_changed: Callable[[UUID], None] = lambda _: None
    """Called with the conversation as soon as somebody came or went."""


class Room:
    """The conversation in memory: members, marks and position, and the attendance that outlives it."""

    def __init__(self, services: ConversationServices, conversation: Conversation, attendance: Attendance) -> None:
        policy = services.policy
        self.id: UUID = conversation.id
        self.audience = attendance.audience
        self.conversation = conversation
        self.last_seq = conversation.last_seq
        self.gate = Gate(conversation.rev)
        self.marks = Marks(conversation.participants)
        self.marks.recall(attendance.marks.values())
        self.unnoticed: Message | None = None
        """The newest message written here that no notification has told of; the nodes tell of their own."""
        self.gone = False
        """The database has no such conversation any more."""
        self._services = services
        self._policy = policy
        self.mentions: dict[UUID, Message] = {}
        """Of those whom no notification has told that they are mentioned, the newest message written here that does."""
        self.silenced = _silenced(conversation)
        """Members who may not write: as last heard, for the append knows."""
        self._names = {p.user_id: p.name for p in conversation.participants}
        self._mentionable: Mentionable | None = None
        encoder, relay, size = services.encoder, services.relay, policy.fanout_slice
        self.typists = Typists(self.id, attendance.typing, self.audience, relay, encoder, size)
        self.company = Company(self.id, attendance, services.presence, encoder, size)
        self._recent = Recent(conversation.rev, max_events=policy.recent_events, max_bytes=policy.recent_bytes)

    @property
    def is_large(self) -> bool:
        return len(self.marks) > self._policy.large_room_members

    def name_of(self, user_id: UUID) -> str:
        return self._names.get(user_id, "")

    def notice(self, events: Sequence[Event]) -> None:
        """Messages that were written here: somebody is to be told."""
        self.unnoticed = events[-1].message
        for event in events:
            if "@" in event.message.text:
                self._note_mentions(event.message)

    def _note_mentions(self, message: Message) -> None:
        if self._mentionable is None:
            self._mentionable = Mentionable(self._names)
        mentioned = self._mentionable.find(message.text) - {message.sender_id}
        self.mentions.update(dict.fromkeys(mentioned, message))

    async def admit(self, events: Sequence[Event], prev_rev: int) -> None:
        """Deliver a committed batch, or first what is missing before it. Raises `ChatError` when that fails."""
        match self.gate.admit(prev_rev, events[-1].rev):
            case Admission.DELIVER:
                await self._deliver(events)
            case Admission.BEHIND:
                await self._fill(events, prev_rev)
            case Admission.DROP:
                pass

    def admit_at_once(self, events: Sequence[Event], prev_rev: int, tell: Callable[[], None]) -> bool:
        """As `admit`. False, and nothing has happened, where that takes waiting, or a turn of the other tasks.

        `tell` sends somebody something. It is called when the frames are ready, just before the first of them goes:
        the sends of one moment wake their common reader, or the network's interrupt, once.
        """
        if (
            len(self.audience) > self._policy.fanout_slice
            or self.typists.next_deadline < inf
            or self.gate.admit(prev_rev, events[-1].rev) is not Admission.DELIVER
        ):
            return False
        if not self.audience:
            tell()
        encoded = self._take(events)
        self._note(encoded, self.audience.deliver_at_once(encoded, tell) if self.audience else NOBODY)
        for event in events:
            if event.kind is EventKind.CREATED:
                self.marks.sent(event.message.sender_id, event.message.seq)
        return True

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

    async def _fill(self, events: Sequence[Event], prev_rev: int) -> None:
        """Deliver `events`, and before them what is missing up to `prev_rev`. If messages do not explain every `rev`
        of it, members or details have changed too, and are taken first. Raises `ChatError`.
        """
        position = self.gate.position
        if prev_rev - position <= self._policy.history_page:
            missing = await self._services.history.events(
                self.id, after_rev=position, upto_rev=prev_rev, limit=prev_rev - position
            )
            if [event.rev for event in missing] == list(range(position + 1, prev_rev + 1)):
                await self._deliver([*missing, *events])
                return
        await self.catch_up()

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
        for subscription, rev in self.audience.given():
            revs.append(rev)
            self._follow(subscription)
        self._tend_company()
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
        if conversation.first_seq > self.conversation.first_seq:
            self._recent.forget_below(conversation.first_seq)
        self.conversation = conversation
        self._names = {p.user_id: p.name for p in conversation.participants}
        self._mentionable = None
        self.silenced = _silenced(conversation)
        self.marks.merge(conversation.participants)
        await self._cut_off_strangers()
        self._tend_company()

    def attach(self, subscription: Subscription) -> bool:
        """Make it live; false when it is further behind than what is at hand."""
        if subscription not in self.audience:
            if subscription.topic is Topic.MESSAGES and not self._join_live(subscription):
                return False
            if subscription.topic is Topic.TYPING and not any(self.audience.of_topic(Topic.TYPING)):
                self.typists.ask()
            self.audience.add(subscription)
            if subscription.topic is Topic.PRESENCE:
                self._tend_company()
        return True

    def greet(self, subscription: Subscription) -> None:
        """Give a subscription that has just been attached the state that its topic begins with."""
        match subscription.topic:
            case Topic.TYPING:
                self.typists.greet(subscription)
            case Topic.PRESENCE:
                self.company.greet(subscription)
            case Topic.MESSAGES | Topic.READ:
                pass

    def detach(self, subscription: Subscription) -> None:
        if not self.audience.discard(subscription):
            return
        if subscription.topic is Topic.MESSAGES and subscription.counts_as_delivered:
            self.marks.unfollow(subscription.user_id)
        elif subscription.topic is Topic.PRESENCE:
            self._tend_company()

    def prune(self) -> None:
        """Forget subscriptions whose connection has ended without a word."""
        for subscription in [s for s in self.audience if s.closed]:
            self.detach(subscription)

    async def announce_marks(self) -> None:
        """Tell, here and on the other nodes, which marks moved, once they are stored: so that nobody who comes back on
        another node, or after a crash, sees a lower mark than he has seen. Raises `ChatError`: they stay to be told.
        """
        delivered_too = not self.is_large
        if delivered_too:
            self.marks.settle()
        await self.save_marks(self.marks.unannounced(delivered_too=delivered_too))
        moved = self.marks.take_unannounced(delivered_too=delivered_too)
        relay, page = self._services.relay, self._policy.marks_page
        if not relay.alone:
            for start in range(0, len(moved.here), page):
                relay.tell_conversation(self.id, MarksMoved(tuple(moved.here[start : start + page])))
        if not any(self.audience.of_topic(Topic.READ)):
            return
        for mark in moved.all:
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

    async def _cut_off_strangers(self) -> None:
        for subscription in [s for s in self.audience if s.user_id not in self.marks]:
            self.detach(subscription)
            subscription.end()
        for user_id in [u for u in self.typists.now_typing if u not in self.marks]:
            await self.typists.end(user_id)

    def _tend_company(self) -> None:
        self.company.tend(None if self.is_large else self.marks)

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
        position = self.gate.position
        encoded = self._take(events)
        slice_size = self._policy.fanout_slice
        self._note(encoded, await self.audience.deliver(encoded, slice_size) if self.audience else NOBODY)
        for event in events:
            if event.kind is EventKind.CREATED and event.rev > position:
                self.marks.sent(event.message.sender_id, event.message.seq)
                await self.typists.end(event.message.sender_id)

    def _take(self, events: Sequence[Event]) -> list[Encoded]:
        """Move the position to the last of `events`; those that are after it now, for the subscribers."""
        encoder, position = self._services.encoder, self.gate.position
        encoded = [encode_event(encoder, event) for event in events if event.rev > position]
        self._recent.extend(encoded)
        self.gate.advance(encoded[-1].rev)
        for event in events:
            if event.kind is EventKind.CREATED and event.message.seq > self.last_seq:
                self.last_seq = event.message.seq
        if Tracing.by is not None:
            Tracing.by.pass_by([event.message_id for event in encoded], Hop.FAN_OUT_FIRST)
        return encoded

    def _note(self, encoded: Sequence[Encoded], fan_out: FanOut) -> None:
        """Forget the subscriptions that were found closed; the others have been given `encoded`."""
        if Tracing.by is not None:
            says = f"{len(self.audience)} subscriptions, {len(fan_out.late)} had to queue it, {len(fan_out.gone)} gone"
            Tracing.by.pass_by([event.message_id for event in encoded], Hop.FAN_OUT_LAST, says)
        for subscription in fan_out.gone:
            self.detach(subscription)
        created = highest_created(encoded)
        if created:
            self.marks.written(created, [s.user_id for s in fan_out.late if s.counts_as_delivered])

    async def _redeliver(self, encoded: Sequence[Encoded]) -> None:
        """Give the subscriptions that are behind what happened before the position."""
        behind = [
            subscription
            for subscription, rev in self.audience.given()
            if subscription.counts_as_delivered and rev < encoded[-1].rev
        ]
        fan_out = await self.audience.deliver(encoded, self._policy.fanout_slice)
        for subscription in fan_out.gone:
            self.detach(subscription)
        late = set(fan_out.late)
        created = highest_created(encoded)
        for subscription in behind:
            if subscription in self.audience and subscription not in late:
                self.marks.delivered(subscription.user_id, created, self.last_seq)


def _silenced(conversation: Conversation) -> frozenset[UUID]:
    return frozenset(each.user_id for each in conversation.participants if each.silenced)
