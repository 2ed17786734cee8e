"""What joins the nodes of a town without a network: it loses, delays and doubles what it is told to."""

import random
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

import attrs
import trio

from actors.adapters.memory import ChatState
from actors.bridge.news import DELETED_REV, Advanced, MarksStored, News
from actors.conversation.directory import Conversations
from actors.conversation.messages import Heard
from actors.users.actor import Users
from actors.users.messages import Notify
from chatcore.errors import ChatError

N = TypeVar("N", bound=News)


@attrs.define(eq=False)
class Line:
    """One node's way to the others. Implements `Relay`; `told` is all that its node has told of conversations."""

    hub: "Hub"
    alone: bool = False
    conversations: Conversations | None = None
    users: Users | None = None
    following: set[UUID] = attrs.field(factory=set[UUID])
    listening: set[UUID] = attrs.field(factory=set[UUID])
    told: list[News] = attrs.field(factory=list[News])
    notified: list[Notify] = attrs.field(factory=list[Notify])

    def follow_conversation(self, conversation_id: UUID) -> None:
        assert conversation_id not in self.following
        self.following.add(conversation_id)
        if not self.alone:
            self.hub.later(lambda: self.compare(conversation_id))

    def unfollow_conversation(self, conversation_id: UUID) -> None:
        self.following.remove(conversation_id)

    def tell_conversation(self, conversation_id: UUID, news: News) -> None:
        self.told.append(news)
        for other in self.hub.others(self):
            for _ in range(self.hub.copies()):
                self.hub.later(lambda other=other: other.hear(conversation_id, news))

    def follow_user(self, user_id: UUID) -> None:
        self.listening.add(user_id)

    def unfollow_user(self, user_id: UUID) -> None:
        self.listening.remove(user_id)

    def tell_users(self, notify: Notify) -> None:
        self.notified.append(notify)
        for other in self.hub.others(self):
            bodies = [(user_id, body) for user_id, body in notify.bodies if user_id in other.listening]
            if bodies and other.users is not None:
                for _ in range(self.hub.copies()):
                    other.users.tell(Notify(notify.conversation_id, bodies, notify.seq, notify.mention))

    def told_of(self, kind: type[N]) -> list[N]:
        return [news for news in self.told if isinstance(news, kind)]

    def hear(self, conversation_id: UUID, news: News | MarksStored) -> None:
        """As a bridge does it: for the actor if there is one."""
        if conversation_id not in self.following or self.conversations is None:
            return
        live = self.conversations.live(conversation_id)
        if live is not None:
            try:
                live.tell(Heard(news))
            except ChatError:
                self.hub.refused += 1

    def compare(self, conversation_id: UUID) -> None:
        """As a sweep does it."""
        room = self.hub.state.rooms.get(conversation_id)
        if room is None:
            self.hear(conversation_id, Advanced(DELETED_REV))
        else:
            self.hear(conversation_id, Advanced(room.rev))
            total = sum(each.last_read_seq + each.last_delivered_seq for each in room.participants.values())
            self.hear(conversation_id, MarksStored(total))

    def sweep(self) -> None:
        for conversation_id in list(self.following):
            self.compare(conversation_id)


@attrs.define(eq=False)
class Hub:
    """While `away` nothing comes through. `loss` and `doubling` are probabilities, `delay` gives seconds."""

    state: ChatState
    nursery: trio.Nursery
    rng: random.Random = attrs.field(factory=lambda: random.Random(11))
    away: bool = False
    loss: float = 0.0
    doubling: float = 0.0
    delay: Callable[[], float] = lambda: 0.0
    lines: list[Line] = attrs.field(factory=list[Line])
    refused: int = 0

    def join(self) -> Line:
        line = Line(self)
        self.lines.append(line)
        return line

    def others(self, line: Line) -> list[Line]:
        return [] if self.away or line.alone else [each for each in self.lines if each is not line]

    def copies(self) -> int:
        if self.rng.random() < self.loss:
            return 0
        return 2 if self.rng.random() < self.doubling else 1

    def later(self, act: Callable[[], None]) -> None:
        seconds = self.delay()
        if seconds:
            self.nursery.start_soon(self._act, seconds, act)
        else:
            act()

    async def _act(self, seconds: float, act: Callable[[], None]) -> None:
        await trio.sleep(seconds)
        act()
