"""What the reading adapters need of a database: the whole of it, or one connection to it."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from actors.adapters.postgres.driver import Connection, Row

T = TypeVar("T")


class Queries(Protocol):
    """As `Database`, whose methods say what they do."""

    async def fetch(self, sql: str, *args: object) -> list[Row]: ...

    async def fetchrow(self, sql: str, *args: object) -> Row | None: ...

    async def fetchval(self, sql: str, *args: object) -> Any: ...

    async def execute(self, sql: str, *args: object) -> str: ...

    async def query(self, fn: Callable[[Connection], Awaitable[T]]) -> T: ...

    async def transaction(self, fn: Callable[[Connection], Awaitable[T]]) -> T: ...


class OnConnection:
    """`Queries` on one connection, on the asyncio side: what follows sees no less than what went before."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        return await self._connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        return await self._connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        return await self._connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        return await self._connection.execute(sql, *args)

    async def query(self, fn: Callable[[Connection], Awaitable[T]]) -> T:
        return await fn(self._connection)

    async def transaction(self, fn: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._connection.transaction():
            return await fn(self._connection)
