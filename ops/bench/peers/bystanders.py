"""How much of the machine others used meanwhile: a measurement next to a busy neighbour is none."""

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from ops.bench.client import cpu_seconds

_TICKS: Final = os.sysconf("SC_CLK_TCK")
# user, nice, system and steal of a line `cpuN` of /proc/stat (proc(5)); what interrupts take is everybody's.
_BUSY: Final = (1, 2, 3, 8)


def busy_seconds(cores: Sequence[int]) -> float:
    """CPU time that all processes, and the host's other guests, have used on these cores."""
    names = {f"cpu{core}" for core in cores}
    lines = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
    return sum(int(fields[at]) for fields in lines if fields[0] in names for at in _BUSY) / _TICKS


class Bystanders:
    """While its block lasts, counts what is used on `cores` by others than `pids`."""

    def __init__(self, cores: Sequence[int], pids: Sequence[int]) -> None:
        self._cores = sorted(set(cores))
        self._pids = pids
        self._started = self._busy = self._own = 0.0
        self.share = 0.0
        """Of the cores, once the block has ended; between 0 and 1."""

    def __enter__(self) -> Self:
        self._own, self._busy, self._started = self._used(), busy_seconds(self._cores), time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        wall = time.monotonic() - self._started
        foreign = busy_seconds(self._cores) - self._busy - (self._used() - self._own)
        self.share = min(max(foreign / (wall * len(self._cores)), 0.0), 1.0)

    def _used(self) -> float:
        used = 0.0
        for pid in self._pids:
            with contextlib.suppress(FileNotFoundError):
                used += cpu_seconds(pid)
        return used
