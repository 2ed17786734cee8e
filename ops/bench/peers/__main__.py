"""``python -m ops.bench.peers``: this server beside others, for each number of subscribers. Run `setup.sh` first."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ops.bench.broadcast.build import BuildError, build
from ops.bench.kept import read_kept, write_kept
from ops.bench.peers import broadcaster, node_ws, python_peers, rabbitmq, stackmentor
from ops.bench.peers.compare import CASES, Comparison
from ops.bench.peers.peer import Peer
from ops.bench.peers.processes import Cores, PeerError
from ops.bench.peers.report import Report, Row, comparable, machine, markdown

PEERS: Final = {
    "broadcaster": broadcaster.PEER,
    "websockets_broadcast": python_peers.WEBSOCKETS,
    "node_ws": node_ws.PEER,
    "fastapi_uvicorn": python_peers.FASTAPI,
    "django_channels": python_peers.CHANNELS,
    "rabbitmq": rabbitmq.PEER,
}
_RESULTS: Final = Path(__file__).parents[1] / "results"


def _arguments() -> argparse.Namespace:
    today = datetime.now(UTC).date().isoformat()
    parser = argparse.ArgumentParser(prog="python -m ops.bench.peers", description=__doc__)
    parser.add_argument("--only", default=",".join(PEERS), help="peers, separated by commas (default: all)")
    parser.add_argument("--subscribers", default="100,1000,5000", help="numbers of subscribers (default: %(default)s)")
    parser.add_argument("--cases", default="", help="numbers of the cases, from 1 (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement (default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, default=_RESULTS / f"peers-{today}.json", help="rows are added to this file"
    )
    return parser.parse_args()


def _empty_report(cores: Cores) -> Report:
    return Report(
        date=datetime.now(UTC).date().isoformat(),
        machine=machine(),
        version=stackmentor.PEER.version(),
        cores={"server": cores.server, "database": cores.others, "meter": cores.others},
        rows=(),
    )


def main() -> int:
    given = _arguments()
    names: Sequence[str] = given.only.split(",")
    if unknown := set(names) - PEERS.keys():
        print(f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}", file=sys.stderr)
        return 2
    peers: list[Peer] = [PEERS[name] for name in names]
    cases = [CASES[int(number) - 1] for number in given.cases.split(",")] if given.cases else CASES
    cores = Cores.of_this_machine()
    report = empty = _empty_report(cores)
    if given.out.exists():
        report = read_kept(given.out, Report)
        if not comparable(report, empty):
            print(f"{given.out} is of another version or machine: move it away, or give another --out", file=sys.stderr)
            return 2
    faults = 0
    with tempfile.TemporaryDirectory(prefix="stackmentor-meter-") as directory:
        try:
            meter = build(Path(directory)).meter
            comparison = Comparison(meter, stackmentor.PEER, cores, given.rounds, given.seconds)
            for size in map(int, given.subscribers.split(",")):
                for row in comparison.rows(peers, size, cases):
                    report = report.with_rows([row])
                    write_kept(report, given.out)
                    print(_line(row), flush=True)
                    faults += row.ours.faults if row.ours else 0
        except (BuildError, PeerError) as error:
            print(error, file=sys.stderr)
            return 2
    print(markdown(report))
    if faults:
        print(f"{faults} messages were lost, doubled or out of order", file=sys.stderr)
    return 1 if faults else 0


def _line(row: Row) -> str:
    head = f"{row.peer}, {row.subscribers} subscribers, {row.case}: "
    figures = ", ".join(f"{name} {ratio}x" for name, ratio in row.ratios.items())
    return head + (row.skipped or f"{figures}; others used {row.bystanders:.0%} of the cores")


if __name__ == "__main__":
    sys.exit(main())
