"""What can go wrong, each as a fault that a run can cause. Times are those of a short run; `scale` stretches them."""

from typing import Final

import trio

from tests.faults.cluster import Node
from tests.faults.run import Fault, Scene
from tests.kit.redis import RedisServer

KILLED_FOR: Final = 2.0
FROZEN_FOR: Final = 10.0
NODE_FROZEN_FOR: Final = 15.0
ROUNDS: Final = 3
FLOW_PATIENCE: Final = 20.0


async def calm(scene: Scene) -> None:
    await trio.sleep(4.0 * scene.scale)


async def redis_killed(scene: Scene) -> None:
    redis = _redis(scene)
    redis.kill()
    scene.note("Redis killed")
    await trio.sleep(KILLED_FOR * scene.scale)
    redis.start()


async def redis_frozen(scene: Scene) -> None:
    redis = _redis(scene)
    redis.freeze()
    scene.note("Redis frozen")
    await trio.sleep(FROZEN_FOR * scene.scale)
    redis.thaw()


async def redis_cut_in_mid_frame(scene: Scene) -> None:
    for _ in range(round(8 * scene.scale)):
        for proxy in scene.cluster.redis_proxies:
            scene.control(proxy.cut_in_mid_frame)
        scene.note("every connection to Redis is to be cut in its next frame")
        await trio.sleep(scene.rng.uniform(0.1, 1.0))


async def node_parted_from_redis(scene: Scene) -> None:
    proxy = scene.rng.choice(scene.cluster.redis_proxies)
    scene.control(proxy.freeze)
    scene.note("one node and Redis hear nothing of each other")
    await trio.sleep(5.0 * scene.scale)
    scene.control(proxy.thaw)


async def node_refused_by_redis(scene: Scene) -> None:
    proxy = scene.rng.choice(scene.cluster.redis_proxies)
    scene.control(proxy.refuse)
    scene.note("one node is refused by Redis")
    await trio.sleep(5.0 * scene.scale)
    scene.control(proxy.admit)


async def node_parted_from_database(scene: Scene) -> None:
    proxy = scene.rng.choice(scene.cluster.database_proxies)
    scene.control(proxy.freeze)
    scene.note("one node and PostgreSQL hear nothing of each other")
    await trio.sleep(6.0 * scene.scale)
    scene.control(proxy.refuse)
    scene.note("its connections are gone")
    scene.control(proxy.thaw)
    await trio.sleep(1.0)
    scene.control(proxy.admit)


async def postgres_killed(scene: Scene) -> None:
    postgres = scene.cluster.postgres
    await trio.to_thread.run_sync(postgres.kill)
    scene.note("PostgreSQL killed")
    await trio.sleep(KILLED_FOR * scene.scale)
    await trio.to_thread.run_sync(postgres.start)


async def postgres_frozen(scene: Scene) -> None:
    scene.cluster.postgres.freeze()
    scene.note("PostgreSQL frozen")
    await trio.sleep(FROZEN_FOR * scene.scale)
    scene.cluster.postgres.thaw()


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


async def node_frozen(scene: Scene) -> None:
    node = scene.rng.choice(scene.cluster.nodes)
    node.freeze()
    scene.note(f"{node.name} frozen")
    await trio.sleep(NODE_FROZEN_FOR * scene.scale)
    node.thaw()


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


async def _flow(scene: Scene) -> None:
    with trio.fail_after(FLOW_PATIENCE):
        await scene.flow()


async def start(node: Node) -> None:
    """In the thread of the event loop, at whose death it is to die."""
    node.start_without_waiting()
    await trio.to_thread.run_sync(node.await_ready)


def _redis(scene: Scene) -> RedisServer:
    redis = scene.cluster.redis
    assert redis is not None
    return redis


CALM: Final = Fault("none", calm)
REDIS_KILLED: Final = Fault("Redis killed and restarted", redis_killed)
REDIS_FROZEN: Final = Fault("Redis frozen", redis_frozen)
REDIS_CUT: Final = Fault("connections to Redis cut in mid-frame", redis_cut_in_mid_frame)
REDIS_PARTED: Final = Fault("one node parted from Redis", node_parted_from_redis)
REDIS_REFUSED: Final = Fault("one node refused by Redis", node_refused_by_redis)
DATABASE_PARTED: Final = Fault("one node parted from PostgreSQL", node_parted_from_database)
POSTGRES_KILLED: Final = Fault("PostgreSQL killed and restarted", postgres_killed)
POSTGRES_FROZEN: Final = Fault("PostgreSQL frozen", postgres_frozen)
NODE_KILLED: Final = Fault("one node killed in a loop", node_killed_in_a_loop)
NODE_FROZEN: Final = Fault("one node frozen", node_frozen)
NODES_ROLLED: Final = Fault("nodes rolled", nodes_rolled)
