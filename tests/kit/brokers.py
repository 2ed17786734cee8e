"""Brokers for tests: on Valkey, in memory, and what they receive."""

import itertools
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

import trio
from attrs import field, frozen

from actors.adapters.memory.broker import MemoryBroker, MemoryHub
from actors.adapters.redis.broker import RedisBroker, RedisOptions
from actors.bridge.broker import Broker, Followed, Happening, Received
from tests.kit.redis import RedisServer

T = TypeVar("T", bound=Happening)

_numbers = itertools.count(1)


@frozen
class Listening:
    """A broker, and all that it has received."""

    broker: Broker
    happenings: list[Happening] = field(factory=list[Happening])

    async def run(self) -> None:
        while True:
            self.happenings.extend(await self.broker.receive())

    def of(self, kind: type[T]) -> list[T]:
        return [each for each in self.happenings if isinstance(each, kind)]

    @property
    def payloads(self) -> list[bytes]:
        return [each.payload for each in self.of(Received)]

    @property
    def followed(self) -> set[str]:
        return {channel for each in self.of(Followed) for channel in each.channels}

    async def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Look again and again whether `condition` holds. Raises `TooSlowError`."""
        with trio.fail_after(seconds):
            while not condition():  # noqa: ASYNC110  # another process decides
                await trio.sleep(0.005)


def redis_broker(
    url: str,
    *,
    cluster: bool = False,
    probe_interval: float = 0.5,
    inbox: int = 4096,
    outbox: int = 16_384,
    outbox_bytes: int = 33_554_432,
) -> RedisBroker:
    options = RedisOptions(
        url=url,
        node=f"node-{next(_numbers)}",
        cluster=cluster,
        probe_interval=probe_interval,
        inbox=inbox,
        outbox=outbox,
        outbox_bytes=outbox_bytes,
    )
    return RedisBroker(options, random.Random(1))


@frozen
class BrokerMaker:
    """Brokers that share one hub or server, and the way to take that from all of them."""

    make: Callable[[], Broker]
    take_away: Callable[[], None]
    give_back: Callable[[], None]


def memory_maker() -> BrokerMaker:
    hub = MemoryHub()
    made: list[MemoryBroker] = []

    def make() -> Broker:
        made.append(MemoryBroker(hub))
        return made[-1]

    def each(change: Callable[[MemoryBroker], None]) -> None:
        for broker in made:
            change(broker)

    return BrokerMaker(make, lambda: each(MemoryBroker.go_away), lambda: each(MemoryBroker.come_back))


def redis_maker(servers: Sequence[RedisServer]) -> BrokerMaker:
    """On one server, or on a cluster of several."""

    def each(change: Callable[[RedisServer], None]) -> None:
        for server in servers:
            change(server)

    def make() -> Broker:
        return redis_broker(servers[0].url, cluster=len(servers) > 1)

    return BrokerMaker(make, lambda: each(RedisServer.freeze), lambda: each(RedisServer.thaw))
