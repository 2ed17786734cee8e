"""A run beside an older one, as ratios."""

from collections.abc import Sequence
from enum import Enum
from typing import Final

from attrs import frozen
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chatload.reports.figures import (
    LATENCIES,
    PERCENTILES,
    Unit,
    cpu_per_delivery,
    measured_latencies,
    shown,
    shown_parameter,
)
from chatload.result import Hardware, Result

MARGINS: Final = {"p50": 0.10, "p90": 0.10, "p99": 0.15, "p99.9": 0.25, "max": 0.50}
"""How much two runs of the same thing differ by chance, by percentile: the further out, the fewer samples."""

MARGIN: Final = 0.10
"""The same for rates, CPU and memory."""


class Change(Enum):
    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    UNKNOWN = "-"


@frozen
class Row:
    """One figure in both runs. `ratio` is new / old; None when either has no figure or the old one is zero.

    `change` is SAME while the ratio lies between `1 / (1 + margin)` and `1 + margin`.
    """

    name: str
    unit: Unit
    old: float | None
    new: float | None
    ratio: float | None
    margin: float
    change: Change


def compare(result: Result, old: Result) -> Sequence[Row]:
    """A row for each percentile of each kind of latency, each rate, the CPU a delivery, and memory.

    A figure that neither run has makes no row.
    """
    rows: list[Row] = []
    new_latencies, old_latencies = measured_latencies(result), measured_latencies(old)
    for kind in dict.fromkeys([*LATENCIES, *new_latencies, *old_latencies]):
        new, before = new_latencies.get(kind), old_latencies.get(kind)
        for name, read in PERCENTILES.items():
            pair = (read(before) if before else None, read(new) if new else None)
            rows.append(_row(f"{kind} {name}", Unit.MILLISECONDS, *pair, margin=MARGINS[name]))
    for rate in dict.fromkeys([*result.rates, *old.rates]):
        pair = (old.rates.get(rate), result.rates.get(rate))
        rows.append(_row(f"{rate}/s", Unit.PER_SECOND, *pair, more_is_better=True))
    rows.append(_row("server CPU a delivery", Unit.MICROSECONDS, cpu_per_delivery(old), cpu_per_delivery(result)))
    rows.append(_row("server memory", Unit.BYTES, old.server_rss, result.server_rss))
    return [row for row in rows if row.old is not None or row.new is not None]


def differences(result: Result, old: Result) -> Sequence[str]:
    """Why the two runs may not be comparable, a sentence each; empty when nothing speaks against it."""
    found: list[str] = []
    if result.scenario != old.scenario:
        found.append(f"the scenario differs: {old.scenario} then, {result.scenario} now")
    for name in dict.fromkeys([*old.parameters, *result.parameters]):
        before, now = (each.parameters.get(name) for each in (old, result))
        if before != now:
            then, today = ("unset" if value is None else shown_parameter(value) for value in (before, now))
            found.append(f"parameter {name} differs: {then} then, {today} now")
    found += _hardware_differences(result.hardware, old.hardware)
    for each, when in ((old, "then"), (result, "now")):
        if each.meter_saturated:
            found.append(f"the meter was at its limit {when}, so the figures are the meter's rather than the server's")
        if each.failed:
            found.append(f"the run had faults {when}")
    return found


def margin_note() -> str:
    """The margin of noise in a sentence."""
    tails = ", ".join(f"{name} {margin:.0%}" for name, margin in MARGINS.items())
    return f"Better or worse means beyond the margin of noise: {tails}, all else {MARGIN:.0%}."


def render_comparison(console: Console, result: Result, old: Result) -> None:
    table = Table(
        title=f"Compared with the run of {escape(old.started_at)}",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("", overflow="fold")
    for heading in ("then", "now", "now / then"):
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("", overflow="fold")
    for row in compare(result, old):
        style = {Change.BETTER: "green", Change.WORSE: "red"}.get(row.change, "")
        table.add_row(
            escape(row.name),
            shown(row.old, row.unit),
            shown(row.new, row.unit),
            shown_ratio(row.ratio),
            row.change.value,
            style=style,
        )
    console.print(table)
    console.print(margin_note(), highlight=False)
    for difference in differences(result, old):
        console.print(f"Warning: {difference}", style="yellow", markup=False, highlight=False)


def shown_ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}x"


def _row(
    name: str,
    unit: Unit,
    old: float | None,
    new: float | None,
    *,
    margin: float = MARGIN,
    more_is_better: bool = False,
) -> Row:
    if old is None or new is None or old == 0:
        change = Change.SAME if old == new else Change.UNKNOWN
        return Row(name, unit, old, new, None, margin, change)
    ratio = new / old
    if 1 / (1 + margin) <= ratio <= 1 + margin:
        change = Change.SAME
    else:
        change = Change.BETTER if (ratio > 1) is more_is_better else Change.WORSE
    return Row(name, unit, old, new, ratio, margin, change)


def _hardware_differences(new: Hardware, old: Hardware) -> Sequence[str]:
    """Without `server`, which names a process: that differs between any two runs and says nothing."""
    pairs = {
        "CPU": (old.cpu, new.cpu),
        "number of cores": (str(old.cores), str(new.cores)),
        "memory": (_whole_gib(old.memory), _whole_gib(new.memory)),
        "system": (old.system, new.system),
        "Python": (old.python, new.python),
        "place of the meter": tuple("the server's host" if each.same_host else "another host" for each in (old, new)),
    }
    return [f"the {name} differs: {then} then, {now} now" for name, (then, now) in pairs.items() if then != now]


def _whole_gib(memory: int) -> str:
    """What the kernel keeps of a machine's memory varies by some megabytes from start to start."""
    return f"{round(memory / (1 << 30))} GiB"
