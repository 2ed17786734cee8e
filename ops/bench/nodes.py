"""Delivery to subscribers on another node beside that to those on the sender's, in one run.

Two nodes on one PostgreSQL and one Valkey; the subscribers of one conversation are half on the one and half on the
other, and the sender is now here and now there. Messages are due at a rate, and latencies count from then.
"""

import argparse
import os
import platform
import re
import select
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from attrs import frozen

from ops.bench.client import Rest, StompSocket, cpu_seconds
from ops.bench.kept import write_kept
from ops.bench.latency import Latency
from ops.bench.target import SETTINGS, Target
from tests.kit.devnodes import DevNodes
from tests.kit.postgres import remove_scratch, scratch_directory

WARM_UP: Final = 1.0
PATIENCE: Final = 10.0
"""Seconds for the last deliveries of a round."""
_TEXT: Final = re.compile(rb'"text":"m(\d+)x*"')
_LONGEST: Final = 4096
"""Bytes of a frame at most: what is kept of a read for the next."""


@frozen(kw_only=True)
class Side:
    """Of one node's subscribers and its process. CPU is microseconds a message that was sent."""

    delivery: Latency
    cpu: float


@frozen(kw_only=True)
class Crossing:
    """`valkey_cpu` is microseconds a message, too."""

    date: str
    machine: str
    subscribers: int
    rate: float
    messages: int
    same: Side
    other: Side
    valkey_cpu: float


@frozen
class Nodes:
    targets: Sequence[Target]
    valkey: int
    """Its process."""


@contextmanager
def started_nodes(count: int = 2) -> Generator[Nodes]:
    directory = scratch_directory()
    try:
        with DevNodes(directory, count, env={**SETTINGS, "STACKMENTOR_LOG_LEVEL": "info"}) as running:
            pids = [running.node_pid(number) for number in range(1, count + 1)]
            targets = [Target(url, pid, directory, "") for url, pid in zip(running.urls, pids, strict=True)]
            valkey = running.redis.pid
            assert valkey is not None
            yield Nodes(targets, valkey)
    finally:
        remove_scratch(directory)


def run(nodes: Nodes, *, subscribers: int, rate: float, seconds: float, rounds: int) -> Crossing:
    """`subscribers` on each of two nodes. Raises `TimeoutError` when a delivery is missing."""
    first, second = nodes.targets
    alice, *others = first.users(1 + 2 * subscribers)
    room = Rest(first.url, alice.token).make_group("crossing", [user.user_id for user in others])
    with ExitStack() as stack:
        senders = [stack.enter_context(closing(StompSocket(each.url, alice.token))) for each in nodes.targets]
        listeners: list[tuple[StompSocket, int]] = []
        for number, user in enumerate(others):
            listener = stack.enter_context(closing(StompSocket(nodes.targets[number % 2].url, user.token)))
            listener.subscribe(room)
            listeners.append((listener, number % 2))
        pids = [first.pid, second.pid, nodes.valkey]
        taken: tuple[list[float], list[float]] = ([], [])
        cpu = [0.0, 0.0, 0.0]
        messages = 0
        for number in range(2 * rounds):
            home = number % 2
            meter = _Meter(senders[home], room, listeners, home)
            meter.measure(rate, WARM_UP)
            before = [cpu_seconds(pid) for pid in pids]
            found = meter.measure(rate, seconds)
            used = [cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
            for place, pid in enumerate((home, 1 - home, 2)):
                cpu[place] += used[pid]
            for side, latencies in zip(taken, found, strict=True):
                side += latencies
            messages += len(found[0]) // subscribers
    each = [1e6 * used / messages for used in cpu]
    return Crossing(
        date=datetime.now(UTC).date().isoformat(),
        machine=f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}",
        subscribers=subscribers,
        rate=rate,
        messages=messages,
        same=Side(delivery=Latency.of(taken[0]), cpu=each[0]),
        other=Side(delivery=Latency.of(taken[1]), cpu=each[1]),
        valkey_cpu=each[2],
    )


class _Meter:
    """Sends to `room` and times the deliveries at its listeners; `home` is the sender's node."""

    def __init__(self, sender: StompSocket, room: str, listeners: Sequence[tuple[StompSocket, int]], home: int) -> None:
        self._sender = sender
        self._room = room
        self._home = home
        self._listeners = {listener.sock.fileno(): (listener.sock, node) for listener, node in listeners}
        self._rests = dict.fromkeys(self._listeners, b"")
        self._found: tuple[list[float], list[float]] = ([], [])

    def measure(self, rate: float, seconds: float) -> tuple[list[float], list[float]]:
        """Seconds from when each message was due, at the sender's node and at the other."""
        self._found = ([], [])
        count = max(1, round(rate * seconds))
        start = time.perf_counter_ns()
        with select.epoll() as epoll:
            for fd in self._listeners:
                epoll.register(fd, select.EPOLLIN)
            for number in range(count):
                due = start + round(number * 1e9 / rate)
                while (left := due - time.perf_counter_ns()) > 0:
                    self._read(epoll, left / 1e9)
                text = f"m{due}" + "x" * 80
                self._sender.sock.sendall(self._sender.message_frame(self._room, text))
            deadline = time.monotonic() + PATIENCE
            while len(self._found[0]) + len(self._found[1]) < count * len(self._listeners):
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"{len(self._found[0])} and {len(self._found[1])} deliveries of {count} messages"
                    )
                self._read(epoll, 0.1)
        return self._found

    def _read(self, epoll: select.epoll, timeout: float) -> None:
        # epoll(7) waits for milliseconds; the rest of a shorter time is spun.
        for fd, _ in epoll.poll(max(0.0, timeout - 0.001)):
            sock, node = self._listeners[fd]
            data = self._rests[fd] + sock.recv(65_536)
            now = time.perf_counter_ns()
            end = 0
            for match in _TEXT.finditer(data):
                self._found[node != self._home].append((now - int(match[1])) / 1e9)
                end = match.end()
            self._rests[fd] = data[end:][-_LONGEST:]


def markdown(crossing: Crossing) -> str:
    """One table."""
    rows = (("the sender's", crossing.same), ("the other", crossing.other))
    lines = [
        f"{crossing.date}, {crossing.machine}; {crossing.messages:,} messages at {crossing.rate:g} a second, "
        f"{crossing.subscribers} subscribers on each of two nodes; nodes, Valkey, database and meter share the cores.",
        "",
        "| subscribers on node | delivery p50 | delivery p99 | CPU of that node a message |",
        "|---|--:|--:|--:|",
        *(
            f"| {name} | {side.delivery.p50:.2f} ms | {side.delivery.p99:.2f} ms | {side.cpu:.0f} µs |"
            for name, side in rows
        ),
        "",
        f"Valkey takes {crossing.valkey_cpu:.0f} µs of CPU a message.",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ops.bench.nodes", description=__doc__)
    today = datetime.now(UTC).date().isoformat()
    parser.add_argument("--subscribers", type=int, default=10, help="on each node (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=50.0, help="messages a second (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="with the sender on each node (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / f"nodes-{today}.json")
    given = parser.parse_args(arguments)
    with started_nodes() as nodes:
        crossing = run(
            nodes, subscribers=given.subscribers, rate=given.rate, seconds=given.seconds, rounds=given.rounds
        )
    write_kept(crossing, given.out)
    sys.stdout.write(markdown(crossing))
    return 0


if __name__ == "__main__":
    sys.exit(main())
