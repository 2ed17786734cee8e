"""The command `stackmentor` with an observer of its event loop. SIGUSR1 has it write what it saw since the last time.

What is written goes, as a line of JSON, to the file that `STEPS_FILE` names.
"""

import json
import os
import signal
import time
from functools import partial
from pathlib import Path

import trio
from trio.lowlevel import Task

from chathttp.cli import main


class StepClock(trio.abc.Instrument):
    """The longest step of any task, by the CPU time of the loop's thread, so that other processes do not count."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._began = 0
        self._longest = 0
        self._task = ""
        self._steps = 0

    def before_task_step(self, task: Task) -> None:
        del task
        self._began = time.thread_time_ns()

    def after_task_step(self, task: Task) -> None:
        taken = time.thread_time_ns() - self._began
        self._steps += 1
        if taken > self._longest:
            self._longest, self._task = taken, task.name

    def report(self, *_: object) -> None:
        seen = {"longest_ms": self._longest / 1e6, "task": self._task, "steps": self._steps}
        self._longest, self._task, self._steps = 0, "", 0
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(seen))
        part.replace(self._path)


def observe(path: Path) -> None:
    """Every `trio.run` from now on has a clock on it."""
    clock = StepClock(path)
    trio.__dict__["run"] = partial(trio.run, instruments=[clock])
    signal.signal(signal.SIGUSR1, clock.report)


if __name__ == "__main__":
    observe(Path(os.environ["STEPS_FILE"]))
    main()
