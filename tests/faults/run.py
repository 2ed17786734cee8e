"""One run: load on all nodes, a fault amid it, the wait until it has healed, and the verdict."""

import itertools
import random
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Self

import attrs
import psycopg
import trio

from tests.faults.acknowledgements import MODES, AckLog, Acknowledger, check_acknowledgements
from tests.faults.callers import Author, Caller, Reader
from tests.faults.checker import Violation, check
from tests.faults.clients import Sender, Subscriber
from tests.faults.cluster import Cluster
from tests.faults.history import History, MarkSample, Resumption, Stored
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
    """How much is sent. Rates are messages a second and sender, times seconds, sizes characters at most."""

    sender_rate: float = 15.0
    author_pause: float = 0.25
    calm: float = 1.0
    """Before the fault, and after it has healed."""
    text_size: int = 80
    flow_patience: float = FLOW_PATIENCE


@attrs.define
class Scene:
    """What a fault may touch. `scale` stretches its times and counts."""

    cluster: Cluster
    histories: Sequence[History]
    rng: random.Random
    scale: float
    flow: "Callable[[], Awaitable[None]]"
    """Waits until every subscriber has got a message sent after the call, and every sender a receipt for one."""
    timeline: list[tuple[float, str]] = attrs.field(factory=list[tuple[float, str]])

    def note(self, what: str) -> None:
        """One line of the fault's time line."""
        self.timeline.append((trio.current_time(), what))

    @property
    def last_ack(self) -> float:
        return max(each.acked[-1].at for each in self.histories)


@attrs.frozen
class Outcome:
    """`heal` is None when it has not healed in time. Times are seconds on one clock."""

    fault: str
    seed: int
    began: float
    ended: float
    heal: float | None
    histories: Sequence[History]
    """One for each conversation."""
    violations: Sequence[Violation]
    timeline: Sequence[tuple[float, str]]
    unsettled: Sequence[str]
    """Clients that did not come to their end in time."""
    ack_logs: Sequence[AckLog] = ()

    @property
    def failed(self) -> bool:
        return bool(self.violations or self.unsettled) or self.heal is None

    @property
    def ends(self) -> set[str]:
        """Why sockets ended."""
        return {each.reason for history in self.histories for who, each in history.ended if "," not in who}

    @property
    def failed_calls(self) -> set[str]:
        """Why requests had no answer."""
        return {each.reason for history in self.histories for who, each in history.ended if "," in who}

    def tell(self) -> str:
        """What a failed run prints."""
        lines = [f"{self.fault}, seed {self.seed}: heal {self.heal}, {len(self.violations)} violations"]
        lines += [f"  {at - self.began:+8.3f} s  {what}" for at, what in self.timeline]
        lines += [f"  not settled: {each}" for each in self.unsettled]
        lines += [str(each) for each in self.violations[:12]]
        return "\n".join(lines)


@attrs.frozen
class Crowd:
    """The clients of one conversation."""

    world: World
    senders: Sequence[Sender]
    subscribers: Sequence[Subscriber]
    authors: Sequence[Author] = ()
    reader: Reader | None = None
    acknowledgers: Sequence[Acknowledger] = ()

    @classmethod
    def one_way(cls, world: World, members: Iterator[Member], load: Load) -> Self:
        """One sender, and on each node a subscriber. A node where nobody writes learns nothing by writing."""
        sender = Sender(world, _named(next(members), "lone sender"), load.sender_rate)
        kinds = itertools.cycle(Resumption)
        subscribers: list[Subscriber] = []
        for _ in world.nodes:
            by = next(kinds)
            subscribers.append(Subscriber(world, _named(next(members), f"far {by}"), by))
        return cls(world, [sender], subscribers)

    @classmethod
    def busy(cls, world: World, members: Iterator[Member], load: Load) -> Self:
        """On each node a sender and two subscribers, on two nodes an author; a reader, one who wanders, and one in each
        mode of acknowledging.
        """

        def member(role: str) -> Member:
            return _named(next(members), role)

        nodes = range(len(world.nodes))
        senders = [Sender(world, member("sender"), load.sender_rate) for _ in nodes]
        subscribers = [Subscriber(world, member(f"{by}"), by) for by in Resumption for _ in nodes]
        subscribers.append(Subscriber(world, member("wanderer"), Resumption.REV, wanders=True))
        authors = [Author(world, member("author"), pause=load.author_pause) for _ in nodes[:2]]
        acknowledgers = [Acknowledger(world, member(f"ack:{mode}"), mode) for mode in MODES]
        return cls(world, senders, subscribers, authors, Reader(world, member("reader")), acknowledgers)

    @property
    def clients(self) -> Sequence[Sender | Subscriber | Author | Reader | Acknowledger]:
        readers = [] if self.reader is None else [self.reader]
        return [*self.senders, *self.subscribers, *self.authors, *readers, *self.acknowledgers]

    async def settle(self, cluster: Cluster) -> list[str]:
        """Wait until all is acknowledged, and everybody has got the last message and change. Who did not in time."""
        writers = (*self.senders, *self.authors)
        with trio.move_on_after(SETTLE_PATIENCE):
            await until(lambda: all(each.done for each in writers))
            last = await trio.to_thread.run_sync(cluster.stored, self.world.conversation)
            newest = max((each.rev for each in last.messages), default=0)
            await until(
                lambda: all(
                    each.last_seq >= last.last_seq and (each.by is Resumption.SEQ or each.last_rev >= newest)
                    for each in self.subscribers
                )
            )
            while self._not_delivered(last):
                await trio.sleep(10 * POLL)
                last = await trio.to_thread.run_sync(cluster.stored, self.world.conversation)
            return []
        late = [f"{each.member.name}: no answer, or sends on" for each in writers if not each.done]
        at = [
            f"{each.member.name} on {each.node}: seq {each.last_seq}, rev {each.last_rev}" for each in self.subscribers
        ]
        last = await trio.to_thread.run_sync(cluster.stored, self.world.conversation)
        return late + at + self._not_delivered(last)

    def _not_delivered(self, stored: Stored) -> list[str]:
        """Who has not acknowledged the last message, as the database has it."""
        marks = {each.member.name: stored.delivered[each.member.user.id] for each in self.acknowledgers}
        return [f"{name}: delivered {mark}" for name, mark in marks.items() if mark < stored.last_seq]


async def run_fault(
    cluster: Cluster, fault: Fault, *, seed: int, scale: float = 1.0, load: Load | None = None
) -> Outcome:
    """The load must flow before the fault and heal after it; what does not is told in the outcome."""
    load = load or Load()
    rng = random.Random(seed)
    users = rng.sample(list(cluster.users), len(cluster.users))
    homes = itertools.cycle(cluster.nodes)
    members = (Member(f"{number}", user, next(homes)) for number, user in enumerate(users))
    crowds: list[Crowd] = []
    for make in (Crowd.busy, Crowd.one_way):
        world = World(cluster.nodes, "", random.Random(rng.random()), load.text_size)
        world.conversation = await _conversation(Caller(world, next(members)), cluster)
        crowds.append(make(world, members, load))
    histories = [each.world.history for each in crowds]
    samples: list[list[MarkSample]] = [[] for _ in crowds]
    heal: float | None = None
    broken: list[str] = []
    began = ended = trio.current_time()

    async def flow(since: float | None = None) -> None:
        begin = trio.current_time() if since is None else since
        watched = [client for each in crowds for client in (*each.subscribers, *each.senders)]
        await until(lambda: all(client.newest > begin for client in watched))

    scene = Scene(cluster, histories, rng, scale, flow)
    async with trio.open_nursery() as nursery:
        for each, taken in zip(crowds, samples, strict=True):
            nursery.start_soon(_sample_marks, cluster, each.world.conversation, taken)
            for client in each.clients:
                nursery.start_soon(client.run)
        with trio.move_on_after(load.flow_patience) as flowing:
            await flow()
        if not flowing.cancelled_caught:
            await trio.sleep(load.calm)
            began = trio.current_time()
            try:
                await fault.cause(scene)
            except* (AssertionError, trio.TooSlowError) as group:
                broken.append(f"the fault did not end as it should: {group.exceptions}")
            ended = trio.current_time()
            scene.note("the fault has ended")
            with trio.move_on_after(fault.heals_within):
                await flow(ended)
                heal = trio.current_time() - ended
                scene.note("healed")
                await trio.sleep(load.calm)
        for each in crowds:
            each.world.sending = False
        unsettled = broken + [who for each in crowds for who in await each.settle(cluster)]
        nursery.cancel_scope.cancel()
    violations: list[Violation] = []
    ack_logs = [client.log for each in crowds for client in each.acknowledgers]
    for each, taken in zip(crowds, samples, strict=True):
        stored = cluster.stored(each.world.conversation, taken)
        violations += check(each.world.history, [stored])
        for client in each.acknowledgers:
            violations += check_acknowledgements(client.log, stored)
    return Outcome(fault.name, seed, began, ended, heal, histories, violations, scene.timeline, unsettled, ack_logs)


def _named(member: Member, role: str) -> Member:
    return attrs.evolve(member, name=f"{role} {member.home.name}{member.name}")


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


async def _sample_marks(cluster: Cluster, conversation: str, samples: list[MarkSample]) -> None:
    while True:
        await trio.sleep(SAMPLE_PAUSE)
        try:
            marks = await trio.to_thread.run_sync(cluster.marks, conversation, abandon_on_cancel=True)
        except psycopg.Error:
            continue
        now = trio.current_time()
        samples += [MarkSample(user, read, now, delivered) for user, read, delivered in marks]


@contextmanager
def mended(cluster: Cluster) -> Generator[None]:
    """Whatever happens in the block, the cluster is whole after it."""
    try:
        yield
    finally:
        cluster.mend()
