"""One run: load on all nodes, a fault amid it, the wait until it has healed, and the verdict."""

import random
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs
import psycopg
import trio

from tests.faults.callers import Author, Caller, Reader
from tests.faults.checker import Violation, check
from tests.faults.clients import Sender, Subscriber
from tests.faults.cluster import Cluster
from tests.faults.history import History, MarkSample, Resumption
from tests.faults.world import Member, World

FLOW_PATIENCE: Final = 20.0
SETTLE_PATIENCE: Final = 30.0
POLL: Final = 0.02
SAMPLE_PAUSE: Final = 0.4


@attrs.frozen
class Fault:
    """`cause` returns when the fault has ended. Within `heals_within` seconds of that every subscriber must have got a
    message that was sent after it, and every sender a receipt for one.
    """

    name: str
    cause: "Callable[[Scene], Awaitable[None]]"
    heals_within: float = 15.0


@attrs.frozen
class Load:
    """Of each run: a sender, an author and subscribers a node. Rates are messages a second."""

    sender_rate: float = 15.0
    author_pause: float = 0.25
    calm: float = 1.0
    """Seconds of load before the fault, and after it has healed."""
    text_size: int = 80


@attrs.define
class Scene:
    """What a fault may touch. `scale` stretches its times and counts."""

    cluster: Cluster
    world: World
    rng: random.Random
    scale: float
    flow: "Callable[[], Awaitable[None]]"
    """Waits until every subscriber has got a message sent after the call, and every sender a receipt for one."""

    def note(self, what: str) -> None:
        self.world.note(what)


@attrs.frozen
class Outcome:
    """`heal` is None when it has not healed in time. Times are seconds on one clock."""

    fault: str
    seed: int
    began: float
    ended: float
    heal: float | None
    history: History
    violations: Sequence[Violation]
    timeline: Sequence[tuple[float, str]]
    unsettled: Sequence[str]
    """Clients that did not come to their end in time."""

    @property
    def failed(self) -> bool:
        return bool(self.violations or self.unsettled) or self.heal is None

    def tell(self) -> str:
        """What a failed run prints."""
        lines = [f"{self.fault}, seed {self.seed}: heal {self.heal}, {len(self.violations)} violations"]
        lines += [f"  {at - self.began:+8.3f} s  {what}" for at, what in self.timeline]
        lines += [f"  not settled: {each}" for each in self.unsettled]
        lines += [str(each) for each in self.violations[:12]]
        return "\n".join(lines)


async def run_fault(
    cluster: Cluster, fault: Fault, *, seed: int, scale: float = 1.0, load: Load | None = None
) -> Outcome:
    """Raises `trio.TooSlowError` when the load does not even begin to flow."""
    load = load or Load()
    rng = random.Random(seed)
    users = list(cluster.users)
    rng.shuffle(users)
    members = (
        Member(f"{number}", user, cluster.nodes[number % len(cluster.nodes)]) for number, user in enumerate(users)
    )

    def member(role: str) -> Member:
        each = next(members)
        return attrs.evolve(each, name=f"{role} {each.home.name}{each.name}")

    world = World(cluster.nodes, "", random.Random(rng.random()), load.text_size)
    owner = Caller(world, member("owner"))
    world.conversation = await _conversation(owner, cluster)
    nodes = range(len(cluster.nodes))
    senders = [Sender(world, member("sender"), load.sender_rate) for _ in nodes]
    subscribers = [Subscriber(world, member(f"{by}"), by) for by in Resumption for _ in nodes]
    subscribers.append(Subscriber(world, member("wanderer"), Resumption.REV, wanders=True))
    authors = [Author(world, member("author"), pause=load.author_pause) for _ in nodes[:2]]
    reader = Reader(world, member("reader"))
    samples: list[MarkSample] = []
    heal: float | None = None

    async def flow(since: float | None = None) -> None:
        begin = trio.current_time() if since is None else since
        await until(lambda: all(each.newest > begin for each in (*subscribers, *senders)))

    async with trio.open_nursery() as nursery:
        for client in (*senders, *subscribers, *authors, reader):
            nursery.start_soon(client.run)
        nursery.start_soon(_sample_marks, cluster, world.conversation, samples)
        with trio.fail_after(FLOW_PATIENCE):
            await flow()
        await trio.sleep(load.calm)
        began = trio.current_time()
        await fault.cause(Scene(cluster, world, rng, scale, flow))
        ended = trio.current_time()
        world.note("the fault has ended")
        with trio.move_on_after(fault.heals_within):
            await flow(ended)
            heal = trio.current_time() - ended
            world.note("healed")
            await trio.sleep(load.calm)
        world.sending = False
        unsettled = await _settle(cluster, world, senders, authors, subscribers)
        nursery.cancel_scope.cancel()
    stored = cluster.stored(world.conversation, samples)
    return Outcome(
        fault.name,
        seed,
        began,
        ended,
        heal,
        world.history,
        check(world.history, [stored]),
        world.timeline,
        unsettled,
    )


async def _conversation(owner: Caller, cluster: Cluster) -> str:
    """A new group of all users."""
    ids = [each.id for each in cluster.users if each.id != owner.member.user.id]
    with trio.fail_after(FLOW_PATIENCE):
        answer = await owner.call("POST", "/api/conversations", {"type": "GROUP", "participantIds": ids, "name": "Run"})
    await owner.close()
    assert answer is not None, owner.world.history.troubles
    return answer.json()["id"]


async def until(condition: Callable[[], bool]) -> None:
    """Looks again and again; the caller has the deadline."""
    while True:
        if condition():
            return
        await trio.sleep(POLL)


async def _settle(
    cluster: Cluster,
    world: World,
    senders: Sequence[Sender],
    authors: Sequence[Author],
    subscribers: Sequence[Subscriber],
) -> list[str]:
    """Wait until all is acknowledged, and everybody has got the last message and change. Who did not in time."""
    with trio.move_on_after(SETTLE_PATIENCE):
        await until(lambda: all(each.done for each in (*senders, *authors)))
        last = await trio.to_thread.run_sync(cluster.stored, world.conversation)
        newest = max((each.rev for each in last.messages), default=0)
        await until(
            lambda: all(
                each.last_seq >= last.last_seq and (each.by is Resumption.SEQ or each.last_rev >= newest)
                for each in subscribers
            )
        )
        return []
    late = [f"{each.member.name}: no answer, or sends on" for each in (*senders, *authors) if not each.done]
    return late + [
        f"{each.member.name} on {each.node}: seq {each.last_seq}, rev {each.last_rev}" for each in subscribers
    ]


async def _sample_marks(cluster: Cluster, conversation: str, samples: list[MarkSample]) -> None:
    while True:
        await trio.sleep(SAMPLE_PAUSE)
        try:
            marks = await trio.to_thread.run_sync(cluster.read_marks, conversation, abandon_on_cancel=True)
        except psycopg.Error:
            continue
        now = trio.current_time()
        samples += [MarkSample(user, read, now) for user, read in marks.items()]


@contextmanager
def mended(cluster: Cluster) -> Generator[None]:
    """Whatever happens in the block, the cluster is whole after it."""
    try:
        yield
    finally:
        cluster.mend()
