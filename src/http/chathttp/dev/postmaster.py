"""PostgreSQL's ``postmaster.pid``: who runs on a data directory.

Lines, from PostgreSQL's ``src/include/utils/pidfile.h``: pid, data directory, start time, port, socket directory,
listen address, shared memory key and id, status.
"""

import os
import subprocess
from pathlib import Path
from typing import Final

import attrs

_FILE: Final = "postmaster.pid"
_SOCKET_LINE, _STATUS_LINE = 4, 7


@attrs.frozen
class Postmaster:
    """A server that is alive, the directory of its socket, and whether it accepts connections."""

    pid: int
    socket_directory: Path
    ready: bool


def read_postmaster(directory: Path) -> Postmaster | None:
    """The server that runs on ``directory``; None for no file, a file of a dead server, or a pid used anew."""
    lines = _lines(directory)
    pid = _pid(lines)
    if pid is None or not _serves(pid, directory):
        return None
    lines += [""] * (_STATUS_LINE + 1 - len(lines))
    return Postmaster(pid, Path(lines[_SOCKET_LINE]), ready=lines[_STATUS_LINE].strip() == "ready")


def release_foreign_pid(directory: Path) -> None:
    """Lets PostgreSQL start when its old pid belongs to some other process now, as after a restart of a container.

    The file stays, since by its shared memory key PostgreSQL knows whether children of the dead server still run; the
    pid becomes ours, that is the new server's parent's, which PostgreSQL takes for stale.
    """
    lines = _lines(directory)
    pid = _pid(lines)
    if pid is None or _serves(pid, directory):
        return
    path = directory / _FILE
    path.write_text("\n".join([str(os.getpid()), *lines[1:], ""]))


def _lines(directory: Path) -> list[str]:
    try:
        return (directory / _FILE).read_text().splitlines()
    except FileNotFoundError:
        return []


def _pid(lines: list[str]) -> int | None:
    # A standalone backend writes its pid negated; it is no server.
    return int(lines[0]) if lines and lines[0].strip().isdigit() else None


def _serves(pid: int, directory: Path) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except FileNotFoundError:
        if Path("/proc/self/cmdline").exists():
            return False
        listed = subprocess.run(["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
        return b"postgres" in listed.stdout and os.fsencode(directory) in listed.stdout
    except ProcessLookupError:
        return False
    return b"postgres" in arguments[0] and os.fsencode(directory) in arguments
