"""The seam to redis-py and hiredis: one connection that takes packed commands and gives parsed replies.

redis-py connects, by what the URL says of TLS, password, database and unix socket. Batches are then written to and read
from its streams: its own calls cost some 20 µs each, a packed command and a parsed reply half a microsecond.
trio-asyncio must be imported before any asyncio driver, since it replaces functions that drivers take references to.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

# isort: off
import trio_asyncio  # pyright: ignore[reportMissingTypeStubs]  # it has none; `Any` ends in this module
import hiredis
import redis.asyncio.connection as redis_connection
from redis.crc import key_slot
from redis.exceptions import RedisError
# isort: on

from attrs import frozen

open_loop = cast("Any", trio_asyncio).open_loop

Word: TypeAlias = str | bytes | int | float
Command: TypeAlias = Sequence[Word]
Answer: TypeAlias = "int | bytes | list[Answer] | None"
Address: TypeAlias = tuple[str, int]

_pack_command = cast("Callable[[tuple[Word, ...]], bytes]", cast("Any", hiredis).pack_command)

ReplyError: Final = hiredis.ReplyError
LOST: Final = (OSError, EOFError, RedisError, ReplyError, hiredis.ProtocolError)
"""What a failed attempt to connect and a broken connection raise; a time-out is an OSError."""

_CHUNK: Final = 65_536
_NOTHING: Final = object()


@frozen
class Target:
    """Where to connect: the URL as in redis-py, and the time for it in seconds."""

    url: str
    timeout: float


class Wire:
    """One connection. Its coroutines run on the asyncio side only."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection  # dropped, it would close the streams
        self._reader: asyncio.StreamReader = connection._reader
        self._writer: asyncio.StreamWriter = connection._writer
        self._parser = hiredis.Reader(notEnoughData=_NOTHING)

    def write(self, packed: bytes) -> None:
        self._writer.write(packed)

    async def drain(self) -> None:
        """Wait while the socket takes nothing. Raises one of `LOST`."""
        await self._writer.drain()

    async def read(self) -> list[Any]:
        """The replies that have come, at least one; a refusal is a `ReplyError` among them. Raises one of `LOST`."""
        parser = self._parser
        while True:
            data = await self._reader.read(_CHUNK)
            if not data:
                raise EOFError("Redis closed the connection")
            parser.feed(data)
            replies: list[Any] = []
            while (reply := parser.gets()) is not _NOTHING:
                replies.append(reply)
            if replies:
                return replies

    async def ask(self, *words: Word) -> Any:
        """The answer to one command while nothing else is under way. Raises one of `LOST`."""
        self.write(pack(words))
        reply = (await self.read())[0]
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    def close(self) -> None:
        """At once; what is not written yet is lost."""
        self._writer.transport.abort()
        self._connection._writer = self._connection._reader = None


async def connect(target: Target, address: Address | None = None) -> Wire:
    """A new connection to the URL's server, or to another with the same credentials. Raises one of `LOST`."""
    options: dict[str, Any] = dict(cast("Mapping[str, Any]", cast("Any", redis_connection).parse_url(target.url)))
    kind = options.pop("connection_class", redis_connection.Connection)
    if address is not None:
        options["host"], options["port"] = address
    connection = kind(**options, protocol=2, socket_connect_timeout=target.timeout, driver_info=None)
    try:
        async with asyncio.timeout(target.timeout):
            await connection.connect()
    except BaseException:
        connection._close()
        raise
    return Wire(connection)


def pack(words: Command) -> bytes:
    return _pack_command(tuple(words))


def slot_of(channel: str) -> int:
    return key_slot(channel.encode())
