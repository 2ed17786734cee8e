"""Measures how cost grows: rooms, idle connections, busy conversations. Whoever calls runs on the others' core."""

import os
import resource
import tempfile
import threading
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import active_children
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from attrs import frozen

from ops.bench import commits
from ops.bench.broadcast.meter import Meter
from ops.bench.client import cpu_seconds, masked_text_frame
from ops.bench.connections import CONCURRENT, GROUP, make_groups, resident_bytes, session_plans
from ops.bench.crowd import Crowd
from ops.bench.growth_report import Commits, FanOut, Memory
from ops.bench.peers.bystanders import Bystanders
from ops.bench.peers.compare import CASES, PUBLISHERS, Case
from ops.bench.peers.processes import Cores, pin
from ops.bench.peers.report import DATABASE, SERVER, side_of
from ops.bench.peers.stackmentor import database_pids
from ops.bench.room import meter_of_room
from ops.bench.target import Target, started_target

OTHER_FILES: Final = 1_000
"""Of the limit of open files, left for what is not a connection."""
_CASES: Final = CASES[:4]
_LEAST_MESSAGES: Final = 20
"""In an open loop: fewer have no p99."""
_KEPT_UP: Final = 0.95
_IN_FLIGHT: Final = 64
_CLIENT: Final = "client"
_HEARTBEAT: Final = masked_text_frame(b"\n")
_SAMPLE_SECONDS: Final = 0.05


class Usage:
    """While its block lasts, samples the CPU time of groups of processes; `last` is asked right after a measurement."""

    def __init__(self, groups: Mapping[str, Sequence[int]]) -> None:
        self._groups = groups
        self._samples: list[tuple[float, Mapping[str, float]]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="usage")

    def __enter__(self) -> Self:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def last(self, seconds: float) -> dict[str, float]:
        """The share of a core that each group used over the last seconds."""
        ended, used = self._sample()
        earlier = [sample for sample in self._samples if sample[0] <= ended - seconds]
        began, before = earlier[-1] if earlier else self._samples[0]
        return {name: (used[name] - before[name]) / (ended - began) for name in used}

    def _run(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> tuple[float, Mapping[str, float]]:
        sample = time.monotonic(), {name: _used(pids) for name, pids in self._groups.items()}
        self._samples.append(sample)
        return sample


def _used(pids: Iterable[int]) -> float:
    used = 0.0
    for pid in pids:
        with suppress(FileNotFoundError):
            used += cpu_seconds(pid)
    return used


@frozen
class _Bench:
    target: Target
    cores: Cores

    def usage(self) -> Usage:
        return Usage({SERVER: [self.target.pid], DATABASE: database_pids(self.target), _CLIENT: [os.getpid()]})

    def bystanders(self, clients: Iterable[int] = ()) -> Bystanders:
        """Who is neither the server, its database, this process nor one of `clients`."""
        ours = [self.target.pid, *database_pids(self.target), os.getpid(), *clients]
        return Bystanders((*self.cores.server, *self.cores.others), ours)


@contextmanager
def _started() -> Generator[_Bench]:
    cores = Cores.of_this_machine()
    with started_target() as target:
        pin([target.pid], cores.server)
        pin(database_pids(target), cores.others)
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores.others)
        try:
            yield _Bench(target, cores)
        finally:
            os.sched_setaffinity(0, before)


def fan_out(program: Path, sizes: Sequence[int], seconds: float) -> Generator[FanOut]:
    """Each case in one room of each size, on one server."""
    with _started() as bench, tempfile.TemporaryDirectory(prefix="stackmentor-growth-") as directory:
        users = bench.target.users(PUBLISHERS + max(sizes))
        for size in sizes:
            members = users[: PUBLISHERS + size]
            with meter_of_room(program, bench.target, members, Path(directory), publishers=PUBLISHERS) as meter:
                yield from _cases(bench, meter, size, seconds)


def _cases(bench: _Bench, meter: Meter, size: int, seconds: float) -> Generator[FanOut]:
    sustained = 0.0
    for case in _CASES:
        row = _case(bench, meter, case, size, seconds, sustained)
        if row.side is not None:
            sustained = max(sustained, row.side.deliveries_per_second)
        yield row


def _case(bench: _Bench, meter: Meter, case: Case, size: int, seconds: float, sustained: float) -> FanOut:
    wanted = case.deliveries_per_second
    if wanted > sustained:
        return FanOut(subscribers=size, case=case.name, skipped=case.obstacle(size, sustained))
    enough = _LEAST_MESSAGES * size / wanted if wanted else 0.0
    with bench.bystanders([meter.pid]) as bystanders, bench.usage() as usage:
        found = meter.measure(case.plan(size, max(seconds, enough), sustained))
        busy = usage.last(found.seconds)
    if found.deliveries_per_second < _KEPT_UP * wanted:
        return FanOut(subscribers=size, case=case.name, skipped=case.obstacle(size, found.deliveries_per_second))
    return FanOut(
        subscribers=size,
        case=case.name,
        side=side_of([found]),
        database_busy=busy[DATABASE],
        bystanders=bystanders.share,
    )


def memory(sizes: Sequence[int], hold: float) -> Generator[Memory]:
    """Idle connections, each with a user and a subscription of its own, added to one fresh server size by size.

    Each size is held for `hold` seconds; one period of heart-beats (10 s) shows what they cost.
    """
    with _started() as bench:
        target, address = bench.target, urlsplit(bench.target.url)
        users = target.users(max(sizes))
        plans = session_plans(users, make_groups(target, users, GROUP))
        crowd = Crowd(bench.cores.others)
        empty, had = resident_bytes(target.pid), 0
        clients = [child.pid for child in active_children() if child.pid]
        for size in sorted(sizes):
            with bench.bystanders(clients) as bystanders:
                cpu = cpu_seconds(target.pid)
                opened = crowd.open((address.hostname or "", address.port or 80), plans[had:size], CONCURRENT)
                connected = cpu_seconds(target.pid)
                crowd.write(_HEARTBEAT)
                time.sleep(hold)
            resident = resident_bytes(target.pid)
            yield Memory(
                connections=size,
                resident=resident,
                each=(resident - empty) / size,
                per_second=(size - had) / opened.seconds,
                cpu_micros=(connected - cpu) / (size - had) * 1e6,
                client_busy=opened.cpu_seconds / opened.seconds,
                idle_busy=(cpu_seconds(target.pid) - connected) / hold,
                bystanders=bystanders.share,
            )
            crowd.write(_HEARTBEAT)
            had = size
        crowd.close()


def connection_sizes(wanted: Iterable[int], open_files: int) -> list[int]:
    """Those that the limit of open files allows, and in place of the others the largest that it allows."""
    most = open_files - OTHER_FILES
    return sorted({min(size, most) for size in wanted})


def raise_open_files() -> int:
    """Raises the soft limit of open files to the hard one, for all that is started from here on; returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def busy_conversations(sizes: Sequence[int]) -> Generator[Commits]:
    """One sender in each of so many conversations; all together have 64 messages in flight, or one each."""
    with _started() as bench:
        for size in sizes:
            in_flight = max(1, _IN_FLIGHT // size)
            with bench.bystanders() as bystanders, bench.usage() as usage:
                found = commits.run(bench.target, size, in_flight)
                # The scene is set before these seconds; closing the sockets after them takes no time to speak of.
                busy = usage.last(commits.SECONDS)
            yield Commits(
                conversations=size,
                in_flight=in_flight,
                per_second=found.per_second,
                server_cpu=busy[SERVER] / found.per_second * 1e6,
                server_busy=busy[SERVER],
                database_busy=busy[DATABASE],
                client_busy=busy[_CLIENT],
                bystanders=bystanders.share,
            )
