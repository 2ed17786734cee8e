from pathlib import Path

import pytest
import trio
from attrs import evolve

from ops.bench import console
from ops.bench.console_report import INSTALLED, LOOKING, Cost, FanOut, Switch, Whole, markdown
from ops.bench.kept import read_kept, write_kept

COST = Cost(
    date="2026-01-01",
    machine="one",
    subscribers=1000,
    others=0.02,
    fan_out=[FanOut("nobody", 3e-6, 0.0, 3.8, 12.2), FanOut("follow", 3.3e-6, 0.1, 5.0, 12.5)],
    switches=[Switch("nothing", 2.5e-6, 2.6e-6, 0.0), Switch("clock of steps", 3.5e-6, 3.6e-6, 0.4)],
    snapshot=Whole(2000, 10_000, 0.15, 0.0031),
)


def test_report_tells_each_cost_beside_that_of_nobody_and_when_the_machine_was_busy(tmp_path: Path) -> None:
    write_kept(COST, tmp_path / "console-1.json")
    lines = markdown(read_kept(tmp_path / "console-1.json", Cost)).splitlines()
    assert lines[0] == "2026-01-01, one."
    assert "| nobody attached | 3.00 µs |  | 3.8 ms | 12.2 ms |" in lines
    assert "| following every message | 3.30 µs | +10% | 5.0 ms | 12.5 ms |" in lines
    assert "| steps timed | 3.50 µs | +40% |" in lines
    assert lines[-1].endswith("takes 150 ms in slices; the longest step of the loop is 3.1 ms of CPU.")
    assert markdown(evolve(COST, others=0.31)).startswith("2026-01-01, one. A busy machine: others had 31% of the")


def test_everything_that_is_measured_has_its_line() -> None:
    assert console.LOOKS.keys() == LOOKING.keys()
    assert console.INSTALLED.keys() == INSTALLED.keys()


def test_a_tiny_run_measures_switches_and_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "SWITCHES", 1000)
    monkeypatch.setattr(console, "TASKS", 300)
    monkeypatch.setattr(console, "CONVERSATIONS", 200)
    rows = {row.installed: row for row in trio.run(console.switches, 1)}
    assert rows.keys() == INSTALLED.keys()
    assert all(row.least > 0 for row in rows.values())
    whole = trio.run(console.snapshot, 1)
    assert (whole.conversations, whole.tasks) == (200, 300)
    assert 0 < whole.step <= whole.took + 1
