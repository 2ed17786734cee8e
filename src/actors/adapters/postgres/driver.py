"""The seam to asyncpg, which has no type hints: the parts in use as protocols, and what its errors mean.

trio-asyncio must be imported before any asyncio driver, since it replaces functions that drivers take references to.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol, cast

from attrs import frozen

# isort: off
import trio_asyncio  # pyright: ignore[reportMissingTypeStubs]  # it has none; `Any` ends in this module
import asyncpg  # pyright: ignore[reportMissingTypeStubs]  # as above
# isort: on

from chatcore.errors import ChatError, unavailable

open_loop = cast("Any", trio_asyncio).open_loop
PostgresError: type[Exception] = cast("Any", asyncpg).PostgresError
UniqueViolation: type[Exception] = cast("Any", asyncpg).UniqueViolationError
InterfaceError: type[Exception] = cast("Any", asyncpg).InterfaceError

CONNECT_ERRORS: Final = (OSError, PostgresError, InterfaceError, ValueError)
"""What a failed attempt to connect raises; a time-out is an OSError, a ValueError is about the URL."""

_AWAY_CLASSES: Final = ("08", "53")
_AWAY_STATES: Final = ("57014", "57P01", "57P02", "57P03", "57P04", "55P03", "25006")


class Row(Protocol):
    """A row of a result, by column name."""

    def __getitem__(self, column: str | int) -> Any: ...


class Connection(Protocol):
    """The part of `asyncpg.Connection` in use. Its coroutines run on the asyncio side only."""

    async def fetch(self, query: str, *args: object) -> list[Row]: ...
    async def fetchrow(self, query: str, *args: object) -> Row | None: ...
    async def fetchval(self, query: str, *args: object) -> Any: ...
    async def execute(self, query: str, *args: object) -> str: ...
    def transaction(self) -> AbstractAsyncContextManager[None]: ...
    def is_closed(self) -> bool: ...
    def is_in_transaction(self) -> bool: ...
    def add_termination_listener(self, callback: Callable[[Any], None]) -> None: ...
    async def close(self, *, timeout: float) -> None: ...
    def terminate(self) -> None: ...


@frozen
class ConnectOptions:
    """How to connect. Times are in seconds; `settings` are PostgreSQL's, for the session."""

    url: str
    connect_timeout: float
    statement_timeout: float
    settings: Mapping[str, str]

    def session(self) -> dict[str, str]:
        return {
            "application_name": "stackmentor",
            "default_transaction_isolation": "read committed",
            "statement_timeout": str(round(self.statement_timeout * 1000)),
            # Shorter than the statements that wait for a frozen node's row locks.
            "idle_in_transaction_session_timeout": str(round(self.statement_timeout * 500)),
            "jit": "off",
            **self.settings,
        }


async def connect(options: ConnectOptions) -> Connection:
    """A new connection. Raises one of `CONNECT_ERRORS`."""
    connection = await cast("Any", asyncpg).connect(
        options.url,
        timeout=options.connect_timeout,
        server_settings=options.session(),
        max_cached_statement_lifetime=0,
    )
    return cast("Connection", connection)


def sqlstate(error: BaseException) -> str:
    """The five characters of the server's (or asyncpg's own) verdict; empty for other errors."""
    return getattr(error, "sqlstate", None) or ""


def is_retryable(error: BaseException) -> bool:
    """Whether the same transaction may succeed when it is run again: a deadlock, or a plan outdated by a migration."""
    return sqlstate(error).startswith("40") or type(error).__name__ in {
        "InvalidCachedStatementError",
        "OutdatedSchemaCacheError",
    }


def drop_if_lost(error: BaseException, connection: Connection) -> bool:
    """Whether the connection is of no more use after `error`; it is closed then.

    The outcome of what ran on it is unknown, unless the server had become read-only by a fail-over.
    """
    severity = getattr(error, "severity_en", None) or getattr(error, "severity", None)
    if severity in {"FATAL", "PANIC"} or isinstance(error, OSError) or sqlstate(error) == "25006":
        connection.terminate()
    return connection.is_closed()


def is_away(error: BaseException) -> bool:
    """Whether the server said that it is too slow, too full or too busy."""
    state = sqlstate(error)
    return state[:2] in _AWAY_CLASSES or state in _AWAY_STATES or is_retryable(error)


def refusal(error: Exception) -> ChatError:
    """`UNAVAILABLE` because of `error`."""
    refused = unavailable("The database did not answer")
    refused.__cause__ = error
    return refused
