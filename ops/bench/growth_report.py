"""How cost grows, as it was measured: kept as JSON, shown as curves and as one Markdown table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
from attrs import frozen

from ops.bench.peers.compare import CASES
from ops.bench.peers.report import DISTURBED, Side
from ops.bench.plot import plot_growth

ONE_BY_ONE, PIPELINED, MANY_PUBLISHERS, OPEN_LOOP = (case.name for case in CASES[:4])
SATURATED: Final = 0.7
"""Share of a core from which on it is what limits: in a closed loop the rest is spent on waiting for each other."""
_MIB: Final = 2**20


@frozen(kw_only=True)
class FanOut:
    """One case in a room; `side` is None where `skipped` says why. `database_busy` is a share of a core, `bystanders`
    what others used of all cores meanwhile.
    """

    subscribers: int
    case: str
    side: Side | None = None
    database_busy: float = 0.0
    bystanders: float = 0.0
    skipped: str = ""

    @property
    def key(self) -> tuple[int, str]:
        return self.subscribers, self.case


@frozen(kw_only=True)
class Memory:
    """Bytes of the server with so many idle connections: in all, and what each added to the server without any.

    `per_second`, `cpu_micros` (of the server, each) and `client_busy` are those of the connections that came in last;
    `idle_busy` is the share of a core that heart-beats take, `bystanders` what others used of all cores meanwhile.
    """

    connections: int
    resident: int
    each: float
    per_second: float
    cpu_micros: float
    client_busy: float
    idle_busy: float
    bystanders: float = 0.0

    @property
    def key(self) -> int:
        return self.connections


@frozen(kw_only=True)
class Commits:
    """One sender in each of `conversations`, with `in_flight` messages each; busy are shares of a core, `bystanders` is
    what others used of all cores meanwhile.
    """

    conversations: int
    in_flight: int
    per_second: float
    server_cpu: float
    """Microseconds a message."""
    server_busy: float
    database_busy: float
    client_busy: float
    bystanders: float = 0.0

    @property
    def key(self) -> int:
        return self.conversations


@frozen(kw_only=True)
class Growth:
    """`cores` says on which each of server, database and meter ran."""

    date: str
    machine: str
    version: str
    cores: Mapping[str, tuple[int, ...]]
    fan_out: Sequence[FanOut] = ()
    memory: Sequence[Memory] = ()
    commits: Sequence[Commits] = ()

    def comparable(self, other: "Growth") -> bool:
        """Both were measured on the same machine, in the same way, of the same version of this server."""
        return (self.machine, self.version, self.cores) == (other.machine, other.version, other.cores)

    def with_rows(
        self, fan_out: Sequence[FanOut] = (), memory: Sequence[Memory] = (), commits: Sequence[Commits] = ()
    ) -> "Growth":
        """New rows take the place of older ones of the same size and case."""
        order = [case.name for case in CASES]
        rooms = {row.key: row for row in (*self.fan_out, *fan_out)}.values()
        return attrs.evolve(
            self,
            fan_out=sorted(rooms, key=lambda row: (order.index(row.case), row.subscribers)),
            memory=sorted({row.key: row for row in (*self.memory, *memory)}.values(), key=lambda row: row.key),
            commits=sorted({row.key: row for row in (*self.commits, *commits)}.values(), key=lambda row: row.key),
        )

    def sides(self, case: str) -> list[tuple[int, Side]]:
        """Those that were measured, by the number of subscribers."""
        return [(row.subscribers, row.side) for row in self.fan_out if row.case == case and row.side]


def draw(growth: Growth, directory: Path) -> None:
    """Writes growth-fanout.svg, growth-latency.svg, growth-memory.svg and growth-commits.svg."""
    opened = growth.sides(OPEN_LOOP)
    plot_growth(
        {
            case: [(size, side.deliveries_per_second) for size, side in growth.sides(case)]
            for case in (PIPELINED, MANY_PUBLISHERS)
        },
        title="Deliveries a second in one room",
        x_label="subscribers",
        y_label="deliveries/s",
        log_x=True,
        log_y=True,
        path=directory / "growth-fanout.svg",
    )
    plot_growth(
        {
            "one subscriber has it": [(size, side.delivery.p99) for size, side in opened],
            "the last subscriber has it": [(size, side.completion.p99) for size, side in opened],
        },
        title=f"p99 from the intended send at {OPEN_LOOP}",
        x_label="subscribers",
        y_label="milliseconds",
        log_x=True,
        log_y=True,
        path=directory / "growth-latency.svg",
    )
    plot_growth(
        {"resident memory of the server": [(row.connections, row.resident / _MIB) for row in growth.memory]},
        title="Memory with idle, subscribed connections",
        x_label="connections",
        y_label="MiB",
        log_x=False,
        log_y=False,
        path=directory / "growth-memory.svg",
    )
    plot_growth(
        {"committed": [(row.conversations, row.per_second) for row in growth.commits]},
        title="Messages committed a second",
        x_label="busy conversations",
        y_label="messages/s",
        log_x=True,
        log_y=False,
        path=directory / "growth-commits.svg",
    )


def markdown(growth: Growth) -> str:
    """One table of all curves; the last column names the first bottleneck by who was busy."""
    cores = "; ".join(f"{name} on core {', '.join(map(str, numbers))}" for name, numbers in growth.cores.items())
    lines = [
        f"{growth.date}, {growth.machine}; stackmentor {growth.version}; {cores}. "
        "“Busy” is the share of a core. p99 is of one delivery / until the last subscriber has it.",
        "",
        "| what | at | rate | CPU each | p99, ms | memory | server busy | PostgreSQL busy | meter busy | limit |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|",
        *map(_fan_out_line, growth.fan_out),
        *map(_connect_line, growth.memory),
        *map(_idle_line, growth.memory),
        *map(_commits_line, growth.commits),
    ]
    return "\n".join(lines) + "\n"


def limit(
    server: float, database: float, meter: float, bystanders: float = 0.0, *, otherwise: str = "wait for commits"
) -> str:
    """What a closed loop was limited by; PostgreSQL and the meter share a core."""
    if server >= SATURATED:
        return "server's core"
    if database + meter >= SATURATED:
        return "PostgreSQL's core" if database > meter else "meter's core"
    return otherwise if bystanders <= DISTURBED else "others on the machine"


def _fan_out_line(row: FanOut) -> str:
    size = f"{row.subscribers:,} subscribers"
    if row.side is None:
        return _line(row.case, size, row.skipped, "", "", "", "", "", "", "")
    side = row.side
    return _line(
        row.case,
        size,
        f"{side.deliveries_per_second:,.0f} deliveries/s" + _disturbed(row.bystanders),
        f"{side.server_cpu:.1f} µs",
        f"{side.delivery.p99:.1f} / {side.completion.p99:.1f}",
        "",
        f"{side.server_busy:.0%}",
        f"{row.database_busy:.0%}",
        f"{side.meter_busy:.0%}",
        "" if row.case == OPEN_LOOP else limit(side.server_busy, row.database_busy, side.meter_busy, row.bystanders),
    )


def _connect_line(row: Memory) -> str:
    size, busy = f"{row.connections:,} connections", row.cpu_micros * row.per_second / 1e6
    return _line(
        "connect, sign in, subscribe",
        size,
        f"{row.per_second:,.0f} connections/s" + _disturbed(row.bystanders),
        f"{row.cpu_micros:,.0f} µs",
        "",
        "",
        f"{busy:.0%}",
        "",
        f"{row.client_busy:.0%}",
        limit(busy, 0.0, row.client_busy, row.bystanders, otherwise="round trips"),
    )


def _idle_line(row: Memory) -> str:
    memory = f"{row.resident / _MIB:,.0f} MiB, {row.each / 1024:.1f} KiB each"
    return _line("idle", f"{row.connections:,} connections", "", "", "", memory, f"{row.idle_busy:.1%}", "", "", "")


def _commits_line(row: Commits) -> str:
    return _line(
        f"1 sender each, {row.in_flight} in flight each",
        f"{row.conversations:,} conversations",
        f"{row.per_second:,.0f} messages/s" + _disturbed(row.bystanders),
        f"{row.server_cpu:.0f} µs",
        "",
        "",
        f"{row.server_busy:.0%}",
        f"{row.database_busy:.0%}",
        f"{row.client_busy:.0%}",
        limit(row.server_busy, row.database_busy, row.client_busy, row.bystanders),
    )


def _disturbed(bystanders: float) -> str:
    return f", others used {bystanders:.0%} of the cores" if bystanders > DISTURBED else ""


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
