"""`python -m ops.bench.readme`: the newest results into `ops/bench/README.md`."""

from pathlib import Path
from typing import Final

from ops.bench import console_report, goals
from ops.bench.console_report import Cost
from ops.bench.goals import Goals
from ops.bench.growth_page import replace_part
from ops.bench.kept import read_kept
from ops.bench.peers import report
from ops.bench.peers.report import Report
from ops.bench.plans import findings
from ops.bench.plans.findings import Findings

_HERE: Final = Path(__file__).parent


def page_with_results(page: str, results: Path) -> str:
    """The page with the newest `bench-*.json`, `console-*.json`, `plans-*.json` and `peers-*.json`. Raises ValueError
    when one is missing.
    """
    page = replace_part(page, "goals", goals.markdown(read_kept(_newest(results, "bench"), Goals)))
    page = replace_part(page, "console", console_report.markdown(read_kept(_newest(results, "console"), Cost)))
    page = replace_part(page, "plans", findings.markdown(read_kept(_newest(results, "plans"), Findings)))
    return replace_part(page, "peers", report.markdown(read_kept(_newest(results, "peers"), Report)))


def _newest(results: Path, kind: str) -> Path:
    found = sorted(results.glob(f"{kind}-*.json"))
    if not found:
        raise ValueError(f"there is no {kind}-*.json in {results}")
    return found[-1]


if __name__ == "__main__":
    readme = _HERE / "README.md"
    readme.write_text(page_with_results(readme.read_text(), _HERE / "results"))
