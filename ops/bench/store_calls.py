"""The store's share of a message, called without the server, beside the same database used directly.

`python -m ops.bench.store_calls DATABASE_URL`, on a migrated database that may be written to.
"""

import random
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median
from uuid import UUID

import trio
from attrs import frozen

from actors.adapters.postgres.database import Database
from ops.bench.append import fill, message
from ops.bench.pgbench import bare_insert_latencies, pgbench_inserts, plain_insert_latencies

CALLS = 1000
ROUNDS = 3
SECONDS = 2.0
SENDERS = 64


@frozen
class Call:
    """Microseconds: the median of the time, and the mean of this process's CPU."""

    p50: float
    cpu: float

    @classmethod
    async def of(cls, call: Callable[[], Awaitable[object]]) -> "Call":
        for _ in range(CALLS // 10):
            await call()
        taken: list[float] = []
        cpu = time.process_time()
        for _ in range(CALLS):
            start = time.perf_counter()
            await call()
            taken.append(time.perf_counter() - start)
        return cls(median(taken) * 1e6, (time.process_time() - cpu) / CALLS * 1e6)


@frozen
class Rate:
    """Messages a second, and microseconds of this process's CPU for each."""

    per_second: float
    cpu: float


@frozen
class Adapter:
    query: Call
    append: Call
    senders: Rate


async def _adapter(database_url: str) -> Adapter:
    database = Database(database_url, rng=random.Random(), pool_size=1)
    async with trio.open_nursery() as nursery:
        await nursery.start(database.run)
        sender, rooms = await fill(database, SENDERS)
        query = await Call.of(lambda: database.fetchval("SELECT 1"))
        append = await Call.of(lambda: database.writer.append([message(sender, rooms[0])]))
        rate = await _senders(database, sender, rooms)
        nursery.cancel_scope.cancel()
    return Adapter(query, append, rate)


async def _senders(database: Database, sender: UUID, rooms: list[UUID]) -> Rate:
    """One message in flight for each room."""
    done = 0
    start, cpu = time.perf_counter(), time.process_time()

    async def send(room: UUID) -> None:
        nonlocal done
        while time.perf_counter() - start < SECONDS:
            await database.writer.append([message(sender, room)])
            done += 1

    async with trio.open_nursery() as nursery:
        for room in rooms:
            nursery.start_soon(send, room)
    return Rate(done / (time.perf_counter() - start), (time.process_time() - cpu) / done * 1e6)


def main() -> None:
    url = sys.argv[1]
    for _ in range(ROUNDS):
        adapter = trio.run(_adapter, url)
        rows = median(bare_insert_latencies(url, CALLS)) * 1e6
        plain = median(plain_insert_latencies(url, CALLS)) * 1e6
        pgbench = pgbench_inserts(url, SENDERS, round(SECONDS))
        print(
            f"append p50 {adapter.append.p50:,.0f} µs (CPU {adapter.append.cpu:,.0f}), asyncpg INSERT into messages "
            f"{rows:,.0f} ({adapter.append.p50 / rows:.2f}x), into a plain table {plain:,.0f} "
            f"({adapter.append.p50 / plain:.2f}x); SELECT 1 {adapter.query.p50:,.0f} (CPU {adapter.query.cpu:,.0f}); "
            f"{SENDERS} senders {adapter.senders.per_second:,.0f}/s (CPU {adapter.senders.cpu:,.1f} µs each), "
            f"pgbench {pgbench:,.0f}/s ({adapter.senders.per_second / pgbench:.2f}x)"
        )


if __name__ == "__main__":
    main()
