"""The seam to libpq: one connection that a Trio task waits for by itself, with prepared statements in binary form.

psycopg's thin binding (`psycopg.pq`) does no I/O of its own but through non-blocking calls, so no second event loop
stands between a commit and who waits for it.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import psycopg
import trio
from attrs import define
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq.abc import PGconn, PGresult

from actors.adapters.postgres.driver import ConnectOptions

_BINARY: Final = 1
_GOOD: Final = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)
_LOST_STATES: Final = ("0A000", "25006", "26000")
"""A plan outdated by a migration, a server that became read-only by a fail-over, a statement that is prepared no more:
nothing was done, and a new connection cures it.
"""


class LostError(ConnectionError):
    """The connection is of no more use. The outcome of what ran on it is unknown."""


class ServerError(Exception):
    """The server's verdict on one statement: `sqlstate` has five characters."""

    def __init__(self, message: str, state: str) -> None:
        super().__init__(message)
        self.sqlstate = state


@define
class Query:
    """A prepared statement's name, and its parameters in binary form."""

    name: bytes
    parameters: Sequence[bytes | None]


class LibpqConnection:
    """One statement at a time: `send`, then `receive`, or `arrival` and `poll` as often as it takes."""

    def __init__(self, connection: PGconn) -> None:
        self._connection = connection
        self._result: PGresult | None = None
        self.closed = False
        self.unsent = False
        """Whether a part of the query is still to be written."""

    def send(self, query: Query) -> None:
        """Write as much of it as the socket takes at once. Raises `LostError`."""
        connection = self._connection
        try:
            connection.send_query_prepared(query.name, query.parameters, [_BINARY] * len(query.parameters), _BINARY)
            self.unsent = connection.flush() != 0
        except psycopg.OperationalError as error:
            raise self._lost(str(error)) from error

    async def arrival(self) -> None:
        """Wait until something came from the server, or until more can be written. Raises `LostError`."""
        # The server reads a query whole before it answers, so only one of the two can be worth waiting for.
        wait = trio.lowlevel.wait_writable if self.unsent else trio.lowlevel.wait_readable
        try:
            await wait(self._connection.socket)
        except (OSError, psycopg.OperationalError, trio.ClosedResourceError) as error:
            raise self._lost("the connection was closed") from error

    def poll(self) -> PGresult | None:
        """The result, once it and all that belongs to it is there: of several commands the first failure, else
        the last result. Raises `ServerError`, `LostError`."""
        connection = self._connection
        try:
            connection.consume_input()
            if self.unsent:
                self.unsent = connection.flush() != 0
            while not connection.is_busy():
                result = connection.get_result()
                if result is None:
                    return self._complete()
                if self._result is None or self._result.status in _GOOD:
                    self._result = result
        except psycopg.OperationalError as error:
            raise self._lost(str(error)) from error
        return None

    def _complete(self) -> PGresult | None:
        result, self._result = self._result, None
        if result is not None and result.status not in _GOOD:
            raise self._failure(result)
        return result

    async def receive(self) -> PGresult:
        """Wait for the result. Raises `ServerError`, `LostError`."""
        while True:
            await self.arrival()
            result = self.poll()
            if result is not None:
                return result

    async def run(self, query: Query) -> PGresult:
        """`send` and `receive`."""
        self.send(query)
        return await self.receive()

    async def execute(self, command: bytes) -> None:
        """A command without parameters. Raises `ServerError`, `LostError`."""
        self._write(lambda: self._connection.send_query(command))
        await self.receive()

    async def prepare(self, name: bytes, statement: bytes) -> None:
        """Raises `ServerError`, `LostError`."""
        self._write(lambda: self._connection.send_prepare(name, statement))
        await self.receive()

    def _write(self, begin: Callable[[], None]) -> None:
        try:
            begin()
            self.unsent = self._connection.flush() != 0
        except psycopg.OperationalError as error:
            raise self._lost(str(error)) from error

    def close(self) -> None:
        """Close it, and wake who waits for it. Nothing happens the second time."""
        if self.closed:
            return
        self.closed = True
        with suppress(psycopg.OperationalError):  # it has no socket any more
            trio.lowlevel.notify_closing(self._connection.socket)
        self._connection.finish()

    def _failure(self, result: PGresult) -> Exception:
        field = result.error_field
        state = (field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        severity = field(pq.DiagnosticField.SEVERITY_NONLOCALIZED)
        message = result.get_error_message("utf-8")
        if severity in {b"FATAL", b"PANIC"} or not state or state in _LOST_STATES:
            return self._lost(message)
        return ServerError(message, state)

    def _lost(self, message: str) -> LostError:
        self.close()
        return LostError(message.strip())


async def connect(options: ConnectOptions) -> LibpqConnection:
    """A new connection. Raises `LostError`, other `OSError`, `psycopg.Error`."""
    with trio.move_on_after(options.connect_timeout):
        # A thread, since libpq looks host names up before it gives the control back.
        opened = await trio.to_thread.run_sync(
            pq.PGconn.connect_start, _conninfo(options).encode(), abandon_on_cancel=True
        )
        connection = LibpqConnection(opened)
        try:
            await _establish(opened)
            opened.nonblocking = 1
        except BaseException:
            connection.close()
            raise
        return connection
    raise TimeoutError("the database does not answer")


def _conninfo(options: ConnectOptions) -> str:
    settings = [str(conninfo_to_dict(options.url).get("options") or "")]
    settings += [f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in options.session().items()]
    return make_conninfo(options.url, options=" ".join(settings).strip())


async def _establish(connection: PGconn) -> None:
    while True:
        match connection.connect_poll():
            case pq.PollingStatus.OK:
                return
            case pq.PollingStatus.READING:
                await trio.lowlevel.wait_readable(connection.socket)
            case pq.PollingStatus.WRITING:
                await trio.lowlevel.wait_writable(connection.socket)
            case _:
                raise LostError(connection.get_error_message("utf-8").strip())
