"""`make bench`: every figure that the server is held to, each beside its yardstick in the same run."""

import argparse
import resource
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from ops.bench import commits, connections, latency, steps
from ops.bench.broadcast.build import build
from ops.bench.goals import Goal, Goals, figure, markdown, ratio
from ops.bench.kept import write_kept
from ops.bench.peers import broadcaster, node_ws, python_peers, rabbitmq, stackmentor
from ops.bench.peers.compare import CASES, Comparison
from ops.bench.peers.peer import Peer
from ops.bench.peers.processes import Cores, pin
from ops.bench.peers.report import Row, Side, machine
from ops.bench.pgbench import pgbench_inserts
from ops.bench.target import Target, started_target

ONE, EIGHT, MANY, _, AT_50_000 = CASES
_APART: Final = "server 0, meter and database 1"
_SHARED: Final = "server, meter and database share both"
_RESULTS: Final = Path(__file__).parent / "results"


def fan_out(meter: Path, cores: Cores, rounds: int) -> Generator[Goal]:
    """Beside the bare C broadcaster."""
    comparison = Comparison(meter, stackmentor.PEER, cores, rounds, seconds=2.0)
    for subscribers, bound in ((100, 1.6), (1_000, 1.3), (5_000, 1.25)):
        (row,) = comparison.rows([broadcaster.PEER], subscribers, [ONE])
        name = f"server CPU a delivery, {subscribers:,} subscribers, one message at a time"
        yield _beside(name, row, "µs", lambda side: side.server_cpu, at_most=bound)
    for case, bound in ((EIGHT, 0.85), (MANY, 1.5)):
        (row,) = comparison.rows([broadcaster.PEER], 1_000, [case])
        name = f"deliveries/s, 1,000 subscribers, {case.name}"
        yield _beside(name, row, "/s", lambda side: side.deliveries_per_second, at_least=bound)
    (row,) = comparison.rows([broadcaster.PEER], 1_000, [AT_50_000])
    name = f"delivery p99, 1,000 subscribers, open loop, {AT_50_000.name}"
    yield _beside(name, row, "ms", lambda side: side.delivery.p99, at_most=1.5)


def peers(meter: Path, cores: Cores, rounds: int) -> Generator[Goal]:
    """Beside servers that store nothing."""
    comparison = Comparison(meter, stackmentor.PEER, cores, rounds, seconds=2.0)
    rates: Mapping[str, tuple[Peer, float]] = {
        "RabbitMQ web-stomp": (rabbitmq.PEER, 4.0),
        "websockets.broadcast()": (python_peers.WEBSOCKETS, 1.3),
        "Node ws": (node_ws.PEER, 1.2),
    }
    for name, (peer, bound) in rates.items():
        (row,) = comparison.rows([peer], 1_000, [EIGHT])
        about = f"against {name}, 1,000 subscribers, {EIGHT.name}"
        yield _beside(f"deliveries/s {about}", row, "/s", lambda side: side.deliveries_per_second, at_least=bound)
        if peer is rabbitmq.PEER:
            yield _beside(f"fan-out p99 {about}", row, "ms", lambda side: side.completion.p99, at_most=0.3)


def _beside(
    name: str,
    row: Row,
    unit: str,
    of: Callable[[Side], float],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Goal:
    if row.ours is None or row.theirs is None:
        return Goal(name=name, value=None, at_least=at_least, at_most=at_most, cores=_APART, note=row.skipped)
    ours, theirs = of(row.ours), of(row.theirs)
    return ratio(name, ours, theirs, yardstick=row.peer, unit=unit, cores=_APART, at_least=at_least, at_most=at_most)


def longest_step(meter: Path) -> Generator[Goal]:
    seen = steps.run(meter)
    name = f"longest step of the event loop, fan-out to 5,000 ({seen.count:,} steps)"
    yield figure(name, seen.longest_ms, unit="ms of CPU", cores=_SHARED, at_most=5)


def sending(rounds: int) -> Generator[Goal]:
    with started_target() as target:
        seen = latency.run(target)
        yield ratio(
            "send to receipt p50, one connection",
            seen.receipt.p50,
            seen.same_table.p50,
            yardstick=f"asyncpg INSERT into messages (into a plain table: {seen.plain_table.p50:.2f} ms)",
            unit="ms",
            cores=_SHARED,
            at_most=2,
        )
        for in_flight in (1, 16):
            yield _commits(target, in_flight, rounds)


def _commits(target: Target, in_flight: int, rounds: int) -> Goal:
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        ours.append(commits.run(target, in_flight=in_flight).per_second)
        theirs.append(pgbench_inserts(target.database_url, seconds=3))
    return ratio(
        f"messages committed a second, 64 senders in 64 conversations, {in_flight} in flight each",
        median(ours),
        median(theirs),
        yardstick="pgbench, 64 clients",
        unit="/s",
        cores=_SHARED,
        at_least=0.6,
    )


def idle_connections() -> Generator[Goal]:
    with started_target() as target:
        pin([target.pid], Cores.of_this_machine().server)
        cost = connections.subscribed(target)
        yield figure(
            f"memory of an idle, authenticated, subscribed connection ({cost.connections:,} of them)",
            cost.resident_bytes / 1024,
            unit="KiB",
            cores=_APART,
            at_most=24,
        )
        yield figure(
            f"connect, authenticate and subscribe ({cost.per_cpu_second:,.0f} a second of the server's CPU)",
            cost.per_second,
            unit="/s",
            cores=_APART,
            at_least=2_000,
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ops.bench", description=__doc__)
    today = datetime.now(UTC).date().isoformat()
    parser.add_argument("--without-peers", action="store_true", help="leave out those that setup.sh brings")
    parser.add_argument("--only", default="", help="groups, separated by commas")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=_RESULTS / f"bench-{today}.json")
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cores = Cores.of_this_machine()
    rows: list[Goal] = []
    with tempfile.TemporaryDirectory(prefix="stackmentor-bench-") as directory:
        meter = build(Path(directory)).meter
        groups: dict[str, Callable[[], Generator[Goal]]] = {
            "fan-out": partial(fan_out, meter, cores, given.rounds),
            "peers": partial(peers, meter, cores, given.rounds),
            "steps": partial(longest_step, meter),
            "sending": partial(sending, max(2, given.rounds // 2)),
            "connections": idle_connections,
        }
        if given.without_peers:
            del groups["peers"]
        names: Sequence[str] = given.only.split(",") if given.only else list(groups)
        if unknown := set(names) - groups.keys():
            print(f"no such group: {', '.join(sorted(unknown))}; there are {', '.join(groups)}", file=sys.stderr)
            return 2
        for name in names:
            for goal in groups[name]():
                rows.append(goal)
                print(f"{goal.name}: {goal.value}", file=sys.stderr, flush=True)
    goals = Goals(
        date=today,
        machine=machine(),
        version=stackmentor.PEER.version(),
        rows=rows,
    )
    write_kept(goals, given.out)
    print(markdown(goals), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
