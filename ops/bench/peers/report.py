"""The comparison's result: kept as JSON, shown as Markdown tables."""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import attrs
from attrs import frozen

from ops.bench.broadcast.meter import Measurement, Times

SERVER: Final = "server"
DATABASE: Final = "database"
"""The names by which the meter is told the processes whose CPU time counts."""
METER_LIMIT: Final = 0.95
"""Share of a core above which the meter, too, was a limit."""
DISTURBED: Final = 0.1
"""Share of the cores above which the table tells that others used it."""
REST: Final = "all further cases"
"""The case of a peer that failed."""


@frozen(kw_only=True)
class Side:
    """Medians over the rounds. CPU is microseconds a delivery, times are milliseconds; faults are sums.

    `server_busy` and `meter_busy` are the shares of a core: the one near 1 is what the rate was limited by.
    """

    deliveries_per_second: float
    server_cpu: float
    database_cpu: float
    meter_cpu: float
    server_busy: float
    meter_busy: float
    bytes_per_delivery: float
    delivery: Times
    completion: Times
    receipt: Times | None
    send_lag: Times | None
    faults: int


@frozen(kw_only=True)
class Row:
    """One case, measured in turn with and without the peer. `ratios` are ours to theirs.

    `skipped` says why there are no figures, `bystanders` which share of the cores other processes used meanwhile.
    """

    peer: str
    version: str
    subscribers: int
    case: str
    rounds: int = 0
    round_seconds: float = 0.0
    bystanders: float = 0.0
    ours: Side | None = None
    theirs: Side | None = None
    ratios: Mapping[str, float] = {}
    skipped: str = ""

    @property
    def key(self) -> tuple[str, int, str]:
        return self.peer, self.subscribers, self.case


@frozen(kw_only=True)
class Report:
    """`cores` says on which each of server, database and meter ran."""

    date: str
    machine: str
    version: str
    cores: Mapping[str, tuple[int, ...]]
    rows: Sequence[Row]

    def with_rows(self, rows: Sequence[Row]) -> "Report":
        """New rows take the place of older ones of the same peer, size and case, and of that peer's failure."""
        new = {row.key for row in rows} | {(row.peer, row.subscribers, REST) for row in rows}
        kept = [row for row in self.rows if row.key not in new]
        return attrs.evolve(self, rows=sorted([*kept, *rows], key=lambda row: (row.subscribers, row.case, row.peer)))


def machine() -> str:
    """Processor, cores, memory and system."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def side_of(found: Sequence[Measurement]) -> Side:
    """Raises ValueError when nothing was delivered."""
    receipts = [each.receipt for each in found if each.receipt]
    lags = [each.send_lag for each in found if each.send_lag]

    def cpu(of: Callable[[Measurement], float]) -> float:
        return median(of(each) / each.deliveries * 1e6 for each in found)

    return Side(
        deliveries_per_second=median(each.deliveries_per_second for each in found),
        server_cpu=cpu(lambda each: each.cpu.get(SERVER, 0.0)),
        database_cpu=cpu(lambda each: each.cpu.get(DATABASE, 0.0)),
        meter_cpu=cpu(lambda each: each.meter_cpu),
        server_busy=median(each.cpu.get(SERVER, 0.0) / each.seconds for each in found),
        meter_busy=median(each.meter_cpu / each.seconds for each in found),
        bytes_per_delivery=median(each.bytes_per_delivery for each in found),
        delivery=_median_times([_some(each.delivery) for each in found]),
        completion=_median_times([_some(each.completion) for each in found]),
        receipt=_median_times(receipts) if receipts else None,
        send_lag=_median_times(lags) if lags else None,
        faults=sum(each.faults for each in found),
    )


def _some(times: Times | None) -> Times:
    if times is None:
        raise ValueError("nothing was delivered")
    return times


def _median_times(found: Sequence[Times]) -> Times:
    return Times(
        count=sum(each.count for each in found),
        p50=median(each.p50 for each in found),
        p90=median(each.p90 for each in found),
        p99=median(each.p99 for each in found),
        p999=median(each.p999 for each in found),
        max=max(each.max for each in found),
    )


def ratios_of(ours: Side, theirs: Side) -> dict[str, float]:
    """Ours to theirs; what theirs has none of, or too little of to be measured, is left out."""
    pairs = {
        "deliveries_per_second": (ours.deliveries_per_second, theirs.deliveries_per_second),
        "server_cpu": (ours.server_cpu, theirs.server_cpu),
        "delivery_p50": (ours.delivery.p50, theirs.delivery.p50),
        "delivery_p99": (ours.delivery.p99, theirs.delivery.p99),
        "completion_p99": (ours.completion.p99, theirs.completion.p99),
    }
    return {name: round(mine / other, 3) for name, (mine, other) in pairs.items() if other > 0}


def comparable(report: Report, other: Report) -> bool:
    """Both were measured on the same machine, in the same way, of the same version of this server."""
    return (report.machine, report.version, report.cores) == (other.machine, other.version, other.cores)


def markdown(report: Report) -> str:
    """A table for each number of subscribers and case. A star marks rates at which the meter had no time left."""
    lines = [
        f"{report.date}, {report.machine}; stackmentor {report.version}. Server on core {_cores(report, 'server')}, "
        f"database on {_cores(report, 'database')}, meter on {_cores(report, 'meter')}.",
    ]
    groups: dict[tuple[int, str], list[Row]] = {}
    for row in report.rows:
        groups.setdefault((row.subscribers, row.case), []).append(row)
    for (subscribers, case), rows in groups.items():
        lines += ["", f"### {subscribers:,} subscribers, {case}", "", *_table(rows)]
    return "\n".join(lines) + "\n"


def _cores(report: Report, name: str) -> str:
    return ", ".join(map(str, report.cores.get(name, ())))


def _table(rows: Sequence[Row]) -> list[str]:
    lines = [
        "| peer | deliveries/s, theirs | ours | ratio | server CPU a delivery, theirs | ours | ratio "
        "| delivery p99, theirs | ours | ratio |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        if row.ours is None or row.theirs is None:
            lines.append(f"| {row.peer} ({row.version}) | {row.skipped.splitlines()[0]} | | | | | | | | |")
            continue
        ours, theirs = row.ours, row.theirs
        faults = f", {theirs.faults} faults" if theirs.faults else ""
        disturbed = f", others used {row.bystanders:.0%} of the cores" if row.bystanders > DISTURBED else ""
        cells = [
            f"{row.peer} ({row.version}){faults}{disturbed}",
            _rate(theirs),
            _rate(ours),
            _ratio(row, "deliveries_per_second"),
            f"{theirs.server_cpu:.2f} µs",
            f"{ours.server_cpu:.2f} µs",
            _ratio(row, "server_cpu"),
            f"{theirs.delivery.p99:.2f} ms",
            f"{ours.delivery.p99:.2f} ms",
            _ratio(row, "delivery_p99"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _rate(side: Side) -> str:
    """With a star when the meter had no time left, so that the server might have done more."""
    return f"{side.deliveries_per_second:,.0f}{'*' if side.meter_busy > METER_LIMIT else ''}"


def _ratio(row: Row, name: str) -> str:
    return f"{row.ratios[name]:.2f}x" if name in row.ratios else "-"
