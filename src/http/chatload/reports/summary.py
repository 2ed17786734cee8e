"""What a run found, for the terminal."""

from collections.abc import Sequence

from rich import box
from rich.columns import Columns
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chatload.reports.figures import PERCENTILES, Unit, cpu_per_delivery, measured_latencies, shown
from chatload.reports.thresholds import ThresholdOutcome
from chatload.reports.verdict import fault_counts, judge, meter_limit
from chatload.result import Result


def render_summary(console: Console, result: Result, outcomes: Sequence[ThresholdOutcome]) -> None:
    """The verdict stands last, where the prompt leaves it in sight."""
    about = f"{result.scenario} against {result.url}, took {result.seconds:,.0f} s"
    console.print(about, markup=False, highlight=False, style="bold")
    console.print(_latencies(result))
    console.print(Columns([_rates(result), _faults(result)]))
    if outcomes:
        console.print(_thresholds(outcomes))
    for note in result.notes:
        console.print(f"Note: {note}", markup=False, highlight=False)
    limit = meter_limit(result)
    if limit is not None:
        console.print(limit, highlight=False, style="yellow")
    verdict = judge(result, outcomes)
    if verdict.passed:
        console.print("Passed", style="bold green")
    else:
        console.print(f"Failed: {'; '.join(verdict.reasons)}", style="bold red", markup=False, highlight=False)


def _latencies(result: Result) -> Table:
    table = _table("latency", *PERCENTILES, "samples")
    for kind, latency in measured_latencies(result).items():
        figures = [shown(read(latency), Unit.MILLISECONDS) for read in PERCENTILES.values()]
        table.add_row(escape(kind), *figures, shown(latency.count, Unit.COUNT))
    return table


def _rates(result: Result) -> Table:
    table = _table("rates and use", "")
    for name, rate in result.rates.items():
        table.add_row(escape(name), shown(rate, Unit.PER_SECOND))
    table.add_row("server CPU", shown(result.server_cpu, Unit.CORES))
    table.add_row("server CPU a delivery", shown(cpu_per_delivery(result), Unit.MICROSECONDS))
    table.add_row("server memory", shown(result.server_rss, Unit.BYTES))
    table.add_row(f"meter CPU, processes: {result.meter_processes}", shown(result.meter_cpu, Unit.CORES))
    return table


def _faults(result: Result) -> Table:
    table = _table("faults", "")
    for name, count in fault_counts(result.faults):
        table.add_row(escape(name), shown(count, Unit.COUNT), style="red" if count else "")
    return table


def _thresholds(outcomes: Sequence[ThresholdOutcome]) -> Table:
    table = _table("threshold", "", "")
    for each in outcomes:
        style = "green" if each.passed else "red"
        table.add_row(escape(each.text), each.figure, "kept" if each.passed else "broken", style=style)
    return table


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", overflow="fold")
    return table
