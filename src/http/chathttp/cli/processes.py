"""Several processes of our own command line under one parent: started, watched, restarted and drained together.

The parent serves nothing itself, so it has little to fail by. What it is for: ``dev --nodes`` and ``serve --workers``.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import attrs
import structlog
import trio

from actors.runtime.spec import RestartIntensity, RestartWindow

STACKMENTOR: Final = (sys.executable, "-m", "chathttp.cli")
"""Our own command line, in the same environment of packages."""
READY: Final = "stackmentor ready "
"""What a process writes to stdout, followed by its URL, when it serves."""
INTENSITY: Final = RestartIntensity(max_restarts=30, within=60.0, backoff_initial=0.1, backoff_max=5.0)
"""Of all processes of one parent together. The back-off alone keeps one that cannot start below it: only processes
that come up and die again, one after the other, make the parent give up."""
ORPHANED: Final = 3
"""Exit status of a process whose parent is gone."""
_INTERRUPT_AFTER: Final = 0.2
_INTERRUPT_PATIENCE: Final = 5.0
_LAST_WORDS: Final = 1.0
_LONGEST_LINE: Final = 65_536

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chathttp.processes")


class ProcessesError(Exception):
    """The processes were given up; the message is one line for the terminal that names the one at fault."""


@attrs.frozen
class ProcessSpec:
    """One process: :data:`STACKMENTOR` and the arguments of one of its commands, which must begin by calling
    :func:`end_with_parent`.

    ``environment`` is asked before each start and is all the process gets; what it should inherit from
    ``os.environ`` must be in it. ``pass_fds`` are descriptors of ours that it has under the same numbers, such as a
    shared listener; they stay ours to close. With a ``prefix`` each line it writes to stderr comes out of ours with
    that before it; with none it writes to our stderr itself, which costs nothing and leaves JSON lines whole.
    """

    name: str
    command: tuple[str, ...]
    environment: Callable[[], Mapping[str, str]]
    pass_fds: tuple[int, ...] = ()
    prefix: str = ""


class Processes:
    """Runs one process for each of ``specs``, all started at the same time.

    A process says that it serves by the line :data:`READY` on stdout; ``on_ready(name, url)`` is called then, again
    after each restart. One that ends, whatever its status, is started again after a jittered back-off, and the log
    says so. It is given up on, and with it the others, which are drained, when it ends before it ever served (a wrong
    setting, a taken port: it has said itself what is wrong) or when all together exceed ``intensity``.

    Each process leads a session of its own, so that a terminal's Ctrl-C reaches the parent only, which then drains
    all at once by SIGTERM. Its standard input is a pipe that only the parent holds: :func:`end_with_parent` ends it
    when the parent dies, however that dies, so nothing is left behind that holds a port.
    """

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        *,
        on_ready: Callable[[str, str], None],
        drain_patience: float,
        intensity: RestartIntensity = INTENSITY,
        rng: random.Random | None = None,
    ) -> None:
        self._specs = tuple(specs)
        self._on_ready = on_ready
        self._drain_patience = drain_patience
        self._intensity = intensity
        self._rng = rng or random.Random()  # noqa: S311 - jitter of back-offs
        self._window = RestartWindow(intensity)
        self._running: dict[str, trio.Process] = {}
        self._served: set[str] = set()
        self._serving: dict[str, trio.Process] = {}
        self._asked_to_end: set[str] = set()
        self._one_serves = trio.Event()
        """Of the next process that begins to serve."""
        self._ending = trio.Event()
        self._error: ProcessesError | None = None

    async def run(self, drain: trio.Event) -> None:
        """Returns when ``drain`` was set and all processes have ended, which takes ``drain_patience`` seconds at
        most: what runs then is killed. Cancellation ends them at once, in order as far as they manage within
        seconds. Either way no process is left. Raises :class:`ProcessesError`.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end_when, drain)
            async with trio.open_nursery() as keepers:
                for spec in self._specs:
                    keepers.start_soon(self._keep, spec)
            nursery.cancel_scope.cancel()
        if self._error is not None:
            raise self._error

    async def roll(self, number: signal.Signals) -> None:
        """Replace the processes one after the other, each once the one before it serves again. `number` is the signal
        upon which they drain. One that had ended already is let be.
        """
        for spec in self._specs:
            process = self._running.get(spec.name)
            if process is None or self._ending.is_set():
                continue
            _log.info("process_rolled", process=spec.name)
            self._asked_to_end.add(spec.name)
            process.send_signal(number)
            with trio.move_on_after(self._drain_patience):
                await process.wait()
            process.kill()
            while self._serving.get(spec.name) in (None, process):
                await self._one_serves.wait()

    async def _end_when(self, drain: trio.Event) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._forward, drain)
            await self._ending.wait()
            nursery.cancel_scope.cancel()
        for process in self._running.values():
            process.terminate()
        await trio.sleep(self._drain_patience)
        for name, process in self._running.items():
            _log.error("process_killed", process=name, seconds=self._drain_patience)
            process.kill()

    async def _forward(self, drain: trio.Event) -> None:
        await drain.wait()
        self._ending.set()

    async def _keep(self, spec: ProcessSpec) -> None:
        failures = 0
        while not self._ending.is_set():
            began = trio.current_time()
            status = await self._serve(spec)
            if self._ending.is_set():
                return
            if spec.name in self._asked_to_end:
                self._asked_to_end.discard(spec.name)
                continue
            now = trio.current_time()
            if spec.name not in self._served:
                self._give_up(f"{spec.name} does not start: it ended with {_told(status)}")
            elif not self._window.allow(now):
                self._give_up(f"{spec.name} ended with {_told(status)}, after too many restarts")
            else:
                failures = 0 if now - began > self._intensity.within else failures + 1
                delay = self._intensity.delay(failures, self._rng)
                _log.warning("process_ended", process=spec.name, status=_told(status), restart_in=round(delay, 3))
                with trio.move_on_after(delay):
                    await self._ending.wait()

    def _give_up(self, line: str) -> None:
        self._error = ProcessesError(line)
        self._ending.set()

    async def _serve(self, spec: ProcessSpec) -> int:
        """One life of a process; its status, negative for a signal as in :mod:`subprocess`."""
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(
                partial(
                    trio.run_process,
                    spec.command,
                    env=dict(spec.environment()),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE if spec.prefix else None,
                    check=False,
                    deliver_cancel=_end_at_once,
                    start_new_session=True,
                    pass_fds=spec.pass_fds,
                )
            )
            self._running[spec.name] = process
            _log.info("process_started", process=spec.name, pid=process.pid)
            if self._ending.is_set():
                process.terminate()
            assert process.stdin is not None
            assert process.stdout is not None
            # The end of it is awaited and its last words are heard also when that is by cancellation, which
            # `_end_at_once` sees to within seconds.
            with trio.CancelScope(shield=True) as hearing:
                async with process.stdin, trio.open_nursery() as readers:
                    readers.start_soon(_each_line, process.stdout, partial(self._heard, spec))
                    if process.stderr is not None:
                        readers.start_soon(_each_line, process.stderr, partial(_say, spec.prefix))
                    await process.wait()
                    hearing.deadline = trio.current_time() + _LAST_WORDS
            del self._running[spec.name]
        assert process.returncode is not None
        return process.returncode

    def _heard(self, spec: ProcessSpec, line: str) -> None:
        if line.startswith(READY):
            self._served.add(spec.name)
            self._serving[spec.name] = self._running[spec.name]
            self._one_serves.set()
            self._one_serves = trio.Event()
            self._on_ready(spec.name, line.removeprefix(READY).strip())
        else:
            _say(spec.prefix, line)


def end_with_parent() -> None:
    """Makes this process, one of :class:`Processes`, end at once with :data:`ORPHANED` when its parent is gone.

    It is not drained: clients see what they would have seen of a single process that is killed, and a parent that is
    started anew finds the ports free. By a thread, which needs no event loop that still turns.
    """
    threading.Thread(target=_watch_parent, name="parent", daemon=True).start()


def _watch_parent() -> None:
    while os.read(0, 1):
        pass
    # The parent may have been the reader of our stderr.
    with contextlib.suppress(OSError):
        os.write(2, b"stackmentor: the parent process is gone\n")
    os._exit(ORPHANED)


async def _end_at_once(process: trio.Process) -> None:
    """What a second Ctrl-C is to a process that runs by itself, and a kill when that does not help."""
    process.terminate()
    await trio.sleep(_INTERRUPT_AFTER)
    process.send_signal(signal.SIGINT)
    await trio.sleep(_INTERRUPT_PATIENCE)
    process.kill()


async def _each_line(stream: trio.abc.ReceiveStream, take: Callable[[str], None]) -> None:
    """Hands on ``stream`` line by line until it ends; a line that has no end in sight comes in pieces."""
    rest = b""
    async with stream:
        async for data in stream:
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                take(line.decode("utf-8", "replace"))
    if rest:
        take(rest.decode("utf-8", "replace"))


def _say(prefix: str, line: str) -> None:
    sys.stderr.write(f"{prefix}{line}\n")


def _told(status: int) -> str:
    return f"status {status}" if status >= 0 else f"signal {-status}"
