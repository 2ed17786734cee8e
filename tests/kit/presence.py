"""Presence without sessions and conversations, and a broker that is up."""

import random
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import attrs
import trio

from actors.adapters.memory.faults import Faults
from actors.adapters.memory.presence import MemoryPresenceStore
from actors.adapters.redis.broker import RedisBroker, RedisOptions
from actors.bridge.broker import Back
from actors.conversation.messages import PresenceChanged
from actors.presence.actor import Presence
from actors.presence.policy import PresencePolicy
from actors.presence.ports import Seen
from actors.runtime.mailbox import MailboxFull
from chatcore.errors import unavailable


@asynccontextmanager
async def running_broker(url: str, *, cluster: bool = False) -> AsyncGenerator[RedisBroker]:
    """Up until the block ends. Nobody else may receive from it before it is up."""
    broker = RedisBroker(RedisOptions(url=url, node="test", cluster=cluster, timeout=5.0), random.Random(1))
    async with trio.open_nursery() as nursery:
        await nursery.start(broker.run)
        while not any(isinstance(each, Back) for each in await broker.receive()):
            pass
        yield broker
        nursery.cancel_scope.cancel()


class Nobody:
    """Implements `PresenceWatch`: nobody is ever seen to come or go."""

    def watch(self, conversation_id: UUID, user_ids: Collection[UUID]) -> None:
        del conversation_id, user_ids

    def unwatch(self, conversation_id: UUID) -> None:
        del conversation_id


@attrs.define
class SeenUsers:
    """Implements `PresenceLookup`: who is not in `seen` never was."""

    seen: dict[UUID, Seen] = attrs.field(factory=dict[UUID, Seen])

    async def lookup(self, user_ids: Collection[UUID]) -> dict[UUID, Seen]:
        await trio.lowlevel.checkpoint()
        return {user_id: self.seen.get(user_id, Seen(online=False, last_seen_at=None)) for user_id in user_ids}


@attrs.define(eq=False)
class Watcher:
    """A conversation's actor, as presence sees it: a mailbox that takes so many messages."""

    room: int = 1000
    told: list[tuple[UUID, bool]] = attrs.field(factory=list[tuple[UUID, bool]])

    def tell(self, message: PresenceChanged) -> None:
        if not self.room:
            raise MailboxFull("watcher")
        self.room -= 1
        self.told.append((message.user_id, message.online))

    def take_told(self) -> list[tuple[UUID, bool]]:
        told, self.told = self.told, []
        return told


class PresenceFaults(Faults):
    """While `away` every call is refused."""

    away = False

    async def before(self, method: str) -> None:
        await super().before(method)
        if self.away:
            raise unavailable()


class PresenceTwin(MemoryPresenceStore):
    """While `answers` is not set what was looked up is on its way."""

    def __init__(self, lifetime: float) -> None:
        super().__init__(lifetime)
        self.faults: PresenceFaults = PresenceFaults()
        self.answers = trio.Event()
        self.answers.set()

    async def lookup(self, user_ids: Collection[UUID]) -> dict[UUID, Seen]:
        seen = await super().lookup(user_ids)
        await self.answers.wait()
        return seen


@attrs.define(eq=False)
class Wire:
    """Implements `PresenceRelay` for one node of a `PresenceTown`; while `cut` nothing goes out or comes in."""

    town: "PresenceTown"
    followed: set[UUID] = attrs.field(factory=set[UUID])
    cut: bool = False
    told: list[tuple[UUID, bool]] = attrs.field(factory=list[tuple[UUID, bool]])

    def follow_presence(self, user_id: UUID) -> None:
        assert user_id not in self.followed
        self.followed.add(user_id)

    def unfollow_presence(self, user_id: UUID) -> None:
        self.followed.remove(user_id)

    def tell_presence(self, user_id: UUID, *, online: bool) -> None:
        self.told.append((user_id, online))
        for node in self.town.nodes:
            if node.wire is not self and user_id in node.wire.followed and not (self.cut or node.wire.cut):
                node.presence.heard(user_id, online=online)


@attrs.define(eq=False)
class PresenceNode:
    presence: Presence
    wire: Wire
    watchers: dict[UUID, Watcher]
    scope: trio.CancelScope

    def watcher(self, conversation_id: UUID) -> Watcher:
        """The conversation's actor, in use from now on."""
        return self.watchers.setdefault(conversation_id, Watcher())

    async def online(self, *user_ids: UUID) -> list[bool]:
        seen = await self.presence.lookup(user_ids)
        return [seen[user_id].online for user_id in user_ids]


@attrs.define(eq=False)
class PresenceTown:
    """The presence actors of some nodes over one store. The wall clock is Trio's."""

    store: PresenceTwin
    nodes: list[PresenceNode]
    nursery: trio.Nursery

    def start(self, policy: PresencePolicy) -> PresenceNode:
        wire, watchers = Wire(self), dict[UUID, Watcher]()
        ids = random.Random(len(self.nodes))
        presence = Presence(
            self.store,
            wire,
            watchers.get,
            new_id=lambda: UUID(int=ids.getrandbits(128), version=4),
            now=wall_clock,
            policy=policy,
        )
        node = PresenceNode(presence, wire, watchers, trio.CancelScope())
        self.nodes.append(node)
        self.nursery.start_soon(self._run, node)
        return node

    def kill(self, node: PresenceNode) -> None:
        """What it has told stays as it is."""
        self.nodes.remove(node)
        self.store.faults.fail_next(method="close")
        node.scope.cancel()

    async def _run(self, node: PresenceNode) -> None:
        with node.scope:
            await node.presence.run()


def wall_clock() -> datetime:
    return datetime.fromtimestamp(trio.current_time(), UTC)


@asynccontextmanager
async def open_presence_town(nodes: int = 1, policy: PresencePolicy | None = None) -> AsyncGenerator[PresenceTown]:
    """Runs until the block ends."""
    policy = policy or PresencePolicy()
    async with trio.open_nursery() as nursery:
        town = PresenceTown(PresenceTwin(policy.lifetime), [], nursery)
        for _ in range(nodes):
            town.start(policy)
        yield town
        nursery.cancel_scope.cancel()
