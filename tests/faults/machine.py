"""A disk that can be filled under PostgreSQL, and a node's wall clock that can be set."""

import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import attrs

from chathttp.dev.postmaster import read_postmaster
from tests.kit.postgres import PostgresServer, is_leftover, remove_scratch, scratch_directory

DISK_SIZE: Final = "192m"
_SHIM: Final = Path(__file__).parent / "clock.c"
_DISK: Final = "disk"
_BALLAST: Final = 4 * 2**20


@attrs.frozen
class Disk:
    """The file system that holds a PostgreSQL."""

    place: Path

    @property
    def _ballast(self) -> Path:
        return self.place / "ballast"

    def fill(self) -> None:
        """To the last byte."""
        with open(self._ballast, "ab", buffering=0) as file, suppress(OSError):
            for size in (_BALLAST, 4096, 1):
                with suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def postgres_on_small_disk(*, with_wal: bool = False) -> Generator[tuple[PostgresServer, Disk]]:
    """A server whose tables are on a small tmpfs (root only). Without `with_wal` its write-ahead log is elsewhere:
    PostgreSQL ends itself when that cannot grow.
    """
    _end_leftovers()
    directory = scratch_directory()
    place = directory / _DISK
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE},mode=711", "tmpfs", place], check=True)
    try:
        server = PostgresServer(place)
        if not with_wal:
            _move_wal(server, directory / "wal")
        with server:
            yield server, Disk(place)
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)
        remove_scratch(directory)


def _end_leftovers() -> None:
    """Of runs that were killed: the directories that hold the disks are locked by those that still run."""
    for line in Path("/proc/mounts").read_text().splitlines():
        place = Path(line.split()[1])
        if place.name == _DISK and is_leftover(place.parent):
            server = read_postmaster(place / "postgres")
            if server is not None:
                with suppress(ProcessLookupError):
                    os.kill(server.pid, signal.SIGQUIT)
            subprocess.run(["umount", "--lazy", place], check=True)
            shutil.rmtree(place.parent, ignore_errors=True)


def _move_wal(server: PostgresServer, wal: Path) -> None:
    inside = server.cluster.directory / "pg_wal"
    shutil.copytree(inside, wal)
    server.cluster.account.own(wal)
    for path in wal.rglob("*"):
        server.cluster.account.own(path)
    wal.chmod(0o700)
    shutil.rmtree(inside)
    inside.symlink_to(wal)


class Clock:
    """The wall clock of the processes that run with `env`."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self.set(0)
        shim = directory / "clock.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", shim, _SHIM, "-ldl"], check=True)
        self.env = {"LD_PRELOAD": os.fspath(shim), "FAULTS_CLOCK": os.fspath(self._file)}

    def set(self, seconds: int) -> None:
        """Ahead of this machine's, at once."""
        with open(self._file, "r+b" if self._file.exists() else "w+b") as file:
            file.write(struct.pack("=q", seconds))
