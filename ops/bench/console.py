"""What the console costs: to a server that fans out while somebody looks, to a switch of tasks, and of one snapshot.

`python -m ops.bench.console` keeps the figures as JSON. Times are in seconds.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, Final, cast
from uuid import uuid4

import trio
import trio.testing
from attrs import frozen

from actors.conversation.room import Room
from actors.runtime.cell import ActorContext
from actors.runtime.dynamic import DynamicSupervisor
from actors.runtime.spec import RestartIntensity
from chatconsole.api.messages import View
from chatcore.gate import Gate
from chatcore.marks import Marks
from chathttp.management.inspector import Inspector
from chathttp.management.observer import Observer, StepClock
from chathttp.management.traffic import Names
from chathttp.management.watchdog import Watchdog
from ops.bench.broadcast.build import build
from ops.bench.broadcast.meter import Plan
from ops.bench.kept import write_kept
from ops.bench.onlooker import onlooker
from ops.bench.peers.processes import Cores, pin
from ops.bench.room import measured_room
from ops.bench.target import started_target
from tests.kit.console import PlantedNode

CONVERSATIONS: Final = 2_000
TASKS: Final = 10_000
SUBSCRIBERS: Final = 1_000
SWITCHES: Final = 100_000
_RESULTS: Final = Path(__file__).parent / "results"
LOOKS: Final[dict[str, list[dict[str, Any]]]] = {
    "nobody": [],
    "overview": [{"op": "watch", "id": 1, "view": {"sections": ["loop", "warnings", "actors", "sockets"]}}],
    "tasks": [{"op": "watch", "id": 1, "view": {"sections": ["loop", "tasks"]}}],
    "follow": [{"op": "follow", "id": 1}],
}
"""What the one who looks asks for: each second, and of every message."""


@frozen
class FanOut:
    """Medians of the rounds: the server's CPU a delivery, and a delivery's time from the send, in milliseconds."""

    looking: str
    cpu: float
    share: float
    p50: float
    p99: float


@frozen
class Switch:
    """CPU of a switch of tasks, least and median of the rounds, and the share of the least beside nothing's."""

    installed: str
    least: float
    median: float
    share: float


@frozen
class Whole:
    """One snapshot of everything; `step` is the longest time that the loop was held."""

    conversations: int
    tasks: int
    took: float
    step: float


@frozen
class Cost:
    date: str
    fan_out: Sequence[FanOut]
    switches: Sequence[Switch]
    snapshot: Whole


def fan_out(rounds: int, seconds: float) -> list[FanOut]:
    """Side by side on one server, round after round."""
    cpu: dict[str, list[float]] = {name: [] for name in LOOKS}
    p50: dict[str, list[float]] = {name: [] for name in LOOKS}
    p99: dict[str, list[float]] = {name: [] for name in LOOKS}
    cores = Cores.of_this_machine()
    with tempfile.TemporaryDirectory(prefix="stackmentor-bench-") as directory, started_target() as target:
        pin([target.pid], cores.server)
        with measured_room(target, build(Path(directory)).meter, SUBSCRIBERS) as meter:
            pin([meter.pid], cores.others)
            meter.measure(Plan(seconds=1.0))
            for _ in range(rounds):
                for name, requests in LOOKS.items():
                    with onlooker(target.data_dir, requests):
                        seen = meter.measure(Plan(seconds=seconds))
                    assert seen.delivery is not None
                    cpu[name].append(seen.cpu["server"] / seen.deliveries)
                    p50[name].append(seen.delivery.p50)
                    p99[name].append(seen.delivery.p99)
    base = statistics.median(cpu["nobody"])
    return [
        FanOut(
            name,
            statistics.median(cpu[name]),
            statistics.median(cpu[name]) / base - 1,
            statistics.median(p50[name]),
            statistics.median(p99[name]),
        )
        for name in LOOKS
    ]


@contextmanager
def _watchdog() -> Generator[None]:
    stop = Watchdog(0.1).start()
    yield
    stop()


@contextmanager
def _observer() -> Generator[None]:
    observer = Observer()
    observer.attach()
    yield
    observer.detach()


@contextmanager
def _steps() -> Generator[None]:
    observer = Observer()
    observer.time_steps()
    yield
    observer.time_no_steps()


@contextmanager
def _nothing() -> Generator[None]:
    yield


_INSTALLED: Final[dict[str, Callable[[], Any]]] = {
    "nothing": _nothing,
    "nothing, again": _nothing,
    "watchdog": _watchdog,
    "observer": _observer,
    "clock of steps": _steps,
}
"""The second is how much the rounds differ by themselves."""


async def switches(rounds: int) -> list[Switch]:
    """Two tasks that take turns, in CPU of the loop's thread."""
    spent: dict[str, list[float]] = {name: [] for name in _INSTALLED}
    order = list(_INSTALLED)
    for _ in range(rounds):
        for name in order:
            with _INSTALLED[name]():
                began = time.thread_time()
                async with trio.open_nursery() as nursery:
                    for _ in range(2):
                        nursery.start_soon(_switch, SWITCHES // 2)
                spent[name].append((time.thread_time() - began) / SWITCHES)
        # Nobody always comes first, or after the same one.
        order = order[1:] + order[:1]
    base = min(spent["nothing"])
    return [Switch(name, min(each), statistics.median(each), min(each) / base - 1) for name, each in spent.items()]


async def _switch(times: int) -> None:
    for _ in range(times):
        await trio.lowlevel.checkpoint()


async def snapshot(rounds: int) -> Whole:
    """Real actors and tasks that wait; the rooms are as empty as can be."""

    async def wait(context: ActorContext[str]) -> None:
        while True:
            await context.mailbox.receive()

    supervisor = DynamicSupervisor[str, str](
        "conversations",
        lambda _: wait,
        capacity=10,
        max_children=CONVERSATIONS,
        intensity=RestartIntensity(5, 30.0),
        rng=Random(1),
        refuse=lambda _message, _error: None,
    )
    rooms = [_room() for _ in range(CONVERSATIONS)]
    node = PlantedNode(dynamic=supervisor.snapshot_in_steps, rooms=rooms, revs={room.id: 5 for room in rooms})
    observer = Observer()
    names = Names(b"bench")
    inspector = Inspector(node.sources(), observer, Watchdog(0.1), url="", read_only=True, repl=False, names=names)
    took: list[float] = []
    steps: list[float] = []
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        for room in rooms:
            supervisor.ref(str(room.id)).tell("wake")
        for _ in range(TASKS - CONVERSATIONS):
            nursery.start_soon(_sleeper)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(rounds):
            clock = StepClock()
            trio.lowlevel.add_instrument(clock)
            took.append((await inspector.look(View(limit=CONVERSATIONS, fan=20))).took)
            await trio.lowlevel.checkpoint()
            trio.lowlevel.remove_instrument(clock)
            steps.append(clock.longest[0].lasted)
        nursery.cancel_scope.cancel()
    return Whole(CONVERSATIONS, TASKS, statistics.median(took), statistics.median(steps))


async def _sleeper() -> None:
    with trio.CancelScope():
        await trio.sleep_forever()


def _room() -> Room:
    room = SimpleNamespace(
        id=uuid4(),
        last_seq=5,
        gate=Gate(5),
        audience=(),
        marks=Marks(()),
        is_large=False,
        typists=SimpleNamespace(now_typing=()),
    )
    return cast("Room", room)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ops.bench.console", description=__doc__)
    today = datetime.now(UTC).date().isoformat()
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each fan-out (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=_RESULTS / f"console-{today}.json")
    given = parser.parse_args()
    cost = Cost(
        today,
        fan_out(given.rounds, given.seconds),
        trio.run(switches, 2 * given.rounds),
        trio.run(snapshot, given.rounds),
    )
    write_kept(cost, given.out)
    print(given.out.read_text(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
