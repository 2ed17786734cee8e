"""Rows a second of the append by batch size, and what a call across the trio-asyncio bridge costs.

`python -m ops.bench.append DATABASE_URL`, on a migrated database that may be written to.
"""

import random
import sys
import time
from uuid import UUID, uuid4

import trio

from actors.adapters.postgres.database import Database
from chatcore.model import NewMessage
from chatcore.uuid7 import uuid7

CONVERSATIONS = 64
SECONDS = 3.0
CALLS = 3000

# In a process of its own, since trio-asyncio replaces asyncio's event loops where it is imported.
_PLAIN = f"""
import asyncio, asyncpg, sys, time
async def main():
    connection = await asyncpg.connect(sys.argv[1])
    for _ in range(100): await connection.fetchval("SELECT 1")
    start = time.perf_counter()
    for _ in range({CALLS}): await connection.fetchval("SELECT 1")
    print((time.perf_counter() - start) / {CALLS} * 1e6)
    await connection.close()
asyncio.run(main())
"""


async def run(database_url: str) -> dict[str, float]:
    """Rows a second as `batch_N`, one batch after the other; `callers_64`: one message a call from 64 tasks at once;
    `bridged_us` and `plain_us`: microseconds of a `SELECT 1` through the bridge, and without it.
    """
    results: dict[str, float] = {}
    database = Database(database_url, rng=random.Random(), pool_size=1, append_batch_limit=512)
    async with trio.open_nursery() as nursery:
        await nursery.start(database.run)
        sender, rooms = await fill(database, CONVERSATIONS)
        for size in (1, 8, 64, 256):
            await _appends(database, sender, rooms, size, seconds=0.3)
            results[f"batch_{size}"] = await _appends(database, sender, rooms, size, SECONDS)
        results["callers_64"] = await _callers(database, sender, rooms)
        for _ in range(100):
            await database.fetchval("SELECT 1")
        start = time.perf_counter()
        for _ in range(CALLS):
            await database.fetchval("SELECT 1")
        results["bridged_us"] = (time.perf_counter() - start) / CALLS * 1e6
        nursery.cancel_scope.cancel()
    plain = await trio.run_process([sys.executable, "-c", _PLAIN, database_url], capture_stdout=True)
    results["plain_us"] = float(plain.stdout)
    return results


async def fill(database: Database, conversations: int) -> tuple[UUID, list[UUID]]:
    """A new user, and new conversations of which he is the only member."""
    sender, rooms = uuid4(), [uuid4() for _ in range(conversations)]
    await database.execute("INSERT INTO users (id, email, name) VALUES ($1, $2, 'Bench')", sender, str(sender))
    await database.execute(
        "INSERT INTO conversations (id, type, active_at, created_at, updated_at)"
        " SELECT id, 'GROUP', now(), now(), now() FROM unnest($1::uuid[]) id",
        rooms,
    )
    await database.execute(
        "INSERT INTO participants SELECT id, $2, 'owner', now(), 0, 0 FROM unnest($1::uuid[]) id", rooms, sender
    )
    return sender, rooms


def message(sender: UUID, room: UUID) -> NewMessage:
    """A new one, with a `client_message_id`, as clients send it."""
    message_id = uuid7(time.time_ns() // 1_000_000, random.getrandbits(74))
    return NewMessage(message_id, room, sender, "some words as people write them to each other", str(message_id))


async def _appends(database: Database, sender: UUID, rooms: list[UUID], size: int, seconds: float) -> float:
    start = time.perf_counter()
    rows = 0
    while (spent := time.perf_counter() - start) < seconds:
        await database.writer.append([message(sender, rooms[i % len(rooms)]) for i in range(size)])
        rows += size
    return rows / spent


async def _callers(database: Database, sender: UUID, rooms: list[UUID]) -> float:
    rows = 0
    start = time.perf_counter()

    async def call(room: UUID) -> None:
        nonlocal rows
        while time.perf_counter() - start < SECONDS:
            await database.writer.append([message(sender, room)])
            rows += 1

    async with trio.open_nursery() as nursery:
        for room in rooms:
            nursery.start_soon(call, room)
    return rows / (time.perf_counter() - start)


def main() -> None:
    results = trio.run(run, sys.argv[1])
    print("  ".join(f"{name} {value:,.0f}" for name, value in results.items()))


if __name__ == "__main__":
    main()
