"""`python -m ops.bench.plans`: fills a PostgreSQL of its own and asks it everything. See the package."""

import argparse
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psycopg
import trio
from psycopg import sql

from actors.adapters.postgres.database import Database
from actors.adapters.postgres.migrations import migrate_up
from chathttp.dev.cluster import prepare_cluster
from chathttp.dev.postgres import serving
from ops.bench.kept import write_kept
from ops.bench.peers.report import machine
from ops.bench.plans.calls import Caller, methods_of_adapters
from ops.bench.plans.data import Data, fill
from ops.bench.plans.depths import Depth, depths
from ops.bench.plans.explained import CONFIGURATION, EXPLAINING, Plan, plans_of
from ops.bench.plans.findings import LARGE, Findings, markdown
from tests.kit.postgres import remove_scratch, scratch_directory

_FAST: Final = """
fsync = off
full_page_writes = off
max_wal_size = 16GB
shared_buffers = 2GB
"""


def measure(
    directory: Path,
    messages: int,
    conversations: int,
    users: int,
    rounds: int,
    also: Callable[[str], None] = lambda _: None,
) -> Findings:
    """`also` is explained with the rest; it gets the database's URL. Raises `RuntimeError` when a method of an adapter
    was not called.
    """
    cluster = prepare_cluster(directory)
    with open(cluster.directory / "postgresql.conf", "a") as file:
        file.write(_FAST + CONFIGURATION)
    with serving(cluster) as url:
        migrate_up(url)
        start = time.monotonic()
        data = fill(url, messages, conversations, users)
        filled = time.monotonic() - start
        found = trio.run(_depths, url, data, rounds)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL(EXPLAINING).format(sql.Identifier(connection.info.dbname)))
        trio.run(_call_everything, url, data)
        also(url)
    plans = plans_of(cluster.directory)
    scans = {
        (each.relation, each.statement): each for plan in plans for each in plan.full_scans() if each.rows >= LARGE
    }
    return Findings(
        date=datetime.now(UTC).date().isoformat(),
        machine=machine(),
        messages=messages,
        conversations=conversations,
        statements=len(plans),
        fill_seconds=round(filled, 1),
        scans=list(scans.values()),
        slowest=_slowest(plans),
        depths=found,
    )


def _slowest(plans: list[Plan]) -> list[tuple[str, float]]:
    longest: dict[str, float] = {}
    for plan in plans:
        text = " ".join(plan.statement.split())
        longest[text] = max(plan.milliseconds, longest.get(text, 0.0))
    return sorted(longest.items(), key=lambda each: -each[1])[:10]


async def _call_everything(url: str, data: Data) -> None:
    async with trio.open_nursery() as nursery:
        database = _database(url)
        await nursery.start(database.run)
        caller = Caller(database, data)
        await caller.call_everything()
        nursery.cancel_scope.cancel()
    missing = methods_of_adapters() - caller.called
    if missing:
        raise RuntimeError(f"not called: {', '.join(sorted(missing))}")


async def _depths(url: str, data: Data, rounds: int) -> list[Depth]:
    async with trio.open_nursery() as nursery:
        database = _database(url)
        await nursery.start(database.run)
        found = await depths(database, data, rounds)
        nursery.cancel_scope.cancel()
    return found


def _database(url: str) -> Database:
    return Database(url, rng=random.Random(1), pool_size=2, statement_timeout=120.0, connect_timeout=10.0)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ops.bench.plans", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--conversations", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=200, help="of each page")
    parser.add_argument("--out", type=Path, help="keep what was found as JSON")
    given = parser.parse_args()
    directory = scratch_directory()
    try:
        found = measure(directory, given.messages, given.conversations, given.users, given.rounds)
    finally:
        remove_scratch(directory)
    if given.out is not None:
        write_kept(found, given.out)
    sys.stdout.write(markdown(found))
    return 0 if found.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
