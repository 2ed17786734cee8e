from pathlib import Path

import pytest

from ops.bench.goals import Goal, Goals, figure, markdown, ratio
from ops.bench.kept import read_kept, write_kept
from ops.bench.readme import page_with_results

BENCH = Path(__file__).parents[3] / "ops/bench"


def test_the_page_shows_the_newest_results() -> None:
    page = (BENCH / "README.md").read_text()
    assert page_with_results(page, BENCH / "results") == page


def test_without_results_there_is_no_page(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bench"):
        page_with_results((BENCH / "README.md").read_text(), tmp_path)


def test_goals_are_kept_and_say_whether_they_are_met(tmp_path: Path) -> None:
    rows = (
        ratio("rate", 90, 100, yardstick="peer", unit="/s", cores="both", at_least=0.85),
        ratio("latency", 3, 1, yardstick="peer", unit="ms", cores="both", at_most=2),
        figure("memory", 7.4, unit="KiB", cores="both", at_most=24),
        Goal(name="absent", value=None, at_least=1, note="not installed"),
    )
    goals = Goals(date="2026-01-01", machine="one", version="1", rows=rows)
    write_kept(goals, tmp_path / "bench-1.json")
    kept = read_kept(tmp_path / "bench-1.json", Goals)
    assert [goal.met for goal in kept.rows] == [True, False, True, None]
    table = markdown(kept).splitlines()
    assert table[-4:] == [
        "| rate | 90 /s | peer: 100 /s | 0.90 | ≥ 0.85 | yes | both |",
        "| latency | 3 ms | peer: 1 ms | 3.00 | ≤ 2 | no | both |",
        "| memory | 7.4 KiB |  |  | ≤ 24 | yes | both |",
        "| absent | not installed |  |  | ≥ 1 | not measured |  |",
    ]
