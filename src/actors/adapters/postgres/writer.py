"""Group commit: all appends that wait while one is under way go into the next statement together."""

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import psycopg
import trio
from trio import TASK_STATUS_IGNORED, TaskStatus

from actors.adapters.postgres.batch import STATEMENTS, AppendCounts, Batch, Entry, Outcome
from actors.adapters.postgres.lane import LaneSettings, LaneState, LaneStatus
from actors.adapters.postgres.libpq import LibpqConnection, LostError, ServerError, connect
from actors.adapters.postgres.ticket import Ticket
from actors.adapters.rules import check_body, refusal_of_body
from actors.tracing.hops import Hop, Tracing, ids_of
from chatcore.errors import ChatError, overloaded, unavailable
from chatcore.model import NewMessage

_log = logging.getLogger(__name__)

WRITER_SETTINGS: Final[Mapping[str, str]] = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""The append's plan is made once a connection, perhaps over empty tables: it must suit full ones all the same."""

_WARY_BATCHES: Final = 16
"""Repeats come in swarms, when many clients connect anew: after one, so many batches are not tried the short way."""
_LARGE: Final = 16
"""Of a batch of so many calls our own work takes about as long as the database's, so that the two should overlap."""
_TURN_SECONDS: Final = 0.002
"""How long callers are answered, who may do something at that, before the other tasks have their turn."""
_STOPPED: Final = "stopped"


class AppendWriter:
    """Collects appends, and gives them as batches to the one connection that writes.

    A batch holds whole calls, in the order of arrival, of together at most `batch_limit` messages and `batch_bytes`
    of text; a call that is larger goes alone. At most `queue_limit` messages wait: what comes then is refused as
    `OVERLOADED` and counted. While no connection can be had all is refused as `UNAVAILABLE` at once.

    One batch is under way at a time. On a quiet system the caller's own task writes it to the socket; when the last
    batch held several calls, all that are ready to run have their say first, or of a large one half as many.
    """

    def __init__(self, settings: LaneSettings, *, batch_limit: int, batch_bytes: int, queue_limit: int) -> None:
        self._settings = settings
        self._patience = settings.policy.guard
        self._batch_limit = batch_limit
        self._batch_bytes = batch_bytes
        self._queue_limit = queue_limit
        self._waiting: deque[tuple[Entry, int]] = deque()
        self._open: deque[Ticket[list[Outcome]]] = deque()
        """The oldest call without an answer, and those after it: they expire in this order."""
        self._connection: LibpqConnection | None = None
        """Where a batch may be sent when none is under way."""
        self._flight: Batch | None = None
        self._worthwhile: float = 1
        """How many calls make a batch that is launched at once."""
        self._called = False
        """Whether the task that waits for the server was called to launch what is there by then."""
        self._wary = 0
        """Batches that go by the careful statement at once."""
        self._nap = trio.CancelScope()
        """Around the waits for the server; cancelled for something else to be done."""
        self._limit = math.inf
        """When the batch under way has taken too long."""
        self._stopping = False
        self._now: Callable[[], float] = trio.current_time
        self.state = LaneState(LaneStatus.DOWN, 0.0, "not started")
        self.waiting = 0
        """Messages that wait."""
        self.overloads = 0
        """Calls that were refused because too many waited."""
        self.counts = AppendCounts()

    async def append(self, messages: Sequence[NewMessage]) -> list[Outcome]:
        """One outcome for each message, in order. Raises `UNAVAILABLE` (the outcome is unknown), `OVERLOADED`."""
        try:
            for message in messages:
                check_body(message.text, message.client_message_id)
        except ChatError:
            return await self._append_the_sound(messages)
        return await self._enqueue(messages)

    def append_at_once(
        self, messages: Sequence[NewMessage], answered: Callable[[list[Outcome] | Exception], None]
    ) -> bool:
        """As `append`, with the outcomes or the error told to `answered`, later and in the task that has them.

        `answered` must not raise. False, and nothing has happened, where `append` would not accept each of them.
        """
        if self.state.status is LaneStatus.DOWN or self.waiting + len(messages) > self._queue_limit:
            return False
        if any(refusal_of_body(message) for message in messages):
            return False
        self._accept(messages, answered)
        return True

    async def _append_the_sound(self, messages: Sequence[NewMessage]) -> list[Outcome]:
        """What would fail the whole statement is refused before it is sent."""
        refusals = [refusal_of_body(message) for message in messages]
        sound = [message for message, refusal in zip(messages, refusals, strict=True) if refusal is None]
        answers = iter(await self._enqueue(sound))
        return [next(answers) if refusal is None else refusal for refusal in refusals]

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Connect and serve until cancelled; started at once, whether or not the database is there.

        What is under way at a cancellation is given as long as the policy grants.
        """
        self._stopping = False
        self._now = trio.lowlevel.current_clock().current_time
        self._become(LaneStatus.STARTING, None)
        ended = trio.Event()
        life = trio.CancelScope(shield=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._live, life, ended)
            nursery.start_soon(self._expire)
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                self._stopping = True
                self._become(LaneStatus.DOWN, _STOPPED)
                with trio.move_on_after(self._settings.policy.grace, shield=True):
                    if self._flight is None:
                        life.cancel()
                    await ended.wait()
                life.cancel()

    async def _enqueue(self, messages: Sequence[NewMessage]) -> list[Outcome]:
        if not messages:
            await trio.lowlevel.checkpoint()
            return []
        if self.state.status is LaneStatus.DOWN:
            raise unavailable("The database is away")
        if self.waiting + len(messages) > self._queue_limit:
            self.overloads += 1
            raise overloaded()
        return await self._accept(messages, None).result()

    def _accept(
        self, messages: Sequence[NewMessage], told: Callable[[list[Outcome] | Exception], None] | None
    ) -> Ticket[list[Outcome]]:
        ticket: Ticket[list[Outcome]] = Ticket(self._now() + self._patience, told)
        while self._open and self._open[0].settled:
            self._open.popleft()
        self._open.append(ticket)
        size = sum([len(message.text) for message in messages])
        self._waiting.append((Entry(messages, ticket), size))
        self.waiting += len(messages)
        if Tracing.by is not None:
            Tracing.by.pass_by(ids_of(messages), Hop.STORE_QUEUED, f"{self.waiting} wait")
        if self._flight is None and self._connection is not None:
            if len(self._waiting) >= self._worthwhile:
                self._launch()
            elif not self._called:
                self._called = True
                self._nap.cancel()
        return ticket

    async def _expire(self) -> None:
        """See to the deadlines of all calls, and of the batch under way. Those that come meanwhile have later ones than
        this sleeps for.
        """
        while True:
            now = trio.current_time()
            while self._open and (self._open[0].settled or self._open[0].deadline <= now):
                self._open.popleft().expire()
            wake = self._open[0].deadline if self._open else now + self._patience
            if self._limit <= now:
                self._nap.cancel()
            else:
                wake = min(wake, self._limit)
            await trio.sleep_until(wake)

    async def _live(self, life: trio.CancelScope, ended: trio.Event) -> None:
        with life:
            try:
                while not self._stopping or self._flight is not None:
                    connection = await self._connected()
                    try:
                        await self._serve(connection)
                    except LostError as error:
                        self._keep_or_fail(error)
                    finally:
                        self._connection = None
                        connection.close()
            finally:
                if self._flight is not None:
                    self._flight.fail(LostError(_STOPPED))
                    self._flight = None
                ended.set()

    async def _connected(self) -> LibpqConnection:
        """Try until it succeeds."""
        policy = self._settings.policy
        wait = policy.backoff_initial
        while True:
            try:
                connection = await connect(self._settings.options)
            except (OSError, psycopg.Error) as error:
                self._down(error)
            else:
                if await self._prepared(connection):
                    return connection
            await trio.sleep(wait * (1 - self._settings.rng.random() / 2))
            wait = min(wait * 2, policy.backoff_max)

    async def _prepared(self, connection: LibpqConnection) -> bool:
        try:
            with trio.move_on_after(self._settings.options.connect_timeout):
                for name, statement in STATEMENTS.items():
                    await connection.prepare(name, statement.encode())
                self._become(LaneStatus.UP, None)
                return True
            self._down(TimeoutError("the database does not answer"))
        except ServerError as error:
            self._down(error)
        except LostError as error:
            # It could be had, so the next one may be, too.
            self._keep_or_fail(error)
        except BaseException:
            connection.close()
            raise
        connection.close()
        return False

    def _down(self, error: Exception) -> None:
        self._become(LaneStatus.DOWN, f"{type(error).__name__}: {error}")
        self._keep_or_fail(error)

    def _keep_or_fail(self, error: Exception) -> None:
        """Keep the batch that was under way for the next connection, for as long as somebody waits for it."""
        if self._flight is None:
            return
        if trio.current_time() < self._flight.deadline:
            self._flight.again()
        else:
            self._flight.fail(error)
            self._flight = None

    async def _serve(self, connection: LibpqConnection) -> None:
        """Until a stop. Raises `LostError`."""
        self._limit = math.inf
        if self._flight is not None:
            self._send(connection, self._flight)
        self._connection = connection
        while True:
            self._called = False
            with trio.CancelScope() as self._nap:
                while True:
                    if self._flight is None:
                        if self._stopping:
                            return
                        self._launch()
                    await connection.arrival()
                    await self._advance(connection)
            if trio.current_time() >= self._limit:
                raise LostError(f"the append took longer than {self._patience} s")

    async def _advance(self, connection: LibpqConnection) -> None:
        failure = None
        try:
            result = connection.poll()
        except ServerError as error:
            result, failure = None, error
        flight = self._flight
        if flight is None or (result is None and failure is None):
            return
        outcomes = None if result is None else flight.outcomes(result)
        if outcomes is None:
            self._wary = _WARY_BATCHES
            outcomes = await flight.recover(connection, failure)
        self._flight = None
        self.counts.round_trip = self._now() - self._limit + self._patience
        self._limit = math.inf
        # The database works on the next one while the callers of this are answered.
        self._launch()
        if outcomes is not None:
            began = time.perf_counter()
            for _ in flight.answers(outcomes):
                if time.perf_counter() - began > _TURN_SECONDS:
                    await trio.lowlevel.cancel_shielded_checkpoint()
                    began = time.perf_counter()

    def _send(self, connection: LibpqConnection, batch: Batch) -> None:
        self._limit = self._now() + self._patience
        self.counts.batches += 1
        connection.send(batch.query())
        if connection.unsent:
            self._nap.cancel()

    def _launch(self) -> None:
        """Send what waits, if nothing is under way."""
        if self._flight is None and self._connection is not None and self._waiting:
            self._flight = self._take()
            # The task that waits for the server finds the connection closed, and takes care of the batch.
            with suppress(LostError):
                self._send(self._connection, self._flight)

    def _take(self) -> Batch:
        entries: list[Entry] = []
        count = size = 0
        while self._waiting:
            entry, entry_size = self._waiting[0]
            entry_count = len(entry.messages)
            if entries and (count + entry_count > self._batch_limit or size + entry_size > self._batch_bytes):
                break
            self._waiting.popleft()
            entries.append(entry)
            count += entry_count
            size += entry_size
        self.waiting -= count
        self._worthwhile = 1 if len(entries) == 1 else math.inf if len(entries) < _LARGE else len(entries) // 2
        self._wary = max(0, self._wary - 1)
        return Batch(entries, careful=self._wary > 0)

    def _refuse_waiting(self) -> None:
        while self._waiting:
            entry, _ = self._waiting.popleft()
            entry.ticket.fail(unavailable("The database is away"))
        self.waiting = 0

    def _become(self, status: LaneStatus, reason: str | None) -> None:
        if status is self.state.status or (self._stopping and reason != _STOPPED):
            return
        self.counts.reconnects += status is LaneStatus.UP and self.state.status is LaneStatus.DOWN
        self.state = LaneState(status, trio.current_time(), reason)
        if status is LaneStatus.UP:
            _log.info("the database connection for appends is up")
        elif status is LaneStatus.DOWN:
            _log.log(
                logging.INFO if self._stopping else logging.WARNING,
                "the database connection for appends is down: %s",
                reason,
            )
            self._refuse_waiting()
