"""Queries and transactions: functions of a connection, waiting for one of the pool."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import trio

from actors.adapters.postgres.driver import Connection, drop_if_lost, is_away, is_retryable, refusal
from actors.adapters.postgres.lane import Lane, LaneSettings
from actors.adapters.postgres.link import Job
from actors.adapters.postgres.ticket import Ticket
from chatcore.errors import overloaded, unavailable

T = TypeVar("T")


class Call(Generic[T]):
    """A function of a connection as a job; one that may be repeated is, once, when its connection was lost."""

    _ATTEMPTS = 3

    def __init__(self, fn: Callable[[Connection], Awaitable[T]], ticket: Ticket[T], *, repeatable: bool) -> None:
        self._fn = fn
        self._ticket = ticket
        self._repeatable = repeatable
        self._lost: Exception | None = None

    async def perform(self, connection: Connection) -> None:
        self._lost = None
        for attempt in range(1, self._ATTEMPTS + 1):
            try:
                value = await self._fn(connection)
            # Not handled here but carried to the caller, on the other side.
            except Exception as error:
                if drop_if_lost(error, connection):
                    self._lost = error
                elif is_retryable(error) and attempt < self._ATTEMPTS:
                    continue
                else:
                    self._ticket.fail(refusal(error) if is_away(error) else error)
            else:
                self._ticket.succeed(value)
            return

    def keep(self, now: float, down: bool, /) -> bool:
        if self._lost is None:
            return False
        if self._repeatable and not down and now < self._ticket.deadline:
            self._repeatable = False
            return True
        self._ticket.fail(refusal(self._lost))
        return False


class CallQueue:
    """At most `limit` calls wait for one of `size` connections: what comes then is `OVERLOADED`, and counted."""

    def __init__(self, size: int, limit: int, settings: LaneSettings, name: str = "queries") -> None:
        self.lane = Lane(name, size, settings, self)
        self._patience = settings.policy.guard
        self._limit = limit
        self._waiting: deque[tuple[Job, Callable[[Exception], None]]] = deque()
        self.overloads = 0

    async def call(self, fn: Callable[[Connection], Awaitable[T]], *, repeatable: bool) -> T:
        """What `fn` returns or raises, run on the asyncio side. Raises `UNAVAILABLE`, `OVERLOADED`."""
        self.lane.admit()
        if len(self._waiting) >= self._limit:
            self.overloads += 1
            raise overloaded()
        ticket: Ticket[T] = Ticket(trio.current_time() + self._patience)
        self._waiting.append((Call(fn, ticket, repeatable=repeatable), ticket.fail))
        self.lane.wake()
        return await ticket.wait()

    def __len__(self) -> int:
        """Calls that wait."""
        return len(self._waiting)

    def take(self) -> Job | None:
        return self._waiting.popleft()[0] if self._waiting else None

    def refuse_all(self) -> None:
        while self._waiting:
            self._waiting.popleft()[1](unavailable("The database is away"))
