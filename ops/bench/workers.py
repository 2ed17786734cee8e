"""Fan-out by two workers of `serve --workers 2` beside that by one, the same subscribers, in one run.

Both run on one PostgreSQL, each with a database and a Valkey of its own, and are measured in turn, in a closed loop.
Who takes which share of the cores is told, since on few cores two workers do not have twice as much to themselves.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from attrs import frozen

from ops.bench.broadcast.build import build
from ops.bench.broadcast.meter import Measurement, Meter, Plan
from ops.bench.client import cpu_seconds
from ops.bench.kept import write_kept
from ops.bench.room import meter_of_room
from ops.bench.target import SETTINGS, BenchUser, Target
from tests.kit.command import COMMAND, stackmentor
from tests.kit.devserver import DevServer
from tests.kit.postgres import PostgresServer, own_postgres_server, remove_scratch, scratch_directory
from tests.kit.redis import own_redis_server

WARM_UP: Final = 50
"""Messages of each round that do not count."""


@frozen(kw_only=True)
class Cores:
    """How many cores each used during the rounds."""

    workers: float
    database: float
    valkey: float
    meter: float


@frozen(kw_only=True)
class Side:
    """Medians of the rounds. `cpu` is microseconds of all workers' CPU a delivery, `connections` is of each worker."""

    workers: int
    connections: Sequence[int]
    deliveries_per_second: float
    rounds: Sequence[float]
    cpu: float
    cores: Cores


@frozen(kw_only=True)
class Workers:
    """The same load on one worker and on two."""

    date: str
    machine: str
    subscribers: int
    publishers: int
    in_flight: int
    seconds: float
    one: Side
    two: Side

    @property
    def ratio(self) -> float:
        """Deliveries a second of two workers as a multiple of those of one."""
        return self.two.deliveries_per_second / self.one.deliveries_per_second


class _Running:
    """One `serve`, its room, and what was measured of it."""

    def __init__(self, target: Target, pids: Sequence[int], meter: Meter, others: Mapping[str, int]) -> None:
        self.target = target
        self._pids = pids
        self._meter = meter
        self._others = others
        self._found: list[tuple[Measurement, Cores]] = []

    def measure(self, plan: Plan) -> None:
        """One round. Raises `ConnectionError` when a delivery was lost, doubled or out of order."""
        self._meter.measure(Plan(publishers=plan.publishers, in_flight=plan.in_flight, messages=WARM_UP))
        before = {name: _cpu_with_children(pid) for name, pid in self._others.items()}
        found = self._meter.measure(plan)
        if found.faults:
            raise ConnectionError(f"{found.lost} lost, {found.doubled} doubled, {found.out_of_order} out of order")
        used = {name: _cpu_with_children(pid) - before[name] for name, pid in self._others.items()}
        cores = Cores(
            workers=found.cpu["server"] / found.seconds,
            database=used["database"] / found.seconds,
            valkey=used["valkey"] / found.seconds,
            meter=found.meter_cpu / found.seconds,
        )
        self._found.append((found, cores))

    def side(self, connections: Sequence[int]) -> Side:
        rates = [found.deliveries_per_second for found, _ in self._found]
        return Side(
            workers=len(self._pids),
            connections=connections,
            deliveries_per_second=median(rates),
            rounds=rates,
            cpu=median(found.cpu["server"] / found.deliveries * 1e6 for found, _ in self._found),
            cores=Cores(
                workers=median(cores.workers for _, cores in self._found),
                database=median(cores.database for _, cores in self._found),
                valkey=median(cores.valkey for _, cores in self._found),
                meter=median(cores.meter for _, cores in self._found),
            ),
        )

    def connections(self) -> list[int]:
        """Sockets of each worker, its few others included."""
        return [_sockets(pid) for pid in self._pids]


@contextmanager
def _running(
    database: PostgresServer, count: int, program: Path, *, subscribers: int, publishers: int
) -> Generator[_Running]:
    directory = scratch_directory()
    try:
        with ExitStack() as stack:
            valkey = stack.enter_context(own_redis_server())
            url = database.fresh_database()
            env = {
                **SETTINGS,
                "STACKMENTOR_DATABASE_URL": url,
                "STACKMENTOR_REDIS_URL": valkey.url,
                "STACKMENTOR_HOST": "127.0.0.1",
            }
            command = (*COMMAND, "serve", "--workers", str(count))
            server = stack.enter_context(DevServer(directory, env=env, command=command))
            pids = _worker_pids(server.pid) or [server.pid]
            target = Target(server.url, pids[0], directory, url)
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stackmentor-room-")))
            meter = stack.enter_context(
                meter_of_room(
                    program, target, _users(url, publishers + subscribers), scratch, publishers=publishers, pids=pids
                )
            )
            yield _Running(target, pids, meter, {"database": database.pid, "valkey": valkey.pid})
    finally:
        remove_scratch(directory)


def run(*, subscribers: int, publishers: int, in_flight: int, seconds: float, rounds: int) -> Workers:
    """Raises `ConnectionError` when a delivery was lost, doubled or out of order."""
    plan = Plan(publishers=publishers, in_flight=in_flight, seconds=seconds)
    with ExitStack() as stack:
        programs = build(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stackmentor-meter-"))))
        database = stack.enter_context(own_postgres_server())
        one, two = (
            stack.enter_context(
                _running(database, count, programs.meter, subscribers=subscribers, publishers=publishers)
            )
            for count in (1, 2)
        )
        spread = one.connections(), two.connections()
        for _ in range(rounds):
            for each in (one, two):
                each.measure(plan)
        return Workers(
            date=datetime.now(UTC).date().isoformat(),
            machine=f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, "
            f"Python {platform.python_version()}",
            subscribers=subscribers,
            publishers=publishers,
            in_flight=in_flight,
            seconds=seconds,
            one=one.side(spread[0]),
            two=two.side(spread[1]),
        )


def markdown(found: Workers) -> str:
    """One table."""
    lines = [
        f"{found.date}, {found.machine}; {found.subscribers:,} subscribers, {found.publishers} publishers with "
        f"{found.in_flight} in flight each, medians of {len(found.one.rounds)} rounds of {found.seconds:g} s.",
        "",
        "| workers | deliveries/s | workers' CPU a delivery | cores: workers | database | Valkey | meter |",
        "|--:|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {side.workers} | {side.deliveries_per_second:,.0f} | {side.cpu:.2f} µs | {side.cores.workers:.2f} | "
            f"{side.cores.database:.2f} | {side.cores.valkey:.2f} | {side.cores.meter:.2f} |"
            for side in (found.one, found.two)
        ),
        "",
        f"Two workers deliver {found.ratio:.2f} times what one does.",
    ]
    return "\n".join(lines) + "\n"


def _users(database_url: str, count: int) -> list[BenchUser]:
    done = stackmentor("token", "--users", str(count), "--json", database_url=database_url)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [BenchUser(row["userId"], row["token"]) for row in rows]


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _worker_pids(parent: int) -> list[int]:
    return [pid for pid in _children(parent) if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]


def _cpu_with_children(pid: int) -> float:
    return cpu_seconds(pid) + sum(cpu_seconds(child) for child in _children(pid))


def _sockets(pid: int) -> int:
    return sum(os.readlink(each).startswith("socket:") for each in Path(f"/proc/{pid}/fd").iterdir())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ops.bench.workers", description=__doc__)
    today = datetime.now(UTC).date().isoformat()
    parser.add_argument("--subscribers", type=int, default=1000, help="of one conversation (default: %(default)s)")
    parser.add_argument("--publishers", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--in-flight", type=int, default=1, help="messages of each publisher (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=4, help="of each side, in turn (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / f"workers-{today}.json")
    given = parser.parse_args(arguments)
    found = run(
        subscribers=given.subscribers,
        publishers=given.publishers,
        in_flight=given.in_flight,
        seconds=given.seconds,
        rounds=given.rounds,
    )
    write_kept(found, given.out)
    sys.stdout.write(markdown(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
