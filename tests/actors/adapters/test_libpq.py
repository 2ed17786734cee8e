"""One connection by libpq under Trio."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from psycopg.conninfo import make_conninfo

from actors.adapters.postgres.binary import bigint
from actors.adapters.postgres.driver import ConnectOptions
from actors.adapters.postgres.libpq import LibpqConnection, LostError, Query, ServerError, connect
from tests.kit.pglocks import terminate


def options(url: str, **settings: str) -> ConnectOptions:
    return ConnectOptions(url, 5.0, 10.0, settings)


@asynccontextmanager
async def connected(url: str, **settings: str) -> AsyncGenerator[LibpqConnection]:
    connection = await connect(options(url, **settings))
    try:
        yield connection
    finally:
        connection.close()


async def test_prepared_statements_take_and_give_binary_values(database_url: str) -> None:
    async with connected(database_url) as connection:
        await connection.prepare(b"next", b"SELECT $1::bigint + 1, $2::text")
        for number in (1, 2**40):
            result = await connection.run(Query(b"next", [number.to_bytes(8, "big"), None]))
            assert bigint(result.get_value(0, 0) or b"") == number + 1
            assert result.get_value(0, 1) is None


async def test_the_session_has_its_settings_and_keeps_those_of_the_url(database_url: str) -> None:
    url = make_conninfo(database_url, options="-c work_mem=5MB")
    async with connected(url, enable_seqscan="off") as connection:
        names = (
            "default_transaction_isolation",
            "statement_timeout",
            "enable_seqscan",
            "work_mem",
            "synchronous_commit",
        )
        columns = ", ".join(f"current_setting('{name}')" for name in names)
        await connection.prepare(b"settings", f"SELECT {columns}".encode())
        result = await connection.run(Query(b"settings", []))
        found = [result.get_value(0, column) for column in range(len(names))]
    assert found == [b"read committed", b"10s", b"off", b"5MB", b"on"]


async def test_a_failed_statement_tells_its_state_and_leaves_the_connection_in_use(database_url: str) -> None:
    async with connected(database_url) as connection:
        with pytest.raises(ServerError) as failure:
            await connection.execute(b"SELECT 1; SELECT 1 / 0; SELECT 2")
        assert failure.value.sqlstate == "22012"
        await connection.execute(b"SELECT 1")
        assert not connection.closed


async def test_more_than_the_socket_takes_at_once_is_sent_and_read_whole(database_url: str) -> None:
    text = b"x" * 2**24
    async with connected(database_url) as connection:
        await connection.prepare(b"echo", b"SELECT $1::text")
        connection.send(Query(b"echo", [text]))
        assert connection.unsent
        result = await connection.receive()
        assert result.get_value(0, 0) == text


async def test_a_connection_that_the_server_ends_is_lost_to_who_waits(database_url: str) -> None:
    async with connected(database_url) as connection:
        terminate(database_url)
        with pytest.raises(LostError), trio.fail_after(5):
            await connection.receive()
        assert connection.closed
        with pytest.raises(LostError):
            connection.send(Query(b"any", []))


async def test_closing_wakes_who_waits(database_url: str) -> None:
    async with connected(database_url) as connection, trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(LostError):
                await connection.arrival()

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        connection.close()


async def test_a_statement_that_a_migration_outdated_costs_the_connection(database_url: str) -> None:
    async with connected(database_url) as connection:
        await connection.execute(b"CREATE TABLE changing (one int)")
        await connection.prepare(b"all", b"SELECT * FROM changing")
        await connection.run(Query(b"all", []))
        await connection.execute(b"ALTER TABLE changing ADD COLUMN two int")
        with pytest.raises(LostError):
            await connection.run(Query(b"all", []))
        assert connection.closed


async def test_a_server_that_is_not_there_is_an_error_at_once(database_url: str) -> None:
    with pytest.raises(OSError):
        await connect(options(make_conninfo(database_url, port=1)))
