"""Bridges of several nodes on one hub, with conversations that only listen."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import attrs
import trio

from actors.adapters.memory.broker import MemoryBroker, MemoryHub
from actors.bridge.actor import Bridge, BridgePolicy
from actors.bridge.news import Advanced, Committed, MarksStored, News
from actors.conversation.messages import ConversationMessage, Heard
from actors.runtime.mailbox import Mailbox
from actors.runtime.ref import MailboxRef, Ref
from actors.users.messages import Notify
from chatcore.errors import unavailable
from chatcore.model import Event, EventKind, Message

ROOM, OTHER_ROOM = UUID(int=101), UUID(int=102)
ANN, BOB = UUID(int=201), UUID(int=202)
AT = datetime(2026, 1, 2, tzinfo=UTC)


@attrs.define
class Rooms:
    """`LiveConversations`: mailboxes that nobody empties but the test."""

    capacity: int = 100
    mailboxes: dict[UUID, Mailbox[ConversationMessage]] = attrs.field(factory=dict[UUID, Mailbox[ConversationMessage]])
    watched: list[UUID] = attrs.field(factory=list[UUID])

    def open(self, room: UUID) -> None:
        self.mailboxes[room] = Mailbox(str(room), self.capacity)

    def live(self, key: UUID) -> Ref[ConversationMessage] | None:
        mailbox = self.mailboxes.get(key)
        return None if mailbox is None else MailboxRef(mailbox)

    def keys(self) -> list[UUID]:
        return list(self.mailboxes)

    def heard(self, room: UUID = ROOM) -> list[News | MarksStored]:
        """What it has been told since the last look."""
        found: list[News | MarksStored] = []
        while (message := self.mailboxes[room].try_receive()) is not None:
            assert isinstance(message, Heard)
            found.append(message.news)
        return found


UNTOLD = -1
"""The rev of a conversation that the test says nothing of: nobody is told of it."""


@attrs.define
class Figures:
    """`Progress` of what the test says."""

    rev: dict[UUID, int] = attrs.field(factory=dict[UUID, int])
    deleted: set[UUID] = attrs.field(factory=set[UUID])
    sums: dict[UUID, int] = attrs.field(factory=dict[UUID, int])
    is_away: bool = False
    asked: list[tuple[float, Sequence[UUID]]] = attrs.field(factory=list[tuple[float, Sequence[UUID]]])
    asked_sums: list[Sequence[UUID]] = attrs.field(factory=list[Sequence[UUID]])

    async def revs(self, conversation_ids: Iterable[UUID]) -> dict[UUID, int]:
        ids = list(conversation_ids)
        self.asked.append((trio.current_time(), ids))
        await self._answer()
        return {each: self.rev.get(each, UNTOLD) for each in ids if each not in self.deleted}

    async def marks_sums(self, conversation_ids: Iterable[UUID]) -> dict[UUID, int]:
        ids = list(conversation_ids)
        self.asked_sums.append(ids)
        await self._answer()
        return {each: self.sums[each] for each in ids if each in self.sums}

    async def _answer(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.is_away:
            raise unavailable()


@attrs.define
class PresenceEar:
    """`PresenceNews` that remembers."""

    told: list[tuple[UUID, bool]] = attrs.field(factory=list[tuple[UUID, bool]])
    doubted: list[UUID] = attrs.field(factory=list[UUID])
    times_restored: int = 0

    def heard(self, user_id: UUID, *, online: bool) -> None:
        self.told.append((user_id, online))

    def doubt(self, user_ids: Iterable[UUID]) -> None:
        self.doubted.extend(user_ids)

    def restored(self) -> None:
        self.times_restored += 1


@attrs.define
class Node:
    bridge: Bridge
    broker: MemoryBroker
    rooms: Rooms
    presence: PresenceEar
    notified: list[Notify]


@attrs.define
class Nodes:
    hub: MemoryHub
    figures: Figures
    nodes: list[Node]

    def __getitem__(self, index: int) -> Node:
        return self.nodes[index]


def make_node(hub: MemoryHub, figures: Figures, node_id: UUID, policy: BridgePolicy, outbox: int, room: int) -> Node:
    broker, rooms, presence = MemoryBroker(hub, outbox=outbox), Rooms(room), PresenceEar()
    notified: list[Notify] = []
    bridge = Bridge(
        node_id,
        broker,
        figures,
        conversations=lambda: rooms,
        marks_watched=lambda: rooms.watched,
        tell_users=notified.append,
        policy=policy,
    )
    bridge.give_presence_to(presence)
    return Node(bridge, broker, rooms, presence, notified)


@asynccontextmanager
async def open_nodes(
    count: int = 2, policy: BridgePolicy | None = None, *, outbox: int = 1024, room: int = 100
) -> AsyncGenerator[Nodes]:
    """Nodes that run. `outbox` publishes may wait for the hub, `room` messages for a conversation."""
    hub, figures = MemoryHub(), Figures()
    made = [
        make_node(hub, figures, UUID(int=number), policy or BridgePolicy(), outbox, room)
        for number in range(1, count + 1)
    ]
    async with trio.open_nursery() as nursery:
        for node in made:
            await nursery.start(node.bridge.run)
        yield Nodes(hub, figures, made)
        nursery.cancel_scope.cancel()


def commit(*revs: int, text: str = "hello", room: UUID = ROOM) -> Committed:
    """A batch of created messages."""
    events = [
        Event(EventKind.CREATED, rev, Message(UUID(int=rev), room, rev, rev, rev, ANN, "Ann", text, AT)) for rev in revs
    ]
    return Committed(revs[0] - 1, tuple(events))


def advanced(*revs: int) -> list[News | MarksStored]:
    return [Advanced(rev) for rev in revs]
