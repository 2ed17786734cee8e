"""A streaming replica of the database: what may be read from it, and when it is better left alone."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from functools import partial
from typing import Any, Final, TypeVar, cast
from uuid import UUID

import trio
from attrs import frozen
from trio import TASK_STATUS_IGNORED, TaskStatus

from actors.adapters.postgres.calls import CallQueue
from actors.adapters.postgres.database import READER_SETTINGS
from actors.adapters.postgres.driver import Connection, ConnectOptions, PostgresError, open_loop
from actors.adapters.postgres.lane import LaneSettings, LaneStatus
from actors.adapters.postgres.link import LinkPolicy
from actors.adapters.postgres.queries import OnConnection, Queries
from actors.adapters.postgres.rows import SHOWN_REACTORS
from chatcore.errors import ChatError, ErrorCode

_log = logging.getLogger(__name__)

T = TypeVar("T")

# The position up to which the write-ahead log is on disk: no acknowledged commit is beyond it.
_FLUSHED: Final = "SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint"
_REPLAYED: Final = """
SELECT CASE WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint END
"""
# One that was promoted meanwhile has a history of its own.
# Marks never fall, and who comes or goes raises the rev: with the same rev an older state has a lower sum.
HAS_SEEN: Final = """
SELECT pg_is_in_recovery() AND NOT EXISTS (
    SELECT FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) seen (id, rev, marks)
    LEFT JOIN conversations c ON c.id = seen.id
    WHERE c.rev IS NULL OR c.rev < seen.rev OR (
        c.rev = seen.rev AND seen.marks > 0 AND seen.marks > (
            SELECT sum(p.last_read_seq + p.last_delivered_seq) FROM participants p WHERE p.conversation_id = seen.id
        )
    )
)
"""
_MOST_MARKS: Final = 4096
_FIRST_WAIT: Final = 0.01
_MARGIN: Final = 1.0


class Reason(StrEnum):
    """Why the primary is read in place of the replica."""

    DOWN = "down"  # no connection to it, or the last probe was not answered in time
    LAG = "lag"  # it is further behind than the limit
    STALE = "stale"  # it lacks what must be seen
    FAILED = "failed"  # the read itself failed there
    OWN_CHANGE = "own-change"  # the user changed his profile a moment ago


class Unused(Exception):
    """The replica cannot answer this."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@frozen
class Seen:
    """How far a conversation is for somebody: its rev and, where its marks matter, the sum of all of them."""

    rev: int
    marks: int = 0


@frozen
class ReplicaPolicy:
    """Seconds. It is not read while it lacks what was committed `lag_limit` ago. One that lacks what a read must see
    is asked again for `patience`. Each `probe_interval` it is asked how far it is; without an answer within
    `probe_timeout` it counts as down, until there is one.
    """

    lag_limit: float = 2.0
    patience: float = 0.1
    probe_interval: float = 0.25
    probe_timeout: float = 1.0


@frozen
class ReplicaState:
    """`since` is on Trio's clock. `lag`: what was committed so many seconds ago it has, and perhaps more; None while
    that is not known.
    """

    status: LaneStatus
    since: float
    error: str | None
    lag: float | None


class Replica:
    """`pool_size` connections for reads and one that probes, and one to the primary that asks how far that is, in a
    task of its own: `run`. Neither probe waits behind a read.
    """

    def __init__(
        self,
        url: str,
        primary_url: str,
        policy: ReplicaPolicy,
        *,
        rng: random.Random,
        pool_size: int = 4,
        statement_timeout: float = 10.0,
        connect_timeout: float = 5.0,
        queue_limit: int = 1024,
        shown_reactors: int = 100,
    ) -> None:
        session = {**READER_SETTINGS, SHOWN_REACTORS: str(shown_reactors)}

        def settings(target: str, timeout: float) -> LaneSettings:
            options = ConnectOptions(target, connect_timeout, timeout, session)
            return LaneSettings(options, LinkPolicy(guard=timeout + _MARGIN), rng)

        self._policy = policy
        self._reads = CallQueue(pool_size, queue_limit, settings(url, statement_timeout), "reads of the replica")
        patience = policy.probe_timeout
        self._probe_replica = CallQueue(1, 1, settings(url, patience), "probes of the replica")
        self._probe_primary = CallQueue(1, 1, settings(primary_url, patience), "the primary's position")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._marks: deque[tuple[float, int]] = deque(maxlen=_MOST_MARKS)
        self._fresh_until: float | None = None
        self._answers = False
        self._error: str | None = "not probed yet"
        self._since = 0.0
        self._under_way: set[trio.CancelScope] = set()

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Connect and probe until cancelled; started at once, whether or not the replica is there."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._probe_for_ever)
            try:
                async with open_loop() as loop:
                    loop.set_exception_handler(_report)
                    await loop.run_aio_coroutine(self._serve(task_status.started))
            finally:
                self._become("stopped")

    async def read(self, seen: Mapping[UUID, Seen], read: Callable[[Queries], Awaitable[T]]) -> T:
        """What `read` gives on a connection that has of each conversation at least what is `seen`.

        `read` is run on the asyncio side. Raises `Unused`, and what `read` refuses.
        """
        give_up = trio.current_time() + self._policy.patience
        wait = _FIRST_WAIT
        while True:
            self._admit()
            answer = await self._perform(partial(_read_if_seen, seen, read))
            if not isinstance(answer, _Behind):
                return answer
            left = give_up - trio.current_time()
            if left <= 0:
                raise Unused(Reason.STALE)
            await trio.sleep(min(wait, left))
            wait *= 2

    @property
    def state(self) -> ReplicaState:
        lag = None if self._fresh_until is None else trio.current_time() - self._fresh_until
        return ReplicaState(LaneStatus.UP if self._answers else LaneStatus.DOWN, self._since, self._error, lag)

    @property
    def refusal(self) -> Reason | None:
        """Why nothing is read from it at present."""
        lag = self.state.lag
        if not self._answers or self._reads.lane.state.status is not LaneStatus.UP:
            return Reason.DOWN
        return None if lag is not None and lag <= self._policy.lag_limit else Reason.LAG

    @property
    def waiting(self) -> int:
        """Reads that wait for a connection."""
        return len(self._reads)

    def _admit(self) -> None:
        refusal = self.refusal
        if refusal is not None:
            raise Unused(refusal)

    async def _perform(self, fn: Callable[[Connection], Awaitable[T]]) -> T:
        """Given up when a probe is not answered: who reads is not to wait for a server that froze."""
        with trio.CancelScope() as scope:
            self._under_way.add(scope)
            try:
                return await self._reads.call(fn, repeatable=True)
            except PostgresError as error:
                _log.warning("a read of the replica failed: %s", error)
                raise Unused(Reason.FAILED) from error
            except ChatError as error:
                if error.code in (ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED):
                    raise Unused(Reason.FAILED) from error
                raise
            finally:
                self._under_way.discard(scope)
        raise Unused(Reason.DOWN)

    async def _serve(self, started: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            for calls in (self._reads, self._probe_replica, self._probe_primary):
                calls.lane.start(group)
            started()

    async def _probe_for_ever(self) -> None:
        while True:
            await self._probe()
            await trio.sleep(self._policy.probe_interval)

    async def _probe(self) -> None:
        asked_at = trio.current_time()
        flushed = await self._ask(self._probe_primary, _FLUSHED)
        if isinstance(flushed, int):
            self._marks.append((asked_at, flushed))
        replayed = await self._ask(self._probe_replica, _REPLAYED)
        if isinstance(replayed, str):
            self._become(replayed)
        elif replayed is None:
            self._become("it is not in recovery: no replica")
        else:
            self._advance(replayed)
            self._become(None)

    async def _ask(self, calls: CallQueue, sql: str) -> int | str | None:
        """The number that `sql` gives, or what is wrong."""
        with trio.move_on_after(self._policy.probe_timeout):
            try:
                number: int | None = await calls.call(lambda connection: connection.fetchval(sql), repeatable=False)
            except (ChatError, PostgresError) as error:
                return calls.lane.state.error or str(error)
            return number
        return "it does not answer"

    def _advance(self, replayed: int) -> None:
        """It has all that had been committed when the primary was asked last for a position that it has reached."""
        reached = [asked_at for asked_at, flushed in self._marks if flushed <= replayed]
        if reached:
            self._fresh_until = max(reached)
            while self._marks and self._marks[0][0] <= self._fresh_until:
                self._marks.popleft()

    def _become(self, error: str | None) -> None:
        """Down because of `error`, or up."""
        answers, answered = error is None, self._answers
        self._answers, self._error = answers, error
        if answers is not answered or not self._since:
            self._since = trio.current_time()
            if answers:
                _log.info("the replica answers")
            else:
                _log.warning("the replica is not used: %s", error)
        if answered and not answers:
            for scope in self._under_way:
                scope.cancel()
            # When it answers again a connection from before may still not.
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._reads.lane.drop)


class _Behind:
    pass


async def _read_if_seen(
    seen: Mapping[UUID, Seen], read: Callable[[Queries], Awaitable[T]], connection: Connection
) -> T | _Behind:
    revs, marks = [each.rev for each in seen.values()], [each.marks for each in seen.values()]
    # A statement after this one sees no less: replay goes forward only.
    if not await connection.fetchval(HAS_SEEN, list(seen), revs, marks):
        return _Behind()
    return await read(OnConnection(connection))


def _report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    _log.error("in the replica's loop: %s", context.get("message"), exc_info=cast("Any", context.get("exception")))
