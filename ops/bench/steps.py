"""The longest step of the server's event loop while it fans out to a large room."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from attrs import frozen

from ops.bench.broadcast.meter import Plan
from ops.bench.room import measured_room
from ops.bench.target import started_target

_PATIENCE: Final = 10.0


@frozen
class Steps:
    """The longest of `count` steps, in milliseconds of CPU, and the name of its task."""

    longest_ms: float
    task: str
    count: int


def run(meter: Path, subscribers: int = 5000) -> Steps:
    """Messages one at a time, then eight at a time, over about four seconds; the room is there already."""
    seen = Path(f"{meter}-steps.json")
    command = (sys.executable, "-m", "ops.bench.observed_server", "dev")
    with (
        started_target({"STEPS_FILE": str(seen)}, command) as target,
        measured_room(target, meter, subscribers) as room,
    ):
        room.measure(Plan(messages=3))
        _report(target.pid, seen)
        for in_flight in (1, 8):
            room.measure(Plan(in_flight=in_flight, seconds=2))
        return _report(target.pid, seen)


def _report(pid: int, file: Path) -> Steps:
    file.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    deadline = time.monotonic() + _PATIENCE
    while not file.exists():
        if time.monotonic() > deadline:
            raise TimeoutError("the server reports no steps")
        time.sleep(0.05)
    seen = json.loads(file.read_text())
    return Steps(seen["longest_ms"], seen["task"], seen["steps"])
