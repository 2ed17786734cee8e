"""The figures of runs: what was acknowledged, what went wrong, and how long it took."""

import itertools
import os
import platform
import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs

from ops.bench.kept import read_kept, write_kept
from tests.faults.checker import Kind
from tests.faults.faults import CALM
from tests.faults.history import Connected, History, Log, Received
from tests.faults.run import Outcome

GUARANTEES: Final = Path(__file__).parents[2] / "docs/guarantees.md"
RESULTS: Final = Path(__file__).parent / "results" / "faults.json"
BEGIN, END = "<!-- figures of tests/faults -->", "<!-- end of the figures -->"
_LOST: Final = (Kind.LOST, Kind.GAP, Kind.MISSED)


@attrs.frozen
class Row:
    """All runs of one fault. Times are seconds, the longest of all runs; None: it did not heal in time."""

    fault: str
    runs: int
    acknowledged: int
    delivered: int
    lost: int
    doubled: int
    misordered: int
    other: int
    heal: float | None
    silence: float


@attrs.frozen
class Latency:
    """From SEND to MESSAGE, in milliseconds."""

    deliveries: int
    p50: float
    p99: float


@attrs.frozen
class CutOff:
    """From the answer to a removal until the last thing the removed member saw on another node: the longest."""

    redis: str
    removals: int
    seconds: float
    allowed: float


@attrs.frozen
class Results:
    machine: str
    rows: Sequence[Row]
    same_node: Latency
    cross_node: Latency
    cut_offs: Sequence[CutOff]


@attrs.define
class Tally:
    """Of a series of runs; the histories themselves are kept of those without a fault only."""

    rows: list[Row] = attrs.field(factory=list[Row])
    cut_offs: list[CutOff] = attrs.field(factory=list[CutOff])
    calm: list[History] = attrs.field(factory=list[History])
    failures: int = 0

    def add(self, outcome: Outcome) -> None:
        self.rows = _merged(self.rows, row(outcome))
        if outcome.fault == CALM.name:
            self.calm += outcome.histories

    def add_cut_off(self, found: CutOff) -> None:
        before = next((each for each in self.cut_offs if each.redis == found.redis), None)
        if before is not None:
            longest = max(before.seconds, found.seconds)
            found = attrs.evolve(found, removals=before.removals + found.removals, seconds=longest)
        self.cut_offs = [*(each for each in self.cut_offs if each.redis != found.redis), found]


def _merged(rows: Sequence[Row], new: Row) -> list[Row]:
    """In the order in which the faults came first."""
    names = [each.fault for each in rows]
    if new.fault not in names:
        return [*rows, new]
    at = names.index(new.fault)
    old = rows[at]
    both = Row(
        new.fault,
        old.runs + new.runs,
        old.acknowledged + new.acknowledged,
        old.delivered + new.delivered,
        old.lost + new.lost,
        old.doubled + new.doubled,
        old.misordered + new.misordered,
        old.other + new.other,
        None if old.heal is None or new.heal is None else max(old.heal, new.heal),
        max(old.silence, new.silence),
    )
    return [*rows[:at], both, *rows[at + 1 :]]


def row(outcome: Outcome) -> Row:
    """Of one run."""
    found = [violation.kind for violation in outcome.violations]
    lost = sum(kind in _LOST for kind in found)
    doubled, misordered = found.count(Kind.DOUBLED), found.count(Kind.MISORDERED)
    return Row(
        outcome.fault,
        1,
        sum(len({each.client_message_id for each in history.acked}) for history in outcome.histories),
        sum(isinstance(entry, Received) for log in _logs(outcome) for entry in log.entries),
        lost,
        doubled,
        misordered,
        len(found) - lost - doubled - misordered,
        None if outcome.heal is None else round(outcome.heal, 2),
        round(silence(outcome), 2),
    )


def _logs(outcome: Outcome) -> list[Log]:
    return [log for history in outcome.histories for log in history.logs]


def silence(outcome: Outcome) -> float:
    """The longest that any subscriber got no message, from a second before the fault until it had healed."""
    begin, end = outcome.began - 1.0, outcome.ended + (outcome.heal or 0.0)
    longest = 0.0
    for log in _logs(outcome):
        times = [entry.at for entry in log.entries if isinstance(entry, Received) and begin <= entry.at <= end]
        gaps = (after - before for before, after in itertools.pairwise([begin, *times, end]))
        longest = max(longest, *gaps)
    return longest


def swept(outcome: Outcome) -> bool:
    """Whether every subscriber got messages while the fault lasted: a sweep comes each second."""
    return silence(outcome) < outcome.ended - outcome.began


def latencies(histories: Iterable[History]) -> tuple[Latency, Latency]:
    """On the sender's node, and on the others; of messages that were sent once."""
    same: list[float] = []
    cross: list[float] = []
    for history in histories:
        repeated = {each.client_message_id for each in history.acked if each.repeated}
        for log in history.logs:
            for node, entry in _live(log):
                sent = history.sent.get(entry.client_message_id or "")
                if sent is not None and sent.client_message_id not in repeated:
                    (same if sent.node == node else cross).append(entry.at - sent.at)
    return _latency(same), _latency(cross)


def _live(log: Log) -> Iterator[tuple[str, Received]]:
    """What was created while the subscription was in force, and where."""
    connected: Connected | None = None
    for entry in log.entries:
        if isinstance(entry, Connected):
            connected = entry
        elif isinstance(entry, Received) and entry.event == "message.created" and connected is not None:
            yield connected.node, entry


def _latency(seconds: Sequence[float]) -> Latency:
    cuts = statistics.quantiles(seconds, n=100)
    return Latency(len(seconds), round(cuts[49] * 1000, 1), round(cuts[98] * 1000, 1))


def keep(tally: Tally, path: Path = RESULTS) -> None:
    """What was not run anew stays as it was kept."""
    old = kept(path) if path.exists() else None
    rows = {each.fault: each for each in (*(old.rows if old else ()), *tally.rows)}
    cut_offs = {each.redis: each for each in (*(old.cut_offs if old else ()), *tally.cut_offs)}
    if tally.calm:
        same, cross = latencies(tally.calm)
    else:
        assert old is not None, "nothing was run without a fault"
        same, cross = old.same_node, old.cross_node
    cores = len(os.sched_getaffinity(0))
    machine = (
        f"one machine of {cores} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )
    write_kept(Results(machine, list(rows.values()), same, cross, list(cut_offs.values())), path)


def publish(results: Results, path: Path = GUARANTEES) -> None:
    """In place of the figures that the page has."""
    before, _, rest = path.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(before + page(results) + after, "utf-8")


def kept(path: Path = RESULTS) -> Results:
    return read_kept(path, Results)


def table(rows: Sequence[Row]) -> str:
    """In Markdown."""
    lines = [
        "| fault | runs | acknowledged | delivered | lost | doubled | misordered | other | heals in | silence |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for each in rows:
        heal = "did not" if each.heal is None else f"{each.heal:.2f} s"
        lines.append(
            f"| {each.fault} | {each.runs} | {each.acknowledged:,} | {each.delivered:,} | {each.lost} | {each.doubled}"
            f" | {each.misordered} | {each.other} | {heal} | {each.silence:.2f} s |"
        )
    return "\n".join(lines)


def page(results: Results) -> str:
    """The figures as `docs/guarantees.md` has them."""
    same, cross = results.same_node, results.cross_node
    lines = [
        BEGIN,
        f"Measured on {results.machine}, with the clients, three nodes, PostgreSQL and Redis all on it.",
        "",
        table(results.rows),
        "",
        "| from SEND to MESSAGE, without a fault | deliveries | p50 | p99 |",
        "|---|--:|--:|--:|",
        f"| subscriber on the sender's node | {same.deliveries:,} | {same.p50:.1f} ms | {same.p99:.1f} ms |",
        f"| subscriber on another node | {cross.deliveries:,} | {cross.p50:.1f} ms | {cross.p99:.1f} ms |",
        "",
        "| a member is removed on one node, and on another sees nothing more after | removals | longest | allowed |",
        "|---|--:|--:|--:|",
        *(
            f"| Redis {each.redis} | {each.removals} | {each.seconds:.2f} s | {each.allowed:.0f} s |"
            for each in results.cut_offs
        ),
        END,
    ]
    return "\n".join(lines)
