"""The server's CPU and memory, from where they can be had."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol
from urllib.error import URLError
from urllib.request import urlopen

from attrs import frozen

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TIMEOUT: Final = 1.0


@frozen
class Usage:
    """Seconds of CPU since the process began, and resident bytes."""

    cpu: float
    rss: int


class ServerProbe(Protocol):
    @property
    def source(self) -> str:
        """Where the figures are from."""
        ...

    def read(self) -> Usage | None:
        """None when they cannot be had now."""
        ...


class ProcessProbe:
    """A process of this machine, by proc(5)."""

    def __init__(self, pid: int) -> None:
        self._proc = Path(f"/proc/{pid}")
        self.source = f"process {pid}"

    def read(self) -> Usage | None:
        try:
            fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
            resident = (self._proc / "statm").read_text().split()[1]
        except OSError:
            return None
        return Usage((int(fields[11]) + int(fields[12])) / _TICKS, int(resident) * _PAGE)


class MetricsProbe:
    """A server's Prometheus page (text format), which has `process_cpu_seconds_total` and
    `process_resident_memory_bytes`.
    """

    def __init__(self, url: str) -> None:
        self.source = url

    def read(self) -> Usage | None:
        try:
            with urlopen(self.source, timeout=_TIMEOUT) as response:  # noqa: S310 - the operator's own URL
                text = response.read().decode("utf-8", "replace")
        except (OSError, URLError, ValueError):
            return None
        cpu = _sample(text, "process_cpu_seconds_total")
        rss = _sample(text, "process_resident_memory_bytes")
        return None if cpu is None or rss is None else Usage(cpu, int(rss))


class SumProbe:
    """Several processes or pages as one; none has figures when one has none."""

    def __init__(self, probes: Sequence[ServerProbe]) -> None:
        self._probes = probes
        self.source = ", ".join(each.source for each in probes)

    def read(self) -> Usage | None:
        usages = [each.read() for each in self._probes]
        known = [each for each in usages if each is not None]
        if len(known) < len(usages):
            return None
        return Usage(sum(each.cpu for each in known), sum(each.rss for each in known))


class NoProbe:
    """Nothing is known of the server."""

    source = ""

    def read(self) -> Usage | None:
        return None


def _sample(text: str, name: str) -> float | None:
    """The sum over the labels of a metric; None when it is not there."""
    found: list[float] = []
    for line in text.splitlines():
        if line.startswith((name + " ", name + "{")):
            words = line.rpartition("}")[2].split() if "{" in line else line.split()[1:]
            found.append(float(words[0]))
    return sum(found) if found else None
