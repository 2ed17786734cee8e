"""What a client's SUBSCRIBE, UNSUBSCRIBE, ACK and NACK frames do."""

from uuid import UUID

import trio

from actors.conversation.messages import Attach, Detach, MarkDelivered
from actors.conversation.subscription import Topic
from actors.runtime.reply import Reply
from actors.users.messages import Listen, Unlisten
from chatcore.errors import ChatError, not_found
from chathttp.edge.transport import ConnectionEnded
from chathttp.session.destinations import ERRORS, NOTIFICATIONS, parse_topic
from chathttp.session.formats import MessageFormat, message_format
from chathttp.session.link import Link
from chathttp.session.replay import From, Replay, Start
from chathttp.session.services import SessionServices
from chathttp.session.subscriptions import NotificationListener, TopicSubscription
from chathttp.stomp.acks import AckMode, UnackedDeliveries
from chathttp.stomp.commands import Ack, Nack, Subscribe, Unsubscribe
from chathttp.stomp.session_state import StompServerProtocol


class Subscriber:
    """The subscriptions of one connection. Implements `SubscriptionOwner`.

    What most connections never have is None until they have it.
    """

    __slots__ = ("_late", "_link", "_listeners", "_protocol", "_replays", "_services", "_topics")

    def __init__(self, services: SessionServices, link: Link, protocol: StompServerProtocol) -> None:
        self._services = services
        self._link = link
        self._protocol = protocol
        self._topics: dict[str, TopicSubscription] = {}
        self._listeners: dict[str, NotificationListener] | None = None
        self._late: dict[UUID, int] | None = None
        self._replays: list[tuple[Subscribe, TopicSubscription, Start]] | None = None

    def __len__(self) -> int:
        """Subscriptions of all kinds."""
        return len(self._topics) + len(self._listeners or ())

    @property
    def has_replays(self) -> bool:
        """Some wait for `start_replays`."""
        return self._replays is not None

    def start_replays(self, nursery: trio.Nursery) -> None:
        replays, self._replays = self._replays, None
        for replay in replays or ():
            nursery.start_soon(self._replay, *replay)

    def subscribe(self, command: Subscribe) -> None:
        """RECEIPT once it is in force; a refusal is an ERROR that names the subscription, and frees its id."""
        try:
            self._subscribe(command)
        except ChatError as error:
            self._refuse(command, error)

    def unsubscribe(self, command: Unsubscribe) -> None:
        self._link.drop_error_queue(command.id)
        listener = None if self._listeners is None else self._listeners.pop(command.id, None)
        if listener is not None:
            self._unlisten(listener)
        subscription = self._topics.pop(command.id, None)
        if subscription is not None:
            self._forget(subscription)
        self._link.receipt(command.receipt)

    def acknowledge(self, command: Ack) -> None:
        """The receipt comes once the delivered mark is stored; an id that nothing has open moves nothing."""
        moved = self._acknowledged(command)
        if moved is None:
            self._link.receipt(command.receipt)
            return
        subscription, seq = moved
        durable = command.receipt is not None

        def answered(answer: ChatError | None) -> None:
            if answer is None:
                self._link.receipt(command.receipt)
            elif durable:
                self._link.error(answer, receipt_id=command.receipt)

        reply = Reply[None].to(answered)
        try:
            self._services.conversations.ref(subscription.conversation_id).tell(
                MarkDelivered(subscription.user_id, seq, reply, durable)
            )
        except ChatError as error:
            reply.fail(error)

    def not_acknowledged(self, command: Nack) -> None:
        """Moves nothing: the delivery stays open and comes again after a reconnect."""
        self._link.receipt(command.receipt)

    def close(self) -> None:
        """The connection has ended: nothing is delivered any more."""
        for listener in (self._listeners or {}).values():
            self._unlisten(listener)
        for subscription in self._topics.values():
            self._forget(subscription)
        self._listeners = None
        self._topics.clear()

    def ended(self, subscription: TopicSubscription) -> None:
        """The conversation has ended it: the client is told by a notification, not by a frame."""
        if self._topics.get(subscription.id) is subscription:
            del self._topics[subscription.id]
            self._protocol.end_subscription(subscription.id)

    def delivered_late(self, conversation_id: UUID, seq: int) -> None:
        if self._late is None:
            if self._link.transport.closed:
                return
            self._late = {}
            self._link.transport.on_drained = self._drained
        self._late[conversation_id] = max(seq, self._late.get(conversation_id, 0))

    def _subscribe(self, command: Subscribe) -> None:
        if command.destination == ERRORS:
            self._link.add_error_queue(command.id, self._format(command))
            self._link.receipt(command.receipt)
            return
        if command.destination == NOTIFICATIONS:
            listener = NotificationListener(
                self._link.transport, self._format(command), self._link.principal.user_id, self._watches
            )
            self._services.users.tell(Listen(listener))
            if self._listeners is None:
                self._listeners = {}
            self._listeners[command.id] = listener
            self._link.receipt(command.receipt)
            return
        topic = parse_topic(command.destination)
        if topic is None:
            raise not_found("Destination")
        subscription = TopicSubscription(
            self,
            self._link.transport,
            command.id,
            topic.conversation_id,
            topic.topic,
            self._format(command),
            self._link.principal.user_id,
        )
        start = _start(command) if topic.topic is Topic.MESSAGES else None
        if start is None:
            self._attach(command, subscription)
        else:
            self._topics[subscription.id] = subscription
            if self._replays is None:
                self._replays = []
            self._replays.append((command, subscription, start))

    def _format(self, command: Subscribe) -> MessageFormat:
        link = self._link
        return message_format(command.id, command.destination, link.version, command.ack, link.transport.frame)

    def _attach(self, command: Subscribe, subscription: TopicSubscription) -> None:
        """From now on: the receipt is written in the conversation's task, before it delivers anything else."""

        def answered(answer: bool | ChatError) -> None:
            if isinstance(answer, ChatError):
                self._drop(subscription, command, answer)
            else:
                self._link.receipt(command.receipt)

        reply = Reply[bool].to(answered, trio.current_time() + self._services.policy.ask_timeout)
        self._services.conversations.ref(subscription.conversation_id).tell(Attach(subscription, reply))
        self._topics[subscription.id] = subscription

    async def _replay(self, command: Subscribe, subscription: TopicSubscription, start: Start) -> None:
        replay = Replay(self._services, self._link.transport, subscription, start)
        try:
            position = await replay.admit()
            if subscription.closed:
                return
            if command.ack is not AckMode.AUTO:
                seq = position.mark.delivered_seq if start.after is not From.SEQ else start.number
                subscription.unacked = UnackedDeliveries(command.ack, seq)
                subscription.counts_as_delivered = False
        except ChatError as error:
            self._drop(subscription, command, error)
            return
        self._link.receipt(command.receipt)
        try:
            await replay.run(position)
        except ChatError:
            subscription.end()
        except ConnectionEnded:
            return

    def _acknowledged(self, command: Ack) -> tuple[TopicSubscription, int] | None:
        if command.subscription_id is None:
            candidates = list(self._topics.values())
        else:
            named = self._topics.get(command.subscription_id)
            candidates = [] if named is None else [named]
        for subscription in candidates:
            if subscription.unacked is not None:
                seq = subscription.unacked.ack(command.ack_id)
                if seq is not None:
                    return subscription, seq
        return None

    def _drop(self, subscription: TopicSubscription, command: Subscribe, error: ChatError) -> None:
        """The conversation refused it; nothing is said if the client has left it meanwhile."""
        if self._topics.get(subscription.id) is subscription:
            del self._topics[subscription.id]
            self._forget(subscription)
            self._refuse(command, error)

    def _refuse(self, command: Subscribe, error: ChatError) -> None:
        self._protocol.end_subscription(command.id)
        self._link.error(error, subscription=command.id, receipt_id=command.receipt)

    def _watches(self, conversation_id: UUID) -> bool:
        return any(
            each.topic is Topic.MESSAGES and each.conversation_id == conversation_id for each in self._topics.values()
        )

    def _forget(self, subscription: TopicSubscription) -> None:
        if subscription.closed:
            return
        subscription.closed = True
        conversation = self._services.conversations.live(subscription.conversation_id)
        if conversation is not None:
            try:
                conversation.tell(Detach(subscription))
            except ChatError:
                return

    def _unlisten(self, listener: NotificationListener) -> None:
        listener.closed = True
        try:
            self._services.users.tell(Unlisten(listener))
        except ChatError:
            return

    def _drained(self) -> None:
        self._link.transport.on_drained = None
        late, self._late = self._late, None
        user_id = self._link.principal.user_id
        for conversation_id, seq in (late or {}).items():
            conversation = self._services.conversations.live(conversation_id)
            if conversation is not None:
                try:
                    conversation.tell(MarkDelivered(user_id, seq, Reply[None].discard(), durable=False))
                except ChatError:
                    continue


def _start(command: Subscribe) -> Start | None:
    """Where a replay begins; None for a subscription from now on. With both headers `last-rev` wins."""
    if command.last_rev is not None:
        return Start(From.REV, command.last_rev)
    if command.last_seq is not None:
        return Start(From.SEQ, command.last_seq)
    return None if command.ack is AckMode.AUTO else Start(From.DELIVERED)
