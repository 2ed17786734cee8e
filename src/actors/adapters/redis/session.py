"""All connections to Redis from when they were made until the first of them is lost."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from itertools import count
from typing import Final

from attrs import define, frozen

from actors.adapters.redis.commands import CommandLink, Exchange
from actors.adapters.redis.driver import LOST, Target, Wire, connect
from actors.adapters.redis.subscriptions import Hearer, SubscriptionLink
from actors.adapters.redis.topology import Topology
from actors.bridge.broker import Received

_MISSES: Final = 2
_GRACE: Final = 0.2
"""Of a probe's interval: how late the last of the misses may be."""
_FLUSH_SECONDS: Final = 1.0


@frozen
class Limits:
    """In seconds. `timeout` is for one exchange."""

    timeout: float
    probe_interval: float


@define
class _Probe:
    """What is published to oneself. A server that is frozen takes it and never gives it back."""

    channel: str
    sent_at: float = 0.0
    heard_at: float = 0.0
    token: bytes = b""
    proven: bool = False


@define
class _Shard:
    commands: CommandLink
    subscriptions: SubscriptionLink
    probe: _Probe


class Session:
    """For each server one connection for commands and one that subscribes, each server probed through both.

    It ends as a whole when one connection is lost, when answers are due for `timeout`, or when a server has not given
    back two probes: the channels, and in a cluster the servers, are then looked up anew.
    """

    def __init__(self, topology: Topology, limits: Limits, hearer: Hearer) -> None:
        self._topology = topology
        self._limits = limits
        self._hearer = hearer
        self._shards: list[_Shard] = []
        self._wires: list[Wire] = []
        self._probes: dict[str, _Probe] = {}
        self._held_back = 0
        self.round_trip: float | None = None

    async def open(self, target: Target) -> None:
        """Connect to all servers. Raises one of `LOST`."""
        for address in self._topology.masters:
            self._wires.append(await connect(target, address))
            self._wires.append(await connect(target, address))

    def attach(self, node: str, channels: Iterable[str], answered: Callable[[Received], None]) -> None:
        """Give the connections their work; from now on `change` tells of changes."""
        topology = self._topology
        shares: list[list[str]] = [[] for _ in topology.masters]
        for channel in channels:
            shares[topology.master_of(channel)].append(channel)
        wires = iter(self._wires)
        for index, share in enumerate(shares):
            probe = _Probe(topology.probe_channel(index, node))
            self._probes[probe.channel] = probe
            commands = CommandLink(next(wires), "SPUBLISH" if topology.sharded else "PUBLISH", answered)
            wanted = [probe.channel, *share]
            subscriptions = SubscriptionLink(next(wires), self, wanted, sharded=topology.sharded)
            self._shards.append(_Shard(commands, subscriptions, probe))

    async def run(self, proven: Callable[[], None]) -> None:
        """Serve until something is lost: raises one of `LOST`. `proven` is called once all servers were heard."""
        loops = [
            loop()
            for shard in self._shards
            for link in (shard.commands, shard.subscriptions)
            for loop in (link.write, link.read)
        ]
        tasks = [asyncio.create_task(loop) for loop in (*loops, self._watch(proven))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except asyncio.CancelledError:
            await self._flush()
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def close(self, why: BaseException) -> list[Received]:
        """End the connections. The publishes that may not have arrived, in order for each channel."""
        for wire in self._wires:
            wire.close()
        return [lost for shard in self._shards for lost in shard.commands.take_unanswered(why)]

    # Both sides

    def publish(self, item: Received) -> None:
        self._shards[self._topology.master_of(item.channel)].commands.send(item)

    def ask(self, key: str, exchange: Exchange) -> None:
        """Of the server that has `key`."""
        self._shards[self._topology.master_of(key)].commands.send(exchange)

    def change(self, channels: Collection[str], *, follow: bool) -> None:
        if not self._topology.sharded:
            self._shards[0].subscriptions.change(channels, follow=follow)
            return
        for channel in channels:
            self._shards[self._topology.master_of(channel)].subscriptions.change((channel,), follow=follow)

    # What the subscriptions hear

    def received(self, channel: str, payload: bytes) -> None:
        probe = self._probes.get(channel)
        if probe is None:
            self._hearer.received(channel, payload)
        elif payload == probe.token:
            probe.heard_at = asyncio.get_running_loop().time()
            probe.proven = True
            self.round_trip = probe.heard_at - probe.sent_at

    def followed(self, channels: Sequence[str]) -> None:
        others = [channel for channel in channels if channel not in self._probes]
        if others:
            self._hearer.followed(others)

    async def room(self) -> None:
        self._held_back += 1
        try:
            await self._hearer.room()
        finally:
            self._held_back -= 1

    async def _watch(self, proven: Callable[[], None]) -> None:
        """Send the probes, and find out what is overdue."""
        loop = asyncio.get_running_loop()
        interval = self._limits.probe_interval
        patience = (_MISSES + _GRACE) * interval
        step = _GRACE * interval
        is_proven = False
        for shard in self._shards:
            shard.probe.heard_at = loop.time()
        for number in count():
            now = loop.time()
            for shard in self._shards:
                if number % round(1 / _GRACE) == 0:
                    shard.probe.token = b"%d" % number
                    shard.probe.sent_at = now
                    shard.commands.probe(shard.probe.channel, shard.probe.token)
                self._check(shard, now, patience)
            await asyncio.sleep(step)
            if not is_proven and all(shard.probe.proven for shard in self._shards):
                is_proven = True
                proven()
            late = loop.time() - now - step
            if late > step:
                # It was this process that did not run: what was sent meanwhile is still to be read.
                for shard in self._shards:
                    shard.probe.heard_at += late

    def _check(self, shard: _Shard, now: float, patience: float) -> None:
        if self._held_back:
            # It is this node that does not read.
            shard.probe.heard_at = now
        if now - shard.probe.heard_at > patience:
            raise TimeoutError("Redis does not give back what is published")
        since = shard.commands.waits_since()
        if since is not None and now - since > self._limits.timeout:
            raise TimeoutError("Redis does not answer")

    async def _flush(self) -> None:
        with suppress(TimeoutError, *LOST):
            async with asyncio.timeout(_FLUSH_SECONDS):
                for shard in self._shards:
                    await shard.commands.flush()
