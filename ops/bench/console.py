"""What the console costs: to a server that fans out while somebody looks, to a switch of tasks, and of one snapshot.

`python -m ops.bench.console` keeps the figures as JSON; `python -m ops.bench.readme` then puts them into the page.
"""

import argparse
import gc
import os
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
import trio.abc
import trio.testing

from actors.conversation.room import Room
from actors.runtime.cell import ActorContext
from actors.runtime.dynamic import DynamicSupervisor
from actors.runtime.spec import RestartIntensity
from chatconsole.api.messages import View
from chatcore.gate import Gate
from chatcore.marks import Marks
from chathttp.collector import settle
from chathttp.management.inspector import Inspector
from chathttp.management.observer import Observer
from chathttp.management.traffic import Names
from chathttp.management.watchdog import Watchdog
from ops.bench.broadcast.build import build
from ops.bench.broadcast.meter import Plan
from ops.bench.console_report import Cost, FanOut, Switch, Whole, markdown
from ops.bench.kept import write_kept
from ops.bench.onlooker import onlooker
from ops.bench.peers.bystanders import Bystanders
from ops.bench.peers.processes import Cores, pin
from ops.bench.peers.report import machine
from ops.bench.peers.stackmentor import database_pids
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
    "follow elsewhere": [{"op": "follow", "id": 1, "conversation": "00000000-0000-0000-0000-000000000001"}],
    "follow": [{"op": "follow", "id": 1}],
}
"""What the one who looks asks for, each second or of each message; by their names in the report."""


def fan_out(rounds: int, seconds: float) -> tuple[list[FanOut], float]:
    """Side by side on one server, round after round; and the share of the cores that others had."""
    cpu: dict[str, list[float]] = {name: [] for name in LOOKS}
    p50: dict[str, list[float]] = {name: [] for name in LOOKS}
    p99: dict[str, list[float]] = {name: [] for name in LOOKS}
    cores = Cores.of_this_machine()
    foreign: list[float] = []
    with tempfile.TemporaryDirectory(prefix="stackmentor-bench-") as directory, started_target() as target:
        pin([target.pid], cores.server)
        with measured_room(target, build(Path(directory)).meter, SUBSCRIBERS) as meter:
            pin([meter.pid], cores.others)
            meter.measure(Plan(seconds=1.0))
            ours = [target.pid, *database_pids(target), meter.pid, os.getpid()]
            for _ in range(rounds):
                for name, requests in LOOKS.items():
                    others = Bystanders((*cores.server, *cores.others), ours)
                    with others, onlooker(target.data_dir, requests):
                        seen = meter.measure(Plan(seconds=seconds))
                    assert seen.delivery is not None
                    cpu[name].append(seen.cpu["server"] / seen.deliveries)
                    p50[name].append(seen.delivery.p50)
                    p99[name].append(seen.delivery.p99)
                    foreign.append(others.share)
    base = statistics.median(cpu["nobody"])
    rows = [
        FanOut(
            name,
            statistics.median(cpu[name]),
            statistics.median(cpu[name]) / base - 1,
            statistics.median(p50[name]),
            statistics.median(p99[name]),
        )
        for name in LOOKS
    ]
    return rows, statistics.median(foreign)


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


INSTALLED: Final[dict[str, Callable[[], Any]]] = {
    "nothing": _nothing,
    "nothing, again": _nothing,
    "watchdog": _watchdog,
    "observer": _observer,
    "clock of steps": _steps,
}
"""The second is how much the rounds differ by themselves."""


async def switches(rounds: int) -> list[Switch]:
    """Two tasks that take turns, in CPU of the loop's thread."""
    spent: dict[str, list[float]] = {name: [] for name in INSTALLED}
    order = list(INSTALLED)
    for _ in range(rounds):
        for name in order:
            with INSTALLED[name]():
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
        with _collector_of_a_server():
            for _ in range(rounds):
                clock = _LongestStep()
                trio.lowlevel.add_instrument(clock)
                took.append((await inspector.look(View(limit=CONVERSATIONS, fan=20))).took)
                await trio.lowlevel.checkpoint()
                trio.lowlevel.remove_instrument(clock)
                steps.append(clock.seconds)
        nursery.cancel_scope.cancel()
    return Whole(CONVERSATIONS, TASKS, statistics.median(took), statistics.median(steps))


class _LongestStep(trio.abc.Instrument):
    """In CPU of the loop's thread, so that others on the machine do not count."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = time.thread_time()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        del task
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        del task
        self.seconds = max(self.seconds, time.thread_time() - self._began)


@contextmanager
def _collector_of_a_server() -> Generator[None]:
    """A snapshot makes thousands of objects: the passes that they cause are a server's."""
    before = gc.get_threshold()
    settle()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


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


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ops.bench.console", description=__doc__)
    today = datetime.now(UTC).date().isoformat()
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each fan-out (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=_RESULTS / f"console-{today}.json")
    given = parser.parse_args(arguments)
    rows, others = fan_out(given.rounds, given.seconds)
    cost = Cost(
        date=today,
        machine=machine(),
        subscribers=SUBSCRIBERS,
        others=others,
        fan_out=rows,
        switches=trio.run(switches, 2 * given.rounds),
        snapshot=trio.run(snapshot, given.rounds),
    )
    write_kept(cost, given.out)
    sys.stdout.write(markdown(cost))
    return 0


if __name__ == "__main__":
    sys.exit(main())
