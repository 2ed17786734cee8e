"""``stackmentor dev`` as a user starts it: a process of its own, on a data directory of its own."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final, Self
from urllib.parse import urlsplit

from chathttp.dev.cluster import known_directory
from chathttp.dev.postmaster import read_postmaster
from tests.kit.command import COMMAND

PASSWORD: Final = "Passw0rd!"
"""Of alice@example.com, bob@example.com and carol@example.com."""
READY: Final = "stackmentor ready "
START_PATIENCE: Final = 90.0
STOP_PATIENCE: Final = 45.0


class DevServer:
    """Runs until the block ends; the data directory stays, so another one may go on from it.

    ``env`` adds to the environment, from which all ``STACKMENTOR_`` variables, and make's, are taken away first.
    ``command`` is another way to start the same thing. What the server logs is in ``<data_dir>/server.log``.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        env: Mapping[str, str] | None = None,
        command: tuple[str, ...] = (*COMMAND, "dev"),
        cwd: Path | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.url = ""
        self._command = command
        self._cwd = cwd
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("STACKMENTOR_", "MAKE"))}
        ours = {
            "STACKMENTOR_PORT": str(port),
            "STACKMENTOR_MANAGEMENT_PORT": "0",
            "STACKMENTOR_DATA_DIR": str(data_dir),
            "STACKMENTOR_DRAIN_TIME": "0.2",
        }
        self._env = {**clean, **ours, **(env or {})}
        self._process: subprocess.Popen[str] | None = None
        self.later_output = ""
        """What came on stdout after the ready line; known once the server has stopped."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_PATIENCE)
        self.kill()
        self.stop_postgres()

    @property
    def ws_url(self) -> str:
        """The STOMP endpoint."""
        return f"ws://{urlsplit(self.url).netloc}/ws"

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def postgres_pid(self) -> int | None:
        """The embedded PostgreSQL's process, None when there is none."""
        server = read_postmaster(known_directory(self.data_dir.resolve()))
        return server.pid if server else None

    @property
    def log(self) -> str:
        """All that the server wrote to stderr."""
        path = self.data_dir / "server.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def start(self) -> None:
        """Returns when the server says that it is ready. Raises AssertionError with its log when it does not."""
        self.start_without_waiting()
        self.await_ready()

    def await_ready(self) -> None:
        """The second half of ``start``."""
        line = _first_line(self._stdout(), START_PATIENCE)
        if not line.startswith(READY):
            self.kill()
            raise AssertionError(f"not ready but {line!r}; log:\n{self.log[-8000:]}")
        self.url = line.removeprefix(READY).strip()

    def start_without_waiting(self) -> None:
        """Starts the process, no more."""
        assert self._process is None or self._process.poll() is not None, "it runs already"
        with open(self.data_dir / "server.log", "ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._env,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    def interrupt(self) -> None:
        """Ctrl-C in its terminal: SIGINT to the whole foreground process group."""
        os.killpg(self.pid, signal.SIGINT)

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self._running().send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """The exit status, once it ended."""
        process = self._running()
        status = process.wait(STOP_PATIENCE)
        self.later_output = self._stdout().read()
        self._stdout().close()
        return status

    def stop(self) -> None:
        """SIGTERM; it must drain, end with status 0, and take its PostgreSQL along."""
        self.terminate()
        status = self.wait()
        assert status == 0, f"status {status} after SIGTERM; log:\n{self.log[-8000:]}"
        assert self.postgres_pid is None, "PostgreSQL outlived its owner"

    def kill(self) -> None:
        """SIGKILL to the server alone: its PostgreSQL is left behind, as after a real crash."""
        process = self._running()
        process.kill()
        process.wait()
        self._stdout().close()

    def restart(self) -> None:
        """After ``stop`` or ``kill``, or in place of them: stops in order what still runs, and starts again."""
        if self._running().poll() is None:
            self.stop()
        self.start()

    def stop_postgres(self) -> None:
        """Stops a PostgreSQL that was left behind."""
        deadline = time.monotonic() + STOP_PATIENCE
        while (pid := self.postgres_pid) is not None and time.monotonic() < deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)
            time.sleep(0.05)

    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "it was never started"
        return self._process

    def _stdout(self) -> IO[str]:
        stdout = self._running().stdout
        assert stdout is not None
        return stdout


def _first_line(stream: IO[str], patience: float) -> str:
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        return stream.readline() if selector.select(patience) else ""
