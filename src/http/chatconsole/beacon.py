"""The file by which a console finds a node of this machine: one for each process, under the data directory.

Its owner holds a lock on it (flock(2)), which the kernel drops with the process: a file that can be locked is stale,
whatever process has its number by now.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Generator
from pathlib import Path
from typing import Final

import msgspec

FOLDER: Final = "console"


class Beacon(msgspec.Struct, rename="camel", frozen=True):
    """Where a node's management port is, and the token for it. `host` is an address, or a Unix socket's path."""

    pid: int
    host: str
    port: int
    token: str
    started: float
    serves: str


@contextlib.contextmanager
def lit(data_dir: Path, beacon: Beacon) -> Generator[Path]:
    """The file is there, for its owner only (0600), while the block runs. Raises `OSError`."""
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    beacons(data_dir)
    path = folder / f"{beacon.pid}-{secrets.token_hex(4)}.json"
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, msgspec.json.encode(beacon))
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)


def beacons(data_dir: Path) -> list[Beacon]:
    """Those of the nodes that live, the eldest first. Stale files are removed where that is allowed."""
    found: list[Beacon] = []
    for path in sorted((data_dir / FOLDER).glob("*.json")):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if _is_stale(file.fileno()):
                _remove(path, file.fileno())
                continue
            with contextlib.suppress(msgspec.DecodeError):
                found.append(msgspec.json.decode(file.read(), type=Beacon))
    return sorted(found, key=lambda beacon: beacon.started)


def _is_stale(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove(path: Path, descriptor: int) -> None:
    """Unless it is being written: between its creation and its lock it is empty."""
    if os.fstat(descriptor).st_size:
        with contextlib.suppress(OSError):
            path.unlink()
