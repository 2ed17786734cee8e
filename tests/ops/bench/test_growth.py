"""The curves of growth, measured small through the real server, and the model that is made of them."""

import math
from pathlib import Path
from typing import Final

import attrs
import pytest

from ops.bench import capacity, growth
from ops.bench.growth_measure import connection_sizes
from ops.bench.growth_page import part_of
from ops.bench.growth_report import OPEN_LOOP, Commits, FanOut, Growth, limit, markdown
from ops.bench.kept import read_kept

CURVES: Final = ("growth-fanout.svg", "growth-latency.svg", "growth-memory.svg", "growth-commits.svg")


def test_a_tiny_run_measures_everything_and_writes_curves_table_and_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.bench.commits.SECONDS", 0.3)
    page = tmp_path / "capacity.md"
    page.write_text("before\n<!-- growth -->\nold\n<!-- /growth -->\nafter\n")
    out = tmp_path / "results" / "growth.json"
    sizes = ["--subscribers", "5,10", "--connections", "10,20", "--conversations", "1,2"]
    arguments = [*sizes, "--seconds", "0.2", "--hold", "0.2", "--out", str(out), "--docs", str(tmp_path)]
    assert growth.main(arguments) == 0

    found = read_kept(out, Growth)
    assert found.version
    assert found.machine
    assert [row.subscribers for row in found.fan_out if row.case == OPEN_LOOP] == [5, 10]
    assert len(found.fan_out) == 8
    closed = [row for row in found.fan_out if row.case != OPEN_LOOP]
    assert all(row.side and not row.side.faults for row in closed)
    assert [row.connections for row in found.memory] == [10, 20]
    assert [(row.conversations, row.in_flight) for row in found.commits] == [(1, 64), (2, 32)]
    figures = [
        *(row.side.deliveries_per_second for row in closed if row.side),
        *(row.resident for row in found.memory),
        *(row.per_second for row in (*found.memory, *found.commits)),
    ]
    assert all(math.isfinite(figure) and figure > 0 for figure in figures)
    assert all(b"<svg" in (tmp_path / name).read_bytes() for name in CURVES)
    assert part_of(page.read_text("utf-8"), growth.PART) == markdown(found)
    assert page.read_text("utf-8").startswith("before\n")
    assert page.read_text("utf-8").endswith("after\n")


def test_the_table_is_printed_without_measuring(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "growth.json"
    arguments = ["--table", "--out", str(out), "--docs", str(tmp_path)]
    assert growth.main(arguments) == 2
    out.write_text('{"date": "2026-01-01", "machine": "m", "version": "v", "cores": {"server": [0]}}')
    assert growth.main(arguments) == 0
    assert "server on core 0" in capsys.readouterr().out
    assert all((tmp_path / name).exists() for name in CURVES)


def test_figures_of_another_version_are_not_mixed_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "growth.json"
    out.write_text('{"date": "2026-01-01", "machine": "m", "version": "v", "cores": {"server": [0]}}')
    assert growth.main(["--out", str(out), "--docs", str(tmp_path)]) == 2
    assert "another version or machine" in capsys.readouterr().err


def test_the_limit_of_open_files_bounds_the_connections() -> None:
    assert connection_sizes([1_000, 20_000], 20_000) == [1_000, 19_000]
    assert connection_sizes([1_000, 20_000], 65_535) == [1_000, 20_000]
    assert connection_sizes([1_000, 5_000, 20_000], 4_096) == [1_000, 3_096]


@pytest.mark.parametrize(
    ("server", "database", "meter", "named"),
    [
        (0.95, 0.5, 0.4, "server's core"),
        (0.65, 0.6, 0.35, "PostgreSQL's core"),
        (0.65, 0.35, 0.6, "meter's core"),
        (0.6, 0.2, 0.1, "wait for commits"),
    ],
)
def test_the_limit_is_who_was_busy(server: float, database: float, meter: float, named: str) -> None:
    assert limit(server, database, meter) == named


def test_no_limit_is_named_where_others_had_the_cores() -> None:
    assert limit(0.5, 0.2, 0.1, 0.4) == "others on the machine"


def test_the_table_tells_of_rows_that_others_disturbed() -> None:
    def committed(conversations: int, bystanders: float) -> Commits:
        return Commits(
            conversations=conversations,
            in_flight=1,
            per_second=4000.0,
            server_cpu=250.0,
            server_busy=1.0,
            database_busy=0.2,
            client_busy=0.1,
            bystanders=bystanders,
        )

    rows = [committed(10, 0.01), committed(100, 0.25)]
    calm, disturbed = markdown(Growth(date="", machine="", version="", cores={}, commits=rows)).splitlines()[-2:]
    assert "others used" not in calm
    assert "4,000 messages/s, others used 25% of the cores" in disturbed


def test_a_new_row_takes_the_place_of_the_older_of_its_size_and_case() -> None:
    def skipped(subscribers: int, why: str) -> FanOut:
        return FanOut(subscribers=subscribers, case=OPEN_LOOP, skipped=why)

    older = Growth(date="", machine="", version="", cores={}, fan_out=[skipped(5, "old"), skipped(10, "kept")])
    newer = older.with_rows(fan_out=[skipped(5, "new")])
    assert [(row.subscribers, row.skipped) for row in newer.fan_out] == [(5, "new"), (10, "kept")]


def page() -> str:
    return capacity.PAGE.read_text("utf-8")


def test_the_page_holds_what_its_assumptions_come_to() -> None:
    assert part_of(page(), capacity.MODEL) == capacity.markdown(capacity.read_assumptions(page()))


def test_another_assumption_makes_another_table_which_is_written_into_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = tmp_path / "capacity.md"
    changed.write_text(page().replace("| `active_share` | 0.1 |", "| `active_share` | 0.9 |"), "utf-8")
    assert capacity.main(["--page", str(changed), "--write"]) == 0
    written = part_of(changed.read_text("utf-8"), capacity.MODEL)
    assert written == capsys.readouterr().out
    assert written != part_of(page(), capacity.MODEL)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("| `active_share` |", "| `laziness` |", "active_share, laziness"),
        ("| `active_share` | 0.1 |", "| `active_share` | 1.5 |", "active_share cannot be 1.5"),
        ("| `members` | 20 |", "| `members` | -1 |", "members cannot be -1"),
        ("<!-- assumptions -->", "", "no part assumptions"),
        ("| `base_mib` | 150 |", "| `base_mib` | 9000 |", "no memory for connections"),
        ("| `read_micros` | 150 |", "| `read_micros` | 15000 |", "divide the conversations"),
    ],
)
def test_assumptions_that_make_no_sense_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, why: str
) -> None:
    assert old in page()
    changed = tmp_path / "capacity.md"
    changed.write_text(page().replace(old, new), "utf-8")
    assert capacity.main(["--page", str(changed)]) == 2
    assert why in capsys.readouterr().err


def test_a_message_reaches_as_many_other_tasks_as_its_receivers_are_spread_over() -> None:
    assert capacity.other_tasks(1, 12) == 0
    assert capacity.other_tasks(2, 100) == pytest.approx(1)
    assert capacity.other_tasks(100_000, 12) == pytest.approx(11, rel=0.01)


def test_tasks_are_the_dearest_resource_and_one_more() -> None:
    given = attrs.evolve(
        capacity.read_assumptions(page()),
        head_room=0.5,
        core_ratio=1.0,
        idle_micros=10.0,
        connection_kib=8.0,
        kernel_kib=8.0,
        base_mib=24.0,
        task_mib=2048.0,
        connect_micros=600.0,
        return_seconds=60.0,
        max_connections=50_000.0,
    )
    silent = capacity.Load(users=0, connections=100_000, messages=0, receivers=0)
    assert capacity.tasks_of(silent, given) == capacity.Tasks(cpu=2, memory=2, returning=2, sockets=4, commits=0)
    assert capacity.tasks_of(silent, given).all == 5
    talking = attrs.evolve(silent, messages=128_000, receivers=0)
    assert capacity.tasks_of(talking, attrs.evolve(given, message_micros=100.0, hop_micros=0.0)).cpu == 28
    assert capacity.tasks_of(talking, given).commits == 2


def test_the_database_is_sized_for_the_minute_in_which_everybody_returns() -> None:
    given = attrs.evolve(
        capacity.read_assumptions(page()),
        head_room=0.5,
        core_ratio=1.0,
        database_micros=50.0,
        resume_reads=3.0,
        read_micros=100.0,
        return_seconds=60.0,
    )
    load = capacity.Load(users=0, connections=60_000, messages=4_000, receivers=1)
    assert capacity.database_cores(load, given) == pytest.approx((0.2 + 0.3) * 2)
    assert capacity.database_class(2.0) == "db.m6g.large (2 vCPU, 8 GiB)"
    assert capacity.database_class(2.1) == "db.m6g.xlarge (4 vCPU, 16 GiB)"
