"""``python -m ops.bench.growth``: how cost grows with subscribers, connections and busy conversations.

Writes a JSON file, four curves into the documents, and the table of docs/capacity.md.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from attrs import evolve

from ops.bench.broadcast.build import BuildError, build
from ops.bench.growth_measure import busy_conversations, connection_sizes, fan_out, memory, raise_open_files
from ops.bench.growth_page import replace_part
from ops.bench.growth_report import Growth, draw, markdown
from ops.bench.kept import read_kept, write_kept
from ops.bench.peers import stackmentor
from ops.bench.peers.processes import Cores
from ops.bench.peers.report import machine

PART: Final = "growth"
"""Of the page: it stands between two comments of this name."""
PAGE: Final = "capacity.md"
PARTS: Final = ("fanout", "memory", "commits")
_ROOT: Final = Path(__file__).parents[2]


def _sizes(text: str) -> list[int]:
    sizes = [int(word) for word in text.split(",")]
    if min(sizes) < 1:
        raise ValueError("a size is at least 1")
    return sizes


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    today = datetime.now(UTC).date().isoformat()
    results = _ROOT / "ops" / "bench" / "results"
    parser = argparse.ArgumentParser(prog="python -m ops.bench.growth", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas (default: %(default)s)")
    parser.add_argument("--subscribers", type=_sizes, default="10,100,1000,5000,10000", help="of one room")
    parser.add_argument("--connections", type=_sizes, default="1000,5000,10000,20000", help="that are idle")
    parser.add_argument("--conversations", type=_sizes, default="1,10,100,1000", help="that are busy")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement in a room (default: 2)")
    parser.add_argument("--hold", type=float, default=10.0, help="seconds for which connections idle (default: 10)")
    parser.add_argument(
        "--out", type=Path, default=results / f"growth-{today}.json", help="rows are added to this file"
    )
    parser.add_argument("--docs", type=Path, default=_ROOT / "docs", help="directory of the curves and the page")
    parser.add_argument("--table", action="store_true", help="measure nothing: print the table, write curves and page")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    given = _arguments(argv)
    parts: list[str] = given.only.split(",")
    if unknown := set(parts) - set(PARTS):
        print(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    out: Path = given.out
    if given.table:
        if not out.exists():
            print(f"{out} is not there: measure first, or give another --out", file=sys.stderr)
            return 2
        growth = read_kept(out, Growth)
    else:
        growth = new = _empty()
        if out.exists():
            growth = read_kept(out, Growth)
            if not growth.comparable(new):
                print(f"{out} is of another version or machine: move it away, or give another --out", file=sys.stderr)
                return 2
        try:
            growth = _measure(given, parts, growth)
        except BuildError as error:
            print(error, file=sys.stderr)
            return 2
    _publish(growth, given.docs)
    print(markdown(growth), end="")
    faults = sum(row.side.faults for row in growth.fan_out if row.side)
    if faults:
        print(f"{faults} messages were lost, doubled or out of order", file=sys.stderr)
    return 1 if faults else 0


def _empty() -> Growth:
    cores = Cores.of_this_machine()
    return Growth(
        date=datetime.now(UTC).date().isoformat(),
        machine=machine(),
        version=stackmentor.PEER.version(),
        cores={"server": cores.server, "PostgreSQL": cores.others, "meter": cores.others},
    )


def _measure(given: argparse.Namespace, parts: Sequence[str], growth: Growth) -> Growth:
    """What is measured is written at once, so that an interruption costs no more than one row."""
    limit = raise_open_files()
    out: Path = given.out
    if "fanout" in parts:
        with tempfile.TemporaryDirectory(prefix="stackmentor-meter-") as directory:
            for row in fan_out(build(Path(directory)).meter, given.subscribers, given.seconds):
                growth = _kept(growth.with_rows(fan_out=[row]), out)
    if "memory" in parts:
        sizes = connection_sizes(given.connections, limit)
        if max(sizes) < max(given.connections):
            print(f"the limit of open files is {limit:,}: at most {max(sizes):,} connections", file=sys.stderr)
        for row in memory(sizes, given.hold):
            growth = _kept(growth.with_rows(memory=[row]), out)
    if "commits" in parts:
        for row in busy_conversations(given.conversations):
            growth = _kept(growth.with_rows(commits=[row]), out)
    return growth


def _kept(growth: Growth, path: Path) -> Growth:
    growth = evolve(growth, date=datetime.now(UTC).date().isoformat())
    write_kept(growth, path)
    return growth


def _publish(growth: Growth, docs: Path) -> None:
    draw(growth, docs)
    page = docs / PAGE
    if page.exists():
        page.write_text(replace_part(page.read_text("utf-8"), PART, markdown(growth)), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
