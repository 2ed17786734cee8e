"""Which members are online, for the subscriptions that ask."""

from collections.abc import Collection
from uuid import UUID

from actors.conversation.audience import Attendance
from actors.conversation.subscription import BodyEncoder, Subscription, Topic
from actors.presence.ports import PresenceWatch


class Company:
    """Watches the members while somebody listens, and announces who comes and goes.

    Who is online belongs to the attendance, for it is what the subscriptions were told. Each incarnation of the actor
    watches anew, and so is told again of all who are online; the others, `unconfirmed` until then, went meanwhile.
    """

    def __init__(
        self,
        conversation_id: UUID,
        attendance: Attendance,
        presence: PresenceWatch,
        encoder: BodyEncoder,
        fanout_slice: int,
    ) -> None:
        self._id = conversation_id
        self._audience = attendance.audience
        self._online = attendance.online
        self._presence = presence
        self._encoder = encoder
        self._slice = fanout_slice
        self._watched: frozenset[UUID] | None = None
        self._first = True
        self._unconfirmed = set(attendance.online)

    @property
    def has_unconfirmed(self) -> bool:
        return bool(self._unconfirmed)

    def tend(self, members: Collection[UUID] | None) -> None:
        """Watch `members` if somebody listens; None: there are too many."""
        wanted = None
        if members is not None and any(self._audience.of_topic(Topic.PRESENCE)):
            wanted = frozenset(members)
        self._online.intersection_update(wanted or ())
        self._unconfirmed.intersection_update(self._online)
        if wanted == self._watched:
            return
        if wanted is None or self._first:
            self._presence.unwatch(self._id)
        if wanted is not None:
            self._presence.watch(self._id, wanted)
            self._first = False
        self._watched = wanted

    async def changed(self, user_id: UUID, *, online: bool) -> None:
        self._unconfirmed.discard(user_id)
        if self._watched is None or user_id not in self._watched or online == (user_id in self._online):
            return
        if online:
            self._online.add(user_id)
        else:
            self._online.discard(user_id)
        await self._audience.announce(Topic.PRESENCE, self._body(user_id, online=online), self._slice)

    async def settle(self) -> None:
        """Who is unconfirmed by now is not online."""
        for user_id in list(self._unconfirmed):
            await self.changed(user_id, online=False)

    def greet(self, subscription: Subscription) -> None:
        for user_id in self._online:
            subscription.outlet.offer(subscription.format.notice_frame(self._body(user_id, online=True)))

    def _body(self, user_id: UUID, *, online: bool) -> bytes:
        return self._encoder.presence(self._id, user_id, online=online)
