"""``stackmentor console``: what a node of this machine is at, live in the terminal or printed once."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from chatconsole.beacon import Beacon, beacons
from chatconsole.client import ConsoleError, decode, fetch
from chatconsole.plain import plain
from chathttp.cli.environment import QUIET, read_settings


def console(
    once: Annotated[bool, typer.Option("--once", help="Print everything once, and end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --once: as JSON, one object a node and line.")] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Offer no action on the node.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where the node keeps its data.")] = None,
    pid: Annotated[int | None, typer.Option(help="Of several nodes only this process.")] = None,
    observe: Annotated[float, typer.Option(help="Seconds to watch before the look, for rates and times.")] = 0.5,
    sections: Annotated[str, typer.Option(help="Of: loop,tasks,supervision,actors,… Empty: all.")] = "",
    root: Annotated[str | None, typer.Option(help="Id of a task or nursery, to see only what is below it.")] = None,
    fan: Annotated[int, typer.Option(help="Children of a nursery that are listed one by one.")] = 8,
    limit: Annotated[int, typer.Option(help="Rows of each section.")] = 200,
    grep: Annotated[str, typer.Option(help="Only actors, conversations and sockets with this in their name.")] = "",
    reveal: Annotated[bool, typer.Option("--reveal", help="Users' ids; this is noted in the node's log.")] = False,
) -> None:
    """Look into a running node: its tasks, supervisors, actors, sockets, and what is wrong with them."""
    settings = read_settings(QUIET, data_dir=data_dir)
    if not once:
        _open_terminal(settings.data_dir, pid, read_only=read_only, reveal=reveal)
        return
    query = {"observe": f"{observe:g}", "fan": str(fan), "limit": str(limit), "reveal": str(reveal).lower()}
    query |= {name: value for name, value in (("sections", sections), ("root", root), ("grep", grep)) if value}
    for number, beacon in enumerate(_nodes(settings.data_dir, pid)):
        body = fetch(beacon, query)
        if json:
            sys.stdout.write(body.decode() + "\n")
        else:
            sys.stdout.write(("\n" if number else "") + plain(decode(body)))


def _open_terminal(data_dir: Path, pid: int | None, *, read_only: bool, reveal: bool) -> None:
    if find_spec("textual") is None or find_spec("websockets") is None:
        raise ConsoleError("the console needs its extra: pip install 'stackmentor-chat[console]'; --once works without")
    found = _nodes(data_dir, pid)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConsoleError("the console needs a terminal; --once prints everything as text")
    from chatconsole.terminal.app import run
    from chatconsole.terminal.nodes import Nodes

    run(Nodes(data_dir), found[0] if len(found) == 1 else None, read_only=read_only, reveal=reveal)


def _nodes(data_dir: Path, pid: int | None) -> list[Beacon]:
    found = [beacon for beacon in beacons(data_dir) if pid in (None, beacon.pid)]
    if not found:
        which = "no node" if pid is None else f"no node with process id {pid}"
        raise ConsoleError(f"{which} runs on the data directory {data_dir}; set STACKMENTOR_DATA_DIR or --data-dir")
    return found
