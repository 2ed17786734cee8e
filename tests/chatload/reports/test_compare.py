import io

import attrs
import pytest
from rich.console import Console

from chatload.reports.compare import MARGIN, MARGINS, Change, Row, compare, differences, render_comparison
from chatload.result import Faults, Latency, Result
from tests.chatload.reports.sample import HARDWARE, sample_result

FLAT = Latency(count=100, mean=10.0, p50=10.0, p90=10.0, p99=10.0, p999=10.0, max=10.0)


def scaled(factor: float) -> Result:
    """Every latency, rate and use is `factor` times that of `scaled(1.0)`."""
    each = 10.0 * factor
    return sample_result(
        latencies={"delivery": attrs.evolve(FLAT, p50=each, p90=each, p99=each, p999=each, max=each)},
        rates={"deliveries": 1000.0 * factor},
        server_cpu=0.5 * factor * factor,
        server_rss=round((1 << 30) * factor),
    )


def rows(new: Result, old: Result) -> dict[str, Row]:
    return {row.name: row for row in compare(new, old)}


def test_each_percentile_rate_cpu_a_delivery_and_memory_has_its_ratio() -> None:
    found = rows(scaled(2.0), scaled(1.0))
    assert list(found) == [
        "delivery p50",
        "delivery p90",
        "delivery p99",
        "delivery p99.9",
        "delivery max",
        "deliveries/s",
        "server CPU a delivery",
        "server memory",
    ]
    assert all(row.ratio == pytest.approx(2.0) for row in found.values())
    assert found["server CPU a delivery"].old == pytest.approx(500.0)
    assert found["server CPU a delivery"].new == pytest.approx(1000.0)


def test_more_deliveries_are_better_and_more_of_all_else_is_worse() -> None:
    more, less = rows(scaled(2.0), scaled(1.0)), rows(scaled(0.5), scaled(1.0))
    assert {name for name, row in more.items() if row.change is Change.BETTER} == {"deliveries/s"}
    assert {name for name, row in less.items() if row.change is Change.WORSE} == {"deliveries/s"}
    assert all(row.change in (Change.BETTER, Change.WORSE) for row in (*more.values(), *less.values()))


@pytest.mark.parametrize("name", ["p50", "p90", "p99", "p99.9", "max"])
def test_margin_of_noise_is_the_same_both_ways_and_its_percentiles_own(name: str) -> None:
    margin = MARGINS[name]
    for factor in (1 + margin * 0.99, 1 / (1 + margin * 0.99)):
        assert rows(scaled(factor), scaled(1.0))[f"delivery {name}"].change is Change.SAME
    assert rows(scaled(1 + margin * 1.01), scaled(1.0))[f"delivery {name}"].change is Change.WORSE
    assert rows(scaled(1 / (1 + margin * 1.01)), scaled(1.0))[f"delivery {name}"].change is Change.BETTER


def test_rates_and_use_have_one_margin() -> None:
    found = rows(scaled(1 + MARGIN * 0.99), scaled(1.0))
    for name in ("deliveries/s", "server CPU a delivery", "server memory"):
        assert (found[name].change, found[name].margin) == (Change.SAME, MARGIN)


def test_figure_that_one_run_does_not_have_has_no_ratio() -> None:
    old = attrs.evolve(scaled(1.0), server_rss=None, latencies={})
    found = rows(scaled(1.0), old)
    for name in ("server memory", "delivery p99"):
        assert (found[name].old, found[name].ratio, found[name].change) == (None, None, Change.UNKNOWN)


def test_figure_that_neither_run_has_makes_no_row() -> None:
    bare = attrs.evolve(scaled(1.0), server_rss=None, latencies={}, server_cpu=None)
    assert list(rows(bare, bare)) == ["deliveries/s"]


def test_old_figure_of_zero_has_no_ratio() -> None:
    none = attrs.evolve(scaled(1.0), rates={"resumes": 0.0})
    some = attrs.evolve(scaled(1.0), rates={"resumes": 5.0})
    assert (rows(some, none)["resumes/s"].ratio, rows(some, none)["resumes/s"].change) == (None, Change.UNKNOWN)
    assert rows(none, none)["resumes/s"].change is Change.SAME


def test_two_runs_of_the_same_thing_have_nothing_against_them() -> None:
    again = attrs.evolve(
        sample_result(started_at="2026-04-01T12:00:00Z"),
        hardware=attrs.evolve(HARDWARE, server="pid 77", memory=HARDWARE.memory + (20 << 20)),
    )
    assert differences(again, sample_result()) == []


@pytest.mark.parametrize(
    ("new", "warning"),
    [
        (sample_result(scenario="rooms"), "the scenario differs: fanout then, rooms now"),
        (sample_result(parameters={"subscribers": 10}), "parameter subscribers differs: 1,000 then, 10 now"),
        (sample_result(parameters={"pairs": 7}), "parameter pairs differs: unset then, 7 now"),
        (sample_result(parameters={"subscribers": 10}), "parameter open_loop differs: yes then, unset now"),
        (sample_result(hardware=attrs.evolve(HARDWARE, cpu="Xeon")), "the CPU differs: AMD EPYC 7B13 then, Xeon now"),
        (sample_result(hardware=attrs.evolve(HARDWARE, cores=8)), "the number of cores differs: 2 then, 8 now"),
        (sample_result(hardware=attrs.evolve(HARDWARE, memory=1 << 34)), "the memory differs: 8 GiB then, 16 GiB now"),
        (sample_result(hardware=attrs.evolve(HARDWARE, system="Darwin")), "the system differs: Linux 6.1 then"),
        (sample_result(hardware=attrs.evolve(HARDWARE, python="CPython 3.14")), "the Python differs: CPython 3.11.2"),
        (sample_result(hardware=attrs.evolve(HARDWARE, same_host=False)), "then, another host now"),
        (sample_result(meter_saturated=True), "the meter was at its limit now"),
        (sample_result(faults=Faults(lost=1)), "the run had faults now"),
    ],
)
def test_difference_between_the_runs_is_a_warning(new: Result, warning: str) -> None:
    assert any(warning in each for each in differences(new, sample_result()))


def rendered(new: Result, old: Result, *, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    render_comparison(console, new, old)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_comparison_shows_ratios_margin_and_warnings() -> None:
    new = sample_result(latencies={"delivery": attrs.evolve(FLAT, p50=20.0)}, scenario="[red]rooms")
    text = rendered(new, sample_result(latencies={"delivery": FLAT}, started_at="[2026]"))
    assert "Compared with the run of [2026]" in text
    assert any(
        line.split() == ["delivery", "p50", "10.0", "ms", "20.0", "ms", "2.00x", "worse"] for line in text.split("\n")
    )
    assert "max 50%, all else 10%" in " ".join(text.split())
    assert "Warning: the scenario differs: fanout then, [red]rooms now" in text


def test_comparison_loses_no_digit_in_a_narrow_terminal() -> None:
    assert "…" not in rendered(sample_result(), sample_result(), width=30)
