"""Children of a supervisor whose lives a test directs."""

import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import trio
from trio.testing import wait_all_tasks_blocked

from actors.runtime import ChildContext, ChildSpec, Restart, RestartIntensity, Strategy, Supervisor, SupervisorEvent

GENEROUS = RestartIntensity(max_restarts=100, within=1000, backoff_initial=1, backoff_max=60, jitter=0)


class Broken(Exception):
    pass


class Puppet:
    """Writes `+name` into `log` when it starts, `-name` when it has ended, and does what it is told between.

    `cleanup` is how many seconds its shielded clean-up takes; `ready` whether it reports its start by itself, after
    `ready_after` seconds.
    """

    def __init__(
        self,
        name: str,
        log: list[str],
        restart: Restart = Restart.PERMANENT,
        *,
        shutdown_timeout: float = 5.0,
        cleanup: float = 0.0,
        cleanup_error: Exception | None = None,
        ready: bool = True,
        ready_after: float = 0.0,
    ) -> None:
        self.name = name
        self.ready = ready
        self._ready_after = ready_after
        self.alive = False
        self.contexts: list[ChildContext] = []
        self.starts: list[float] = []
        self._log = log
        self._restart = restart
        self._shutdown_timeout = shutdown_timeout
        self._cleanup = cleanup
        self._cleanup_error = cleanup_error
        self._order = trio.Event()
        self._error: BaseException | None = None

    @property
    def spec(self) -> ChildSpec:
        return ChildSpec(self.name, self._run, self._restart, self._shutdown_timeout)

    def crash(self, error: BaseException | None = None) -> None:
        self._error = error or Broken(self.name)
        self._order.set()

    def finish(self) -> None:
        self._order.set()

    async def _run(self, context: ChildContext) -> None:
        assert not self.alive, "two incarnations at once"
        self.alive = True
        self.contexts.append(context)
        self.starts.append(trio.current_time())
        self._log.append(f"+{self.name}")
        self._order = trio.Event()
        self._error = None
        try:
            with trio.move_on_after(self._ready_after):
                await self._order.wait()
            if self.ready and not self._order.is_set():
                context.started()
            await self._order.wait()
            if self._error is not None:
                raise self._error
        finally:
            if self._cleanup:
                with trio.move_on_after(self._cleanup + 1, shield=True):
                    await trio.sleep(self._cleanup)
            self.alive = False
            self._log.append(f"-{self.name}")
            if self._cleanup_error is not None:
                raise self._cleanup_error


def supervisor_of(
    puppets: Sequence[Puppet],
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    intensity: RestartIntensity = GENEROUS,
    events: list[SupervisorEvent] | None = None,
) -> Supervisor:
    on_event = None if events is None else events.append
    return Supervisor("top", [puppet.spec for puppet in puppets], strategy, intensity, random.Random(1), on_event)


@asynccontextmanager
async def running(supervisor: Supervisor) -> AsyncGenerator[trio.Nursery]:
    """Run it until the block ends, then stop it in order."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await wait_all_tasks_blocked()
        yield nursery
        supervisor.stop()


async def settle(log: list[str], seconds: float = 0.0) -> list[str]:
    """What was written to `log` once all is quiet, after `seconds`; empties it."""
    await trio.sleep(seconds)
    await wait_all_tasks_blocked()
    written = log.copy()
    log.clear()
    return written
