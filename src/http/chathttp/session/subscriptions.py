"""The subscriptions of one connection, as the conversation and the users actor see them."""

from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

from actors.conversation.subscription import Encoded, Outlet, Place, Topic, highest_created
from chathttp.edge.transport import FrameTransport
from chathttp.errors import CLOSE_OVERLOADED
from chathttp.session.formats import MessageFormat
from chathttp.stomp.acks import TooManyUnackedError, UnackedDeliveries


class SubscriptionOwner(Protocol):
    """The session, as its subscriptions need it."""

    def ended(self, subscription: "TopicSubscription") -> None:
        """The conversation has ended the subscription."""
        ...

    def delivered_late(self, conversation_id: UUID, seq: int) -> None:
        """Messages up to `seq` were queued, and count as delivered once the socket has taken them."""
        ...


class TopicSubscription:
    """Implements `Subscription` of the conversation actor. `unacked` is set in the modes `client` and
    `client-individual`, where delivery is what the client acknowledges.
    """

    __slots__ = (
        "_closed",
        "_owner",
        "_transport",
        "conversation_id",
        "counts_as_delivered",
        "format",
        "id",
        "outlet",
        "place",
        "rev",
        "topic",
        "unacked",
        "user_id",
    )

    def __init__(
        self,
        owner: SubscriptionOwner,
        transport: FrameTransport,
        subscription_id: str,
        conversation_id: UUID,
        topic: Topic,
        frame_format: MessageFormat,
        user_id: UUID,
        unacked: UnackedDeliveries | None = None,
    ) -> None:
        self._owner = owner
        self._transport = transport
        self.outlet: Outlet = transport.outlet
        self.id = subscription_id
        self.conversation_id = conversation_id
        self.topic = topic
        self.format = frame_format
        self.user_id = user_id
        self.unacked = unacked
        self.rev = -1
        self.place: Place | None = None
        self._closed = False
        self.counts_as_delivered = topic is Topic.MESSAGES and unacked is None

    @property
    def closed(self) -> bool:
        return self._closed

    @closed.setter
    def closed(self, closed: bool) -> None:
        self._closed = closed
        if self.place is not None:
            self.place.someone_closed()

    def deliver(self, frames: bytes, events: Sequence[Encoded]) -> bool:
        self.expect_acks(events)
        if self.outlet.offer(frames):
            return True
        self.queued(events)
        return False

    def queued(self, events: Sequence[Encoded]) -> None:
        if self.counts_as_delivered:
            self._owner.delivered_late(self.conversation_id, highest_created(events))

    def expect_acks(self, events: Sequence[Encoded]) -> None:
        """Note the events as open until the client acknowledges them; too many open ones end the connection."""
        if self.unacked is None:
            return
        try:
            for event in events:
                self.unacked.delivered(self.format.ack_id(event), event.seq)
        except TooManyUnackedError as error:
            self._transport.close(CLOSE_OVERLOADED, str(error))

    def end(self) -> None:
        self.closed = True
        self._owner.ended(self)


class NotificationListener:
    """Implements `Listener` of the users actor."""

    __slots__ = ("_format", "_transport", "_watches", "closed", "user_id")

    def __init__(
        self,
        transport: FrameTransport,
        frame_format: MessageFormat,
        user_id: UUID,
        watches: Callable[[UUID], bool],
    ) -> None:
        self._transport = transport
        self._format = frame_format
        self._watches = watches
        self.user_id = user_id
        self.closed = False

    def watches(self, conversation_id: UUID) -> bool:
        return self._watches(conversation_id)

    def notify(self, body: bytes) -> None:
        self._transport.offer(self._format.notice_frame(body))
