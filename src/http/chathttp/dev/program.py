"""A server program that ``dev`` brings along: run until cancelled, started again whenever it ends by itself."""

import os
import signal
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import attrs
import structlog
import trio

from chathttp.dev.account import SpawnOptions
from chathttp.dev.errors import DevError

ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
"""A small one: nothing of ours may change what the program does."""
START_PATIENCE: Final = 120.0
"""Seconds for a first start, recovery after a crash included."""
RESTART_DELAYS: Final = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each restart in a row; the last one repeats."""
STABLE: Final = 60.0
"""Seconds of service after which a failure counts as the first one again."""
POLL: Final = 0.02
"""Seconds between two looks at whether a program is ready, or gone."""

_LOG_LIMIT: Final = 10 * 2**20
_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chathttp.dev")


@attrs.frozen
class LogFile:
    """What a program says. Kept to one old file of some megabytes."""

    path: Path

    def open(self) -> int:
        """A descriptor that appends."""
        if self.path.exists() and self.path.stat().st_size > _LOG_LIMIT:
            self.path.replace(self.path.with_suffix(".log.1"))
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def last_line(self) -> str:
        """The last line that tells of an error, for a message to the user."""
        lines = self.path.read_bytes()[-8192:].decode("utf-8", "replace").splitlines() if self.path.exists() else []
        telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "ERROR" in line] or lines
        return telling[-1].strip() if telling else "it wrote no log"


class Program(Protocol):
    """How one server is run. What it is asked may block for a moment: it is asked in a thread."""

    @property
    def name(self) -> str:
        """As the user knows it."""
        ...

    @property
    def log(self) -> LogFile: ...

    @property
    def stopping(self) -> tuple[tuple[signal.Signals, float], ...]:
        """The signals that end it, the mildest first, each with the seconds it is given; then comes SIGKILL."""
        ...

    def command(self) -> list[str]: ...

    def spawn_options(self) -> SpawnOptions:
        """Whose process it becomes."""
        ...

    def prepare(self) -> None:
        """What must be done before each start."""
        ...

    def ready(self, pid: int) -> bool:
        """Whether the process ``pid`` serves."""
        ...

    def stop_leftover(self) -> None:
        """Stops what a killed run left behind. Raises :class:`DevError` when it will not go."""
        ...


async def run_program(program: Program, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Serves until cancelled; started once it is ready.

    Stops one that a killed run left behind before it starts its own, and starts it again whenever it ends. On
    cancellation it is gone before this returns. Raises :class:`DevError` when the first start fails. The caller holds
    the data directory's lock.
    """
    await trio.to_thread.run_sync(program.stop_leftover)
    reported = False
    failures = 0
    while True:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(partial(_serve_once, program))
            ready = await becomes_ready(program, process, START_PATIENCE if not reported else float("inf"))
            if ready and not reported:
                reported = True
                task_status.started()
            if not reported:
                nursery.cancel_scope.cancel()
            await process.wait()
        if not reported:
            raise DevError(f"{program.name} does not start: {program.log.last_line()} (see {program.log.path})")
        failures = 0 if trio.current_time() - began > STABLE else failures + 1
        delay = RESTART_DELAYS[min(failures, len(RESTART_DELAYS) - 1)]
        _log.warning(
            "server_ended",
            server=program.name,
            status=process.returncode,
            restart_in=delay,
            last_line=program.log.last_line(),
        )
        await trio.sleep(delay)


async def becomes_ready(program: Program, process: trio.Process, patience: float) -> bool:
    """Waits for it; False when it ended before, or ``patience`` seconds did."""
    with trio.move_on_after(patience):
        while process.returncode is None:
            if await trio.to_thread.run_sync(program.ready, process.pid):
                return True
            await trio.sleep(POLL)
    return False


async def _serve_once(program: Program, *, task_status: trio.TaskStatus[trio.Process]) -> None:
    program.prepare()
    log = program.log.open()
    try:
        await trio.run_process(
            program.command(),
            cwd="/",
            env=ENVIRONMENT,
            stdout=log,
            stderr=log,
            check=False,
            deliver_cancel=partial(_stop, program),
            start_new_session=True,
            task_status=task_status,
            **program.spawn_options(),
        )
    finally:
        os.close(log)


async def _stop(program: Program, process: trio.Process) -> None:
    for number, seconds in program.stopping:
        process.send_signal(number)
        with trio.move_on_after(seconds):
            await process.wait()
            return
    process.kill()
