"""Starts a peer as a process of its own, on a core of its own, and knows all processes that belong to it."""

import contextlib
import os
import random
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import frozen

START_PATIENCE: Final = 60.0
STOP_PATIENCE: Final = 20.0


class PeerError(Exception):
    """A peer did not start, or is not installed; the text says why."""


@frozen
class Cores:
    """Where server, database and meter run: the server alone on the first core, the others on the second."""

    server: tuple[int, ...]
    others: tuple[int, ...]

    @classmethod
    def of_this_machine(cls) -> "Cores":
        usable = sorted(os.sched_getaffinity(0))
        return cls((usable[0],), (usable[1 if len(usable) > 1 else 0],))


def cache_directory() -> Path:
    """Where `setup.sh` has put the peers. Raises :class:`PeerError`."""
    directory = Path(os.environ.get("STACKMENTOR_BENCH_CACHE", "/var/tmp/stackmentor-bench"))
    if not (directory / "done").exists():
        raise PeerError(f"the peers are not in {directory}: run ops/bench/peers/setup.sh first")
    return directory


def free_port() -> int:
    """Below those that the kernel gives to outgoing connections, of which the meter has thousands."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def family_of(pid: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    family = [pid]
    for each in family:
        family += children.get(each, [])
    return family


def pin(pids: Sequence[int], cores: Sequence[int]) -> None:
    """All threads of the processes run on these cores from now on; what they start inherits it."""
    for pid in pids:
        with contextlib.suppress(FileNotFoundError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(thread.name), cores)


@contextmanager
def running(
    command: Sequence[str], log: Path, *, cores: Sequence[int], env: Mapping[str, str] | None = None
) -> Generator[subprocess.Popen[bytes]]:
    """The process runs until the block ends; what it writes is appended to `log`."""
    with open(log, "ab") as output:
        process = subprocess.Popen(
            ["taskset", "-c", ",".join(map(str, cores)), *command],
            env={**os.environ, **(env or {})},
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns when something listens. Raises :class:`PeerError` with the end of the log."""
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise PeerError(f"{process.args!r} does not listen:\n{log.read_text('utf-8', 'replace')[-3000:]}")
