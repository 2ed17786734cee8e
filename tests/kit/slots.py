"""The slots of a Redis Cluster: which master has them, and how they are moved while it is in use.

https://redis.io/docs/latest/commands/cluster-setslot/, "Redis Cluster live resharding explained".
"""

from collections.abc import Sequence

from redis.crc import key_slot

from tests.kit.redis import RedisServer

_TIMEOUT = 5000


def slot_of(name: str) -> int:
    """Of a key or of a channel of sharded pub/sub."""
    return key_slot(name.encode())


def owner_of(slot: int, masters: Sequence[RedisServer]) -> RedisServer:
    for first, last, (_, port, *_), *_ in masters[0].command("CLUSTER", "SLOTS"):
        if first <= slot <= last:
            return next(each for each in masters if each.port == port)
    raise LookupError(f"slot {slot} has no master")


def move_slots(source: RedisServer, target: RedisServer, masters: Sequence[RedisServer], slots: Sequence[int]) -> None:
    """With their keys; returns when every master knows."""
    source_id, target_id = (server.command("CLUSTER", "MYID") for server in (source, target))
    for slot in slots:
        target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
        while keys := source.command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.command("MIGRATE", "127.0.0.1", target.port, "", 0, _TIMEOUT, "KEYS", *keys)
        for server in (target, source, *(each for each in masters if each not in (source, target))):
            server.command("CLUSTER", "SETSLOT", slot, "NODE", target_id)
