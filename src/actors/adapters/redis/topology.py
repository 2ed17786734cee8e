"""Which servers there are, and which of them has what."""

from itertools import count
from typing import Any, Final

from attrs import frozen

from actors.adapters.redis.driver import Address, Target, connect, slot_of

_PROBE: Final = "stackmentor.probe"


@frozen
class Topology:
    """The masters' addresses, and which of them has each slot. Alone: one master, at the address of the URL."""

    masters: tuple[Address | None, ...]
    owners: tuple[int, ...] = ()
    """By slot, the index of its master; empty when alone."""

    @property
    def sharded(self) -> bool:
        return bool(self.owners)

    def master_of(self, channel: str) -> int:
        """The index of the master that carries the channel (or has the key)."""
        return self.owners[slot_of(channel)] if self.owners else 0

    def probe_channel(self, master: int, node: str) -> str:
        """A channel of the node's own that the master carries. Every master has a slot."""
        names = (f"{_PROBE}.{node}.{number}" for number in count())
        return next(name for name in names if self.master_of(name) == master)


ALONE: Final = Topology((None,))


async def ask_topology(target: Target) -> Topology:
    """Of the cluster that the URL's server belongs to. Raises one of `LOST`."""
    wire = await connect(target)
    try:
        return _topology_of(await wire.ask("CLUSTER", "SLOTS"), target)
    finally:
        wire.close()


def _topology_of(ranges: Any, target: Target) -> Topology:
    """From the answer to `CLUSTER SLOTS`: rows of first slot, last slot, [host, port, …] of the master, replicas."""
    masters: dict[Address | None, int] = {}
    owners: list[int | None] = [None] * 16_384
    for first, last, (host, port, *_), *_ in ranges:
        # Without a name it is the one that was asked.
        address = (host.decode(), port) if host else None
        master = masters.setdefault(address, len(masters))
        owners[first : last + 1] = [master] * (last + 1 - first)
    known = [owner for owner in owners if owner is not None]
    if len(known) < len(owners):
        raise ConnectionError(f"the cluster of {target.url.rpartition('@')[2]} has slots without a master")
    return Topology(tuple(masters), tuple(known))
