"""What goes wrong with a Redis Cluster: one of its masters is gone for a while, and slots move from one to another."""

from typing import Final

import trio

from tests.faults.run import FLOW_PATIENCE, Fault, Scene
from tests.kit.redis import RedisServer
from tests.kit.slots import move_slots, owner_of, slot_of

GONE_FOR: Final = 6.0
"""More than the cluster's `cluster-node-timeout`: the other masters find that it is gone."""
MOVES: Final = 6
OTHERS: Final = 40


async def master_killed(scene: Scene) -> None:
    """It has no replica, so its slots have no master until it is back."""
    master = scene.rng.choice(scene.cluster.redis_masters)
    master.kill()
    scene.note(f"the master at port {master.port} is killed")
    await trio.sleep(GONE_FOR * scene.scale)
    master.start()
    scene.note("it is back")


async def slots_moved(scene: Scene) -> None:
    """Those of the conversations that talk, again and again, and some others."""
    for _ in range(round(MOVES * scene.scale)):
        with trio.fail_after(FLOW_PATIENCE):
            await scene.flow()
        names = [f"conversation.{log.conversation}" for history in scene.histories for log in history.logs[:1]]
        slots = {slot_of(name) for name in names} | {scene.rng.randrange(16_384) for _ in range(OTHERS)}
        moved = await trio.to_thread.run_sync(_move, scene, sorted(slots))
        scene.note(f"{moved} slots have another master")
        await trio.sleep(scene.rng.uniform(0, 0.5))


def _move(scene: Scene, slots: list[int]) -> int:
    masters = scene.cluster.redis_masters
    for slot in slots:
        source = owner_of(slot, masters)
        others: list[RedisServer] = [each for each in masters if each is not source]
        move_slots(source, scene.rng.choice(others), masters, [slot])
    return len(slots)


MASTER_KILLED: Final = Fault("one master of a Redis Cluster killed and restarted", master_killed)
SLOTS_MOVED: Final = Fault("slots of a Redis Cluster moved", slots_moved)
CLUSTERED: Final = (MASTER_KILLED, SLOTS_MOVED)
