"""A member is removed on one node while he listens on another: how long he goes on hearing."""

import json
import random
from collections.abc import Sequence
from typing import Final

import attrs
import trio

from tests.faults.callers import Caller
from tests.faults.checker import Violation, check
from tests.faults.clients import Sender, Subscriber, converse
from tests.faults.cluster import Cluster
from tests.faults.faults import REMOVALS
from tests.faults.history import Removed, Resumption, TypingSeen
from tests.faults.run import FLOW_PATIENCE, until
from tests.faults.world import Member, World
from tests.kit.stomp_client import StompClient

WATCHED_FOR: Final = 4.0
"""Seconds after the removal; above every bound."""
TYPING_PAUSE: Final = 0.03


@attrs.frozen
class Verdict:
    """`seconds` from the answer to the removal until the last thing that the removed member heard."""

    seconds: float
    violations: Sequence[Violation]


@attrs.define
class Typist:
    """Starts and stops typing all the time on his node: what is neither numbered nor stored, and goes by no gate."""

    world: World
    member: Member

    async def run(self) -> None:
        while True:
            await converse(self.member.home, self.member.user.token, self._talk)

    async def _talk(self, client: StompClient) -> None:
        body = json.dumps({"conversationId": self.world.conversation}).encode()
        while True:
            for destination in ("/app/typing.start", "/app/typing.stop"):
                await client.send("SEND", {"destination": destination}, body)
                await trio.sleep(TYPING_PAUSE)


async def remove_member(cluster: Cluster, redis: str, *, seed: int) -> Verdict:
    """Removes him on the first node right after that outage of `REMOVALS` began; he and a typist are on the second."""
    outage = REMOVALS[redis]
    rng = random.Random(seed)
    first, second = cluster.nodes[:2]
    owner, victim, typist, witness, speaker = rng.sample(list(cluster.users), 5)
    world = World(cluster.nodes, "", rng, 80)
    owner_calls = Caller(world, Member("owner", owner, first))
    victim_calls = Caller(world, Member("victim", victim, second))
    people = [each.id for each in (victim, typist, witness, speaker)]
    answer = await owner_calls.call(
        "POST", "/api/conversations", {"type": "GROUP", "participantIds": people, "name": "Removal"}, node=first
    )
    assert answer is not None, world.history.troubles
    world.conversation = answer.json()["id"]
    removed = Subscriber(world, Member("victim", victim, second), Resumption.REV, removable=True)
    stays = Subscriber(world, Member("witness", witness, second), Resumption.REV)
    sender = Sender(world, Member("speaker", speaker, first), 20.0)
    async with trio.open_nursery() as nursery:
        for client in (removed, stays, sender, Typist(world, Member("typist", typist, second))):
            nursery.start_soon(client.run)
        with trio.fail_after(FLOW_PATIENCE):
            await until(lambda: all(_typing_heard(each) and each.last_seq > 5 for each in (removed, stays)))
        outage.cause(cluster)
        path = f"/api/conversations/{world.conversation}/participants/{victim.id}"
        assert await owner_calls.call("DELETE", path, node=first) is not None, world.history.troubles
        at = trio.current_time()
        await trio.sleep(WATCHED_FOR)
        assert _typing_heard(stays) > at + WATCHED_FOR - 1.0, "nobody typed, so nothing is proved"
        # Not before: by his attempt the second node would learn of the removal.
        post = {"conversationId": world.conversation, "text": "of a stranger"}
        refused = await victim_calls.call("POST", "/api/messages", post, node=second, accept=(403,))
        assert refused is not None, world.history.troubles
        assert refused.status_code == 403
        outage.end(cluster)
        world.sending = False
        with trio.fail_after(FLOW_PATIENCE):
            await until(lambda: sender.done)
            stored = await trio.to_thread.run_sync(cluster.stored, world.conversation)
            await until(lambda: stays.last_seq >= stored.last_seq)
        nursery.cancel_scope.cancel()
    await owner_calls.close()
    await victim_calls.close()
    # Nothing else in this conversation has a rev without a message.
    (rev,) = set(range(1, stored.rev + 1)) - {each.created_rev for each in stored.messages}
    world.history.removed.append(Removed(world.conversation, victim.id, rev, at, outage.within))
    return Verdict(max(0.0, _typing_heard(removed) - at), check(world.history, [stored]))


def _typing_heard(subscriber: Subscriber) -> float:
    """When he last heard that somebody types."""
    return max((each.at for each in subscriber.log.entries if isinstance(each, TypingSeen)), default=0.0)
