"""The database as trio tasks see it: appends by libpq in a task of their own, all else by asyncpg, whole inside one
trio-asyncio loop, behind bounded queues.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import trio
from trio import TASK_STATUS_IGNORED, TaskStatus

from actors.adapters.postgres.calls import CallQueue
from actors.adapters.postgres.driver import Connection, ConnectOptions, Row, open_loop
from actors.adapters.postgres.lane import LaneSettings, LaneState, LaneStatus
from actors.adapters.postgres.link import LinkPolicy
from actors.adapters.postgres.rows import SHOWN_REACTORS
from actors.adapters.postgres.writer import WRITER_SETTINGS, AppendWriter
from chatcore.errors import unavailable

_log = logging.getLogger(__name__)

T = TypeVar("T")

READER_SETTINGS: Final[Mapping[str, str]] = {
    # Each query has one good plan, by index; made over tables that are still small it must be that one, too.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    # The 0.6 that it is unless set finds no name of five letters with one wrong.
    "pg_trgm.word_similarity_threshold": "0.3",
    SHOWN_REACTORS: "100",
}

_MARGIN: Final = 1.0
_BADNESS: Final = {LaneStatus.UP: 0, LaneStatus.STARTING: 1, LaneStatus.DOWN: 2}


class Database:
    """`pool_size` connections for queries and one for appends, in a task of their own: `run`.

    Queries wait in a queue of at most `queue_limit`; what comes then is refused as `OVERLOADED` and counted. While no
    connection can be had all is refused as `UNAVAILABLE` at once, otherwise nobody waits longer than
    `statement_timeout` and a second. A caller that gives up abandons the answer, never the query.
    Times are in seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        rng: random.Random,
        pool_size: int = 4,
        statement_timeout: float = 10.0,
        connect_timeout: float = 5.0,
        queue_limit: int = 1024,
        append_batch_limit: int = 256,
        append_batch_bytes: int = 1_048_576,
        append_queue_limit: int = 16_384,
        shown_reactors: int = 100,
    ) -> None:
        policy = LinkPolicy(guard=statement_timeout + _MARGIN)

        def settings(session: Mapping[str, str]) -> LaneSettings:
            return LaneSettings(ConnectOptions(url, connect_timeout, statement_timeout, session), policy, rng)

        session = {**READER_SETTINGS, SHOWN_REACTORS: str(shown_reactors)}
        self._calls = CallQueue(pool_size, queue_limit, settings(session))
        self.writer = AppendWriter(
            settings(WRITER_SETTINGS),
            batch_limit=append_batch_limit,
            batch_bytes=append_batch_bytes,
            queue_limit=append_queue_limit,
        )

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Connect and serve until cancelled; started at once, whether or not the database is there.

        What is under way at a cancellation is given two seconds.
        """
        async with trio.open_nursery() as nursery:
            await nursery.start(self.writer.run)
            async with open_loop() as loop:
                loop.set_exception_handler(_report)
                await loop.run_aio_coroutine(self._serve(task_status.started))

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """All rows. For statements that may run twice: when the connection is lost, it is tried once more.

        This and all below raise `UNAVAILABLE`, `OVERLOADED`, and the driver's errors for what is wrong with the SQL.
        """
        return await self._calls.call(lambda connection: connection.fetch(sql, *args), repeatable=True)

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """The first row. As `fetch`."""
        return await self._calls.call(lambda connection: connection.fetchrow(sql, *args), repeatable=True)

    async def fetchval(self, sql: str, *args: object) -> Any:
        """The first column of the first row, None if there is no row. As `fetch`."""
        return await self._calls.call(lambda connection: connection.fetchval(sql, *args), repeatable=True)

    async def query(self, fn: Callable[[Connection], Awaitable[T]]) -> T:
        """What `fn` reads, on the asyncio side: it may await the connection only. As `fetch`."""
        return await self._calls.call(fn, repeatable=True)

    async def execute(self, sql: str, *args: object) -> str:
        """The command tag. Tried once: after `UNAVAILABLE` the outcome is unknown."""
        return await self._calls.call(lambda connection: connection.execute(sql, *args), repeatable=False)

    async def transaction(self, fn: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `fn` in a READ COMMITTED transaction, on the asyncio side: it may await the connection only.

        It is run again after a deadlock, and must have no other effects. After `UNAVAILABLE` the outcome is unknown.
        """

        async def run(connection: Connection) -> T:
            async with connection.transaction():
                return await fn(connection)

        return await self._calls.call(run, repeatable=False)

    async def ping(self, timeout: float) -> float:
        """Seconds that the database takes to answer. Raises `UNAVAILABLE` when that is more than `timeout`."""
        start = trio.current_time()
        with trio.move_on_after(timeout):
            await self.fetchval("SELECT 1")
            return trio.current_time() - start
        raise unavailable("The database does not answer")

    @property
    def state(self) -> LaneState:
        """Of queries and appends, the worse."""
        states = (self._calls.lane.state, self.writer.state)
        return max(states, key=lambda state: (_BADNESS[state.status], state.since))

    @property
    def overloads(self) -> int:
        """Calls that were refused because too many waited."""
        return self._calls.overloads + self.writer.overloads

    @property
    def figures(self) -> dict[str, float]:
        """What its operators look at, by name."""
        return {
            "appendWaiting": self.writer.waiting,
            "appendOverloads": self.writer.overloads,
            "queriesWaiting": len(self._calls),
            "overloads": self.overloads,
            "reconnects": self._calls.lane.reconnects,
        }

    async def _serve(self, started: Callable[[], None]) -> None:
        async with asyncio.TaskGroup() as group:
            self._calls.lane.start(group)
            started()


def _report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # trio-asyncio's own handler ends the loop; what ends up here is a driver's afterthought about a dead connection.
    _log.error("in the database's loop: %s", context.get("message"), exc_info=context.get("exception"))
