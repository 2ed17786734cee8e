"""Who types in a conversation, on whichever node: the subscribers here are told, and of users here the other nodes."""

from uuid import UUID

from actors.bridge.news import TypingMoved, WhoTypes
from actors.bridge.ports import Relay
from actors.conversation.audience import Audience
from actors.conversation.subscription import BodyEncoder, Subscription, Topic
from chatcore.typing import Typing


class Typists:
    """Typing is a user's, not a device's: a stop on any node ends it on all of them."""

    def __init__(
        self,
        conversation_id: UUID,
        typing: Typing,
        audience: Audience,
        relay: Relay,
        encoder: BodyEncoder,
        fanout_slice: int,
    ) -> None:
        self._id = conversation_id
        self._typing = typing
        self._audience = audience
        self._relay = relay
        self._encoder = encoder
        self._slice = fanout_slice

    @property
    def next_deadline(self) -> float:
        """When `expire` has something to do, on Trio's clock."""
        return self._typing.next_deadline

    @property
    def now_typing(self) -> tuple[UUID, ...]:
        return self._typing.now_typing

    async def start(self, user_id: UUID, now: float) -> None:
        """A user of this node types."""
        news = self._typing.start(user_id, now)
        if not self._relay.alone and self._typing.tell(user_id, now):
            self._tell(user_id, is_typing=True)
        if news:
            await self._announce(user_id, is_typing=True)

    async def stop(self, user_id: UUID) -> None:
        """A user of this node stops, on whichever node he began."""
        self._typing.untell(user_id)
        if self._typing.stop(user_id):
            self._tell(user_id, is_typing=False)
            await self._announce(user_id, is_typing=False)

    async def heard(self, user_id: UUID, now: float, *, is_typing: bool) -> None:
        """Another node tells so."""
        if not is_typing:
            await self.end(user_id)
        elif self._typing.heard(user_id, now):
            await self._announce(user_id, is_typing=True)

    async def end(self, user_id: UUID) -> None:
        """His typing is over by something that the other nodes hear of too."""
        self._typing.untell(user_id)
        if self._typing.stop(user_id):
            await self._announce(user_id, is_typing=False)

    async def expire(self, now: float) -> None:
        """End what has lasted its time; tell the other nodes again of what lasts."""
        for user_id in self._typing.expire(now):
            if self._typing.untell(user_id):
                self._tell(user_id, is_typing=False)
            await self._announce(user_id, is_typing=False)
        for user_id in self._typing.take_untold(now):
            self._tell(user_id, is_typing=True)

    def ask(self) -> None:
        """Have the other nodes tell who types there."""
        self._relay.tell_conversation(self._id, WhoTypes())

    def answer(self, now: float) -> None:
        """Another node has asked."""
        for user_id in self._typing.retell(now):
            self._tell(user_id, is_typing=True)

    def greet(self, subscription: Subscription) -> None:
        for user_id in self._typing.now_typing:
            body = self._encoder.typing(self._id, user_id, is_typing=True)
            subscription.outlet.offer(subscription.format.notice_frame(body))

    def _tell(self, user_id: UUID, *, is_typing: bool) -> None:
        self._relay.tell_conversation(self._id, TypingMoved(user_id, is_typing))

    async def _announce(self, user_id: UUID, *, is_typing: bool) -> None:
        body = self._encoder.typing(self._id, user_id, is_typing=is_typing)
        await self._audience.announce(Topic.TYPING, body, self._slice)
