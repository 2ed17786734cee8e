import io

from rich.console import Console

from chatload.reports.summary import render_summary
from chatload.reports.thresholds import parse_threshold
from chatload.result import Faults, Latency, Result
from tests.chatload.reports.sample import sample_result

KNOWN = Latency(count=12_345, mean=2.0, p50=1.0, p90=2.0, p99=30.0, p999=400.0, max=5000.0)


def rendered(result: Result, *thresholds: str, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    render_summary(console, result, [parse_threshold(text).check(result) for text in thresholds])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def words(text: str) -> list[list[str]]:
    return [line.split() for line in text.split("\n") if line.strip()]


def test_latencies_are_shown_by_percentile() -> None:
    lines = words(rendered(sample_result(latencies={"completion": KNOWN})))
    assert ["latency", "p50", "p90", "p99", "p99.9", "max", "samples"] in lines
    assert ["completion", "1.00", "ms", "2.00", "ms", "30.0", "ms", "400", "ms", "5.00", "s", "12,345"] in lines


def test_rates_use_and_faults_are_shown() -> None:
    text = " ".join(rendered(sample_result(faults=Faults(doubled=3, errors={"OVERLOADED": 14}))).split())
    for figure in (
        "deliveries 98,500/s",
        "server CPU 0.87 cores",
        "server CPU a delivery 8.83 µs",
        "server memory 96.0 MiB",
        "meter CPU, processes: 1 0.62 cores",
        "doubled 3",
        "error OVERLOADED 14",
    ):
        assert figure in text


def test_server_without_figures_shows_a_hyphen() -> None:
    text = " ".join(rendered(sample_result(server_cpu=None, server_rss=None)).split())
    assert "server memory - " in text


def test_verdict_stands_last() -> None:
    assert words(rendered(sample_result()))[-1] == ["Passed"]
    failed = rendered(sample_result(faults=Faults(lost=2)), "p99<50ms", "p99<1ms")
    assert words(failed)[-1] == ["Failed:", "lost:", "2;", "p99<1ms:", "6.83", "ms"]
    assert ["p99<50ms", "6.83", "ms", "kept"] in words(failed)
    assert ["p99<1ms", "6.83", "ms", "broken"] in words(failed)


def test_saturated_meter_and_notes_are_told_as_they_are_written() -> None:
    text = rendered(sample_result(meter_saturated=True, notes=("two [bold]slow ones",)))
    assert "The meter was the limit" in text
    assert "Note: two [bold]slow ones" in text
    assert "The meter was the limit" not in rendered(sample_result())


def test_summary_loses_no_digit_in_a_narrow_terminal() -> None:
    assert "…" not in rendered(sample_result(), "deliveries/s>1000", width=30)
