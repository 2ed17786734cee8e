"""One supervised connection on the asyncio side: connects, performs jobs one at a time, reconnects."""

import asyncio
import math
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from attrs import frozen

from actors.adapters.postgres.driver import CONNECT_ERRORS, Connection, ConnectOptions, connect


class Job(Protocol):
    """Work for one connection. It settles its own answers, failures included."""

    async def perform(self, connection: Connection) -> None:
        """Do it. Raises nothing but cancellation; a connection that was lost on the way is found closed."""
        ...

    def keep(self, now: float, down: bool, /) -> bool:
        """Whether to perform it again on the next connection. Asked after the connection was lost under it, and
        with `down` after each failed attempt to get a new one; after False it has settled its answers.
        """
        ...


@frozen
class LinkPolicy:
    """Seconds. A job that runs longer than `guard` loses its connection; waits between attempts to connect double
    from `backoff_initial` to `backoff_max`, half of each drawn at random; a stop grants the running job `grace`.
    """

    guard: float
    backoff_initial: float = 0.05
    backoff_max: float = 2.0
    grace: float = 2.0


class Link:
    """A connection that is kept alive, and the loop that takes jobs for it.

    `take` gives the next job or None; `changed` is called at every change of `connected` and after each failed
    attempt, with `error` already set; `stalled` when a job ran into the guard.
    """

    def __init__(
        self,
        options: ConnectOptions,
        policy: LinkPolicy,
        rng: random.Random,
        take: Callable[[], Job | None],
        changed: Callable[[], None],
        stalled: Callable[[], None],
    ) -> None:
        self._options = options
        self._policy = policy
        self._rng = rng
        self._take = take
        self._changed = changed
        self._stalled = stalled
        self._connection: Connection | None = None
        self._busy_since: float | None = None
        self._guard: asyncio.TimerHandle | None = None
        self._idle: asyncio.Future[None] | None = None
        self._stop: asyncio.Event = asyncio.Event()
        self._held: Job | None = None
        self.connected = False
        self.error: Exception | None = None
        """Why the last attempt to connect failed; None after one that did not, and before the first."""

    def wake(self) -> bool:
        """Make it look for work; False when it has no need of being told. Callable from both sides."""
        idle, self._idle = self._idle, None
        if idle is None or idle.done():
            return False
        idle.set_result(None)
        return True

    async def run(self) -> None:
        """Serve until `stop` or cancellation."""
        try:
            while not self._stop.is_set():
                connection = await self._reconnect()
                if connection is not None:
                    await self._serve(connection)
        finally:
            if self._guard is not None:
                self._guard.cancel()
            if self._held is not None:
                self._held.keep(math.inf, True)
                self._held = None

    def stop(self) -> None:
        """End `run` after the job in hand."""
        self._stop.set()
        self.wake()

    def drop_idle(self) -> None:
        """Connect anew, unless it is at work: a server that froze tells nobody."""
        if self._idle is not None and self._connection is not None:
            self._connection.terminate()
            self.wake()

    def drop(self) -> None:
        """Connect anew, also when it is at work. On the asyncio side."""
        if self._connection is not None:
            self._connection.terminate()
            self.wake()

    async def _serve(self, connection: Connection) -> None:
        connection.add_termination_listener(self._on_termination)
        self._connection = connection
        try:
            await self._work(connection)
        finally:
            self._connection = None
            self.connected = False
            if not connection.is_closed():
                await self._close(connection)
            self._changed()

    def _on_termination(self, _: Connection) -> None:
        self.wake()

    async def _work(self, connection: Connection) -> None:
        while not (self._stop.is_set() or connection.is_closed()):
            job = self._held or self._take()
            if job is None:
                self._idle = asyncio.get_running_loop().create_future()
                await self._idle
                continue
            self._held = job
            await self._perform(connection, job)
            if not (connection.is_closed() and job.keep(asyncio.get_running_loop().time(), False)):
                self._held = None

    async def _perform(self, connection: Connection, job: Job) -> None:
        loop = asyncio.get_running_loop()
        self._busy_since = loop.time()
        if self._guard is None:
            self._guard = loop.call_later(self._policy.guard, self._check_guard)
        try:
            await job.perform(connection)
        finally:
            self._busy_since = None
        if not connection.is_closed() and connection.is_in_transaction():
            connection.terminate()

    def _check_guard(self) -> None:
        """One timer for many jobs: a timer a job would cost a tenth of a small query."""
        self._guard = None
        if self._busy_since is None or self._connection is None:
            return
        loop = asyncio.get_running_loop()
        left = self._busy_since + self._policy.guard - loop.time()
        if left > 0:
            self._guard = loop.call_later(left, self._check_guard)
        else:
            self._connection.terminate()
            self._stalled()

    async def _reconnect(self) -> Connection | None:
        """Try until it succeeds; None after a stop."""
        wait = self._policy.backoff_initial
        while not self._stop.is_set():
            try:
                connection = await connect(self._options)
            except CONNECT_ERRORS as error:
                self.error = error
            else:
                self.error = None
                self.connected = True
                self._changed()
                return connection
            self._changed()
            if self._held is not None and not self._held.keep(asyncio.get_running_loop().time(), True):
                self._held = None
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait * (1 - self._rng.random() / 2))
            wait = min(wait * 2, self._policy.backoff_max)
        return None

    async def _close(self, connection: Connection) -> None:
        try:
            await connection.close(timeout=1.0)
        except CONNECT_ERRORS:
            connection.terminate()
