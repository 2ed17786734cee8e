"""A queue of jobs and the links that serve it."""

import asyncio
import logging
import random
from enum import StrEnum
from typing import Protocol

import trio
from attrs import frozen

from actors.adapters.postgres.driver import ConnectOptions
from actors.adapters.postgres.link import Job, Link, LinkPolicy
from chatcore.errors import unavailable

_log = logging.getLogger(__name__)


class LaneStatus(StrEnum):
    STARTING = "starting"  # no attempt to connect has ended yet
    UP = "up"
    DOWN = "down"


@frozen
class LaneState:
    """`since` is on Trio's clock; `error` says why it is down."""

    status: LaneStatus
    since: float
    error: str | None = None


@frozen
class LaneSettings:
    """What all links of a lane have in common."""

    options: ConnectOptions
    policy: LinkPolicy
    rng: random.Random


class Source(Protocol):
    """Where a lane's jobs come from."""

    def take(self) -> Job | None:
        """The next job, called on the asyncio side by a link that has nothing else to do."""
        ...

    def refuse_all(self) -> None:
        """Answer all that waits with `UNAVAILABLE`."""
        ...


class Lane:
    """`size` links that serve one source.

    The lane is down when all its links have failed to connect: what waits is refused then, and what comes is refused
    at once, until a link is connected again.
    """

    def __init__(self, name: str, size: int, settings: LaneSettings, source: Source) -> None:
        self._name = name
        self._size = size
        self._settings = settings
        self._source = source
        self._links: list[Link] = []
        self.state = LaneState(LaneStatus.DOWN, 0.0, "not started")
        self.reconnects = 0
        """How often it came up again after it had been down."""

    def admit(self) -> None:
        """Raises `UNAVAILABLE` while the lane is down."""
        if self.state.status is LaneStatus.DOWN:
            raise unavailable("The database is away")

    def wake(self) -> None:
        """Tell an idle link, if there is one, that there is work."""
        for link in self._links:
            if link.wake():
                return

    def start(self, group: asyncio.TaskGroup) -> None:
        """Admit calls from now on, and serve them in `group` until it is cancelled.

        The jobs in hand then have as long as the policy grants.
        """
        self.state = LaneState(LaneStatus.STARTING, trio.current_time())
        self._links = [
            Link(
                self._settings.options,
                self._settings.policy,
                self._settings.rng,
                self._source.take,
                self._changed,
                self._stalled,
            )
            for _ in range(self._size)
        ]
        group.create_task(self._run())

    def drop(self) -> None:
        """Connect all links anew: their peer may be gone without a word. On the asyncio side."""
        for link in self._links:
            link.drop()

    async def _run(self) -> None:
        tasks = [asyncio.create_task(link.run()) for link in self._links]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            self.state = LaneState(LaneStatus.DOWN, trio.current_time(), "stopped")
            self._source.refuse_all()
            for link in self._links:
                link.stop()
            _, late = await asyncio.wait(tasks, timeout=self._settings.policy.grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _stalled(self) -> None:
        for link in self._links:
            link.drop_idle()

    def _changed(self) -> None:
        if any(link.connected for link in self._links):
            self._become(LaneStatus.UP, None)
            # A link that lost its connection may have been the one that was told of the last job.
            self.wake()
        elif all(link.error is not None for link in self._links):
            error = self._links[0].error
            self._become(LaneStatus.DOWN, f"{type(error).__name__}: {error}")

    def _become(self, status: LaneStatus, reason: str | None) -> None:
        if status is self.state.status:
            return
        self.reconnects += status is LaneStatus.UP and self.state.status is LaneStatus.DOWN
        self.state = LaneState(status, trio.current_time(), reason)
        if status is LaneStatus.UP:
            _log.info("database connections for %s are up", self._name)
        else:
            _log.warning("database connections for %s are down: %s", self._name, reason)
            self._source.refuse_all()
