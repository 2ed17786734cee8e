"""What can go wrong, each as a fault that a run can cause. Times are those of a short run; `scale` stretches them."""

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs
import trio

from tests.faults.cluster import Cluster, Node
from tests.faults.machine import Clock, Disk
from tests.faults.run import Fault, Scene, until
from tests.kit.redis import RedisServer

Action = Callable[[Cluster], None]
Lasting = Callable[[Scene, float], Awaitable[None]]

KILLED_FOR: Final = 6.0
FROZEN_FOR: Final = 10.0
NODE_FROZEN_FOR: Final = 15.0
ROUNDS: Final = 3
FLOW_PATIENCE: Final = 20.0
START_PATIENCE: Final = 60.0


async def calm(scene: Scene) -> None:
    await trio.sleep(4.0 * scene.scale)


async def redis_killed(scene: Scene, seconds: float) -> None:
    redis = _redis_of(scene.cluster)
    redis.kill()
    scene.note("Redis killed")
    await trio.sleep(seconds)
    redis.start()
    scene.note("Redis is back")


async def redis_frozen(scene: Scene, seconds: float) -> None:
    redis = _redis_of(scene.cluster)
    redis.freeze()
    scene.note("Redis frozen")
    await trio.sleep(seconds)
    redis.thaw()
    scene.note("Redis thawed")


async def redis_cut_in_mid_frame(scene: Scene) -> None:
    wiring = scene.cluster.wiring
    before = [proxy.cuts for proxy in wiring.redis_proxies]
    for _ in range(round(8 * scene.scale)):
        for proxy in wiring.redis_proxies:
            wiring.control(proxy.cut_in_mid_frame)
        scene.note("every connection to Redis is to be cut in its next frame")
        await trio.sleep(scene.rng.uniform(0.1, 1.0))
    cuts = [proxy.cuts - cuts for proxy, cuts in zip(wiring.redis_proxies, before, strict=True)]
    scene.note(f"cut connections by node: {cuts}")
    assert all(count >= 4 for count in cuts), cuts


async def node_refused_by_redis(scene: Scene) -> None:
    wiring = scene.cluster.wiring
    proxy = scene.rng.choice(wiring.redis_proxies)
    wiring.control(proxy.refuse)
    scene.note("one node is refused by Redis")
    await trio.sleep(5.0 * scene.scale)
    wiring.control(proxy.admit)


async def database_silent_then_gone(scene: Scene) -> None:
    """As by a firewall that forgets its connections: nothing comes through, and then they are refused."""
    wiring = scene.cluster.wiring
    proxy = scene.rng.choice(wiring.database_proxies)
    wiring.control(proxy.freeze)
    scene.note("one node and PostgreSQL hear nothing of each other")
    await trio.sleep(6.0 * scene.scale)
    wiring.control(proxy.refuse)
    wiring.control(proxy.thaw)
    scene.note("its connections are gone")
    await trio.sleep(1.0)
    wiring.control(proxy.admit)


async def cable_to_redis_pulled(scene: Scene) -> None:
    await _pull(scene, "redis")


async def cable_to_database_pulled(scene: Scene) -> None:
    await _pull(scene, "sql")


async def _pull(scene: Scene, name: str) -> None:
    number = scene.rng.randrange(len(scene.cluster.nodes))
    cable = scene.cluster.wiring.networks[number].ways[name].cable
    await trio.to_thread.run_sync(cable.cut)
    scene.note(f"the cable of {scene.cluster.nodes[number].name} is pulled")
    await trio.sleep(6.0 * scene.scale)
    await trio.to_thread.run_sync(cable.mend)


async def postgres_killed(scene: Scene, seconds: float) -> None:
    postgres = scene.cluster.postgres
    await trio.to_thread.run_sync(postgres.kill)
    scene.note("PostgreSQL killed")
    await trio.sleep(seconds)
    await trio.to_thread.run_sync(postgres.start)
    scene.note("PostgreSQL is back")


async def postgres_frozen(scene: Scene, seconds: float) -> None:
    scene.cluster.postgres.freeze()
    scene.note("PostgreSQL frozen")
    await trio.sleep(seconds)
    scene.cluster.postgres.thaw()
    scene.note("PostgreSQL thawed")


async def node_killed_in_a_loop(scene: Scene) -> None:
    node = scene.rng.choice(scene.cluster.nodes)
    for number in range(round(ROUNDS * scene.scale)):
        if number:
            await _flow(scene)
            await trio.sleep(scene.rng.uniform(0, 0.5))
        node.kill()
        scene.note(f"{node.name} killed")
        await start(node)
        scene.note(f"{node.name} is back")


async def node_killed(scene: Scene, seconds: float) -> None:
    node = scene.rng.choice(scene.cluster.nodes)
    node.kill()
    scene.note(f"{node.name} killed")
    await trio.sleep(seconds)
    await start(node)
    scene.note(f"{node.name} is back")


async def node_frozen(scene: Scene, seconds: float) -> None:
    node = scene.rng.choice(scene.cluster.nodes)
    node.freeze()
    scene.note(f"{node.name} frozen")
    await trio.sleep(seconds)
    node.thaw()
    scene.note(f"{node.name} thawed")


def lasting(seconds: float, cause: Lasting) -> Callable[[Scene], Awaitable[None]]:
    """That fault for so long."""

    async def run(scene: Scene) -> None:
        await cause(scene, seconds * scene.scale)

    return run


async def nodes_rolled(scene: Scene) -> None:
    for number, node in enumerate(scene.cluster.nodes):
        if number:
            await _flow(scene)
        node.terminate()
        scene.note(f"{node.name} is told to end")
        status = await trio.to_thread.run_sync(node.wait)
        scene.note(f"{node.name} has ended with status {status}")
        assert status == 0, node.log[-3000:]
        await start(node)
        scene.note(f"{node.name} is back")


async def two_at_once(scene: Scene) -> None:
    """Other pairs in each round, for other times."""
    for number in range(round(ROUNDS * scene.scale)):
        if number:
            await _flow(scene)
        async with trio.open_nursery() as nursery:
            for kinds in scene.rng.sample([REDIS, POSTGRES, NODE], 2):
                nursery.start_soon(scene.rng.choice(kinds), scene, scene.rng.uniform(0.2, 5.0))


async def _flow(scene: Scene) -> None:
    with trio.fail_after(FLOW_PATIENCE):
        await scene.flow()


def disk_full(disk: Disk) -> Fault:
    """PostgreSQL's tables cannot grow. It is freed by hand, and nothing is restarted."""

    async def cause(scene: Scene) -> None:
        await trio.to_thread.run_sync(disk.fill)
        scene.note("the disk is full")
        with trio.fail_after(FLOW_PATIENCE):
            await until(lambda: scene.last_ack + 1.0 < trio.current_time())
        scene.note("nothing is acknowledged any more")
        await trio.sleep(3.0 * scene.scale)
        disk.free()

    return Fault(DISK_FULL, cause)


def wal_disk_full(disk: Disk) -> Fault:
    """The write-ahead log cannot grow either: PostgreSQL panics, and what keeps services running starts it again when
    there is room.
    """

    async def cause(scene: Scene) -> None:
        await trio.to_thread.run_sync(disk.fill)
        scene.note("the disk is full")
        postgres = scene.cluster.postgres
        with trio.fail_after(FLOW_PATIENCE):
            await trio.to_thread.run_sync(postgres.await_panic, abandon_on_cancel=True)
        scene.note("PostgreSQL has panicked")
        await trio.sleep(2.0 * scene.scale)
        disk.free()
        await trio.to_thread.run_sync(postgres.kill)
        await trio.to_thread.run_sync(postgres.start)
        scene.note("PostgreSQL is back")

    return Fault(WAL_DISK_FULL, cause)


def clock_jumps(clock: Clock) -> Fault:
    """The first node's wall clock is an hour ahead, then an hour late, then right again."""

    async def cause(scene: Scene) -> None:
        node = scene.cluster.nodes[0]
        for hours in (1, -1, 0):
            clock.set(hours * 3600)
            scene.note(f"the clock of {node.name} is {hours:+d} h from now on")
            expected = datetime.now(UTC) + timedelta(hours=hours)
            with trio.fail_after(FLOW_PATIENCE):
                await until(lambda expected=expected: abs(_last_logged(node) - expected) < timedelta(minutes=1))
            await trio.sleep(2.0 * scene.scale)

    return Fault(CLOCK_JUMPS, cause)


def _last_logged(node: Node) -> datetime:
    return datetime.fromisoformat(json.loads(node.log.splitlines()[-1])["timestamp"])


async def start(node: Node) -> None:
    """Again and again, as what keeps services running does: a node whose database is away does not start.

    In the thread of the event loop, at whose death it is to die.
    """
    with trio.fail_after(START_PATIENCE):
        while True:
            node.start_without_waiting()
            with suppress(AssertionError):
                await trio.to_thread.run_sync(node.await_ready)
                return
            await trio.sleep(0.2)


def _redis_of(cluster: Cluster) -> RedisServer:
    redis = cluster.redis
    assert redis is not None
    return redis


REDIS: Final = (redis_killed, redis_frozen)
POSTGRES: Final = (postgres_killed, postgres_frozen)
NODE: Final = (node_killed, node_frozen)

CALM: Final = Fault("none", calm)
REDIS_KILLED: Final = Fault("Redis killed and restarted", lasting(KILLED_FOR, redis_killed))
REDIS_FROZEN: Final = Fault("Redis frozen", lasting(FROZEN_FOR, redis_frozen))
REDIS_CUT: Final = Fault("connections to Redis cut in mid-frame", redis_cut_in_mid_frame)
REDIS_CABLE: Final = Fault("cable between one node and Redis pulled", cable_to_redis_pulled)
DATABASE_CABLE: Final = Fault("cable between one node and PostgreSQL pulled", cable_to_database_pulled, 20.0)
REDIS_REFUSED: Final = Fault("one node refused by Redis", node_refused_by_redis)
DATABASE_SILENT: Final = Fault("one node's connections to PostgreSQL silent, then gone", database_silent_then_gone)
POSTGRES_KILLED: Final = Fault("PostgreSQL killed and restarted", lasting(2.0, postgres_killed))
POSTGRES_FROZEN: Final = Fault("PostgreSQL frozen", lasting(FROZEN_FOR, postgres_frozen))
NODE_KILLED: Final = Fault("one node killed in a loop", node_killed_in_a_loop)
NODE_FROZEN: Final = Fault("one node frozen", lasting(NODE_FROZEN_FOR, node_frozen))
NODES_ROLLED: Final = Fault("nodes rolled", nodes_rolled)
TWO_AT_ONCE: Final = Fault("two of Redis, PostgreSQL and a node killed or frozen at once", two_at_once)

DIRECT: Final = (
    CALM,
    REDIS_KILLED,
    REDIS_FROZEN,
    POSTGRES_KILLED,
    POSTGRES_FROZEN,
    NODE_KILLED,
    NODE_FROZEN,
    NODES_ROLLED,
    TWO_AT_ONCE,
)
"""Those that need nothing between the nodes and the services."""
PROXIED: Final = (REDIS_CUT, REDIS_REFUSED, DATABASE_SILENT)
CABLED: Final = (REDIS_CABLE, DATABASE_CABLE)
DISK_FULL: Final = "disk of PostgreSQL full"
WAL_DISK_FULL: Final = "disk of PostgreSQL and its write-ahead log full"
CLOCK_JUMPS: Final = "clock of one node jumps by an hour"


def _nothing(cluster: Cluster) -> None:
    """Redis stays as it is."""


def _kill_redis(cluster: Cluster) -> None:
    _redis_of(cluster).kill()


def _start_redis(cluster: Cluster) -> None:
    _redis_of(cluster).start()


def _freeze_redis(cluster: Cluster) -> None:
    _redis_of(cluster).freeze()


def _thaw_redis(cluster: Cluster) -> None:
    _redis_of(cluster).thaw()


def _cut_off_the_second(cluster: Cluster) -> None:
    cluster.wiring.control(cluster.wiring.redis_proxies[1].freeze)


def _join_the_second(cluster: Cluster) -> None:
    cluster.wiring.control(cluster.wiring.redis_proxies[1].thaw)


@attrs.frozen
class Outage:
    """What is wrong with Redis at a removal, and within how many seconds who was removed must hear nothing more."""

    cause: Action
    end: Action
    within: float


REMOVALS: Final[Mapping[str, Outage]] = {
    "up": Outage(_nothing, _nothing, 1.0),
    "killed": Outage(_kill_redis, _start_redis, 3.0),
    "frozen": Outage(_freeze_redis, _thaw_redis, 3.0),
    "cut off": Outage(_cut_off_the_second, _join_the_second, 3.0),
}
