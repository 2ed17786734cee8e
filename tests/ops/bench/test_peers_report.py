"""The comparison's figures, rows and tables."""

from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

from ops.bench.broadcast.meter import Measurement, Times
from ops.bench.kept import read_kept, write_kept
from ops.bench.peers.report import (
    REST,
    Report,
    Row,
    comparable,
    markdown,
    ratios_of,
    side_of,
)

EMPTY: Final = Report(
    date="2026-01-01",
    machine="a machine",
    version="0.1",
    cores={"server": (0,), "database": (1,), "meter": (1,)},
    rows=(),
)


def times(p99: float) -> Times:
    return Times(count=10, p50=1.0, p90=2.0, p99=p99, p999=p99, max=p99 + 1)


def measurement(rate: float, *, server: float = 0.1, p99: float = 5.0, lost: int = 0) -> Measurement:
    return Measurement(
        subscribers=10,
        publishers=1,
        in_flight=1,
        rate=0,
        messages=100,
        deliveries=1000,
        seconds=1.0,
        deliveries_per_second=rate,
        bytes_per_delivery=650,
        meter_cpu=0.01,
        cpu={"server": server, "database": 0.02},
        lost=lost,
        doubled=0,
        out_of_order=0,
        delivery=times(p99),
        completion=times(p99),
    )


def row(peer: str = "other", case: str = "a case") -> Row:
    ours, theirs = side_of([measurement(3000)]), side_of([measurement(1000, server=0.4, p99=10.0)])
    return Row(
        peer=peer,
        version="1",
        subscribers=10,
        case=case,
        rounds=1,
        ours=ours,
        theirs=theirs,
        ratios=ratios_of(ours, theirs),
    )


def test_a_side_has_the_medians_of_its_rounds_and_the_sum_of_their_faults() -> None:
    rounds = [measurement(100, server=0.2, lost=1), measurement(300, server=0.1), measurement(200, server=0.9, lost=2)]
    side = side_of(rounds)
    assert side.deliveries_per_second == 200
    assert side.server_cpu == pytest.approx(200)
    assert side.database_cpu == pytest.approx(20)
    assert side.faults == 3
    assert side.delivery.count == 30


def test_a_round_without_a_delivery_has_no_figures() -> None:
    with pytest.raises(ValueError, match="nothing was delivered"):
        side_of([evolve(measurement(1), delivery=None)])


def test_ratios_are_ours_to_theirs() -> None:
    found = row().ratios
    assert (found["deliveries_per_second"], found["server_cpu"], found["delivery_p99"]) == (3, 0.25, 0.5)


def test_a_cpu_time_too_short_to_be_measured_gives_no_ratio() -> None:
    assert "server_cpu" not in ratios_of(side_of([measurement(1)]), side_of([measurement(1, server=0.0)]))


def test_a_new_row_takes_the_place_of_the_old_one_and_of_the_failure() -> None:
    failed = Row(peer="other", version="1", subscribers=10, case=REST, skipped="failed")
    report = EMPTY.with_rows([row(), row("third"), failed]).with_rows([evolve(row(), version="2")])
    assert [(each.peer, each.version, each.case) for each in report.rows] == [
        ("other", "2", "a case"),
        ("third", "1", "a case"),
    ]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    report = EMPTY.with_rows([row(), Row(peer="slow", version="1", subscribers=10, case="a case", skipped="too slow")])
    write_kept(report, tmp_path / "results" / "peers.json")
    found = read_kept(tmp_path / "results" / "peers.json", Report)
    assert markdown(found) == markdown(report)
    assert comparable(found, EMPTY)
    assert not comparable(found, evolve(EMPTY, version="0.2"))


def test_the_table_shows_figures_ratios_and_why_there_are_none() -> None:
    skipped = Row(peer="slow", version="3", subscribers=10, case="a case", skipped="too slow\nand its log")
    table = markdown(EMPTY.with_rows([row(), skipped]))
    assert "2026-01-01, a machine; stackmentor 0.1. Server on core 0, database on 1, meter on 1." in table
    assert "### 10 subscribers, a case" in table
    assert "| other (1) | 1,000 | 3,000 | 3.00x | 400.00 µs | 100.00 µs | 0.25x | 10.00 ms | 5.00 ms | 0.50x |" in table
    assert "| slow (3) | too slow |" in table


def test_the_table_tells_of_a_disturbed_row() -> None:
    table = markdown(EMPTY.with_rows([evolve(row(), bystanders=0.25), row("calm")]))
    assert "| other (1), others used 25% of the cores |" in table
    assert "| calm (1) |" in table
