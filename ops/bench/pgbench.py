"""Yardsticks for the append on the server under test: what PostgreSQL does for clients that only insert rows.

None of them numbers messages, checks members or moves marks: they are what one row costs, not what a message does.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import psycopg

from chathttp.dev.binaries import wheel_package

BODY: Final = "x" * 100

_INSERT: Final = "INSERT INTO messages (conversation_id, seq, id, sender_id, created_rev, rev, created_at, body) VALUES"
# Each client appends to a conversation of its own, in the order of seq, as senders do.
_SCRIPT: Final = """\
\\set seq :seq + 1
{insert} (('{run}-0000-4000-8000-' || lpad(to_hex(:client_id::bigint), 12, '0'))::uuid, :seq, {new_id},
    '00000000-0000-4000-8000-000000000000', :seq, :seq, now(), '{body}');
"""
_RATE: Final = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)

# In a process of its own, since trio-asyncio replaces asyncio's event loops where it is imported.
_LATENCIES: Final = """
import asyncio, asyncpg, json, sys, time
from uuid import uuid4
from chatcore.uuid7 import uuid7
url, table, count, body = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
room, sender = uuid4(), uuid4()
async def main():
    connection = await asyncpg.connect(url)
    if table == "messages":
        insert = await connection.prepare(
            "INSERT INTO messages (conversation_id, seq, id, sender_id, created_rev, rev, created_at, body)"
            " VALUES ($1, $2, $3, $4, $2, $2, now(), $5) RETURNING seq, rev, created_at"
        )
        values = lambda n: (room, n, uuid7(time.time_ns() // 1_000_000, n), sender, body)
    else:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS bench_plain"
            " (id bigserial PRIMARY KEY, body text, at timestamptz DEFAULT now())"
        )
        insert = await connection.prepare("INSERT INTO bench_plain (body) VALUES ($1) RETURNING id")
        values = lambda n: (body,)
    taken = []
    for n in range(1, count + 21):
        row = values(n)
        start = time.perf_counter()
        await insert.fetchrow(*row)
        taken.append(time.perf_counter() - start)
    await connection.close()
    print(json.dumps(taken[20:]))
asyncio.run(main())
"""


def pgbench_inserts(database_url: str, clients: int = 64, seconds: int = 5) -> float:
    """One-row commits a second into `messages`, by PostgreSQL's own `pgbench` with as many connections as clients.

    The rows belong to conversations that exist nowhere else, and stay.
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        # Ids rise with time, as the server's own do, where PostgreSQL knows how.
        new_id = "uuidv7()" if connection.info.server_version >= 180_000 else "gen_random_uuid()"
    run = f"{time.time_ns() // 1_000_000 % 2**32:08x}"
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "insert.sql"
        script.write_text(_SCRIPT.format(insert=_INSERT, run=run, new_id=new_id, body=BODY))
        command = [str(_pgbench()), "--no-vacuum", f"--client={clients}", f"--jobs={os.cpu_count() or 1}"]
        command += [f"--time={seconds}", "--protocol=prepared", "--define=seq=0", f"--file={script}", database_url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    rate = _RATE.search(done.stdout)
    if done.returncode != 0 or rate is None:
        raise RuntimeError(f"pgbench failed: {done.stderr.strip()[:500]}")
    return float(rate[1])


def bare_insert_latencies(database_url: str, count: int) -> list[float]:
    """Seconds of each of `count` commits, one after the other, by asyncpg under plain asyncio: `INSERT … RETURNING`,
    prepared, into `messages` with all its indexes and its search vector.
    """
    return _latencies(database_url, "messages", count)


def plain_insert_latencies(database_url: str, count: int) -> list[float]:
    """The same into a table of two columns and a primary key: the least that a commit can take."""
    return _latencies(database_url, "plain", count)


def _latencies(database_url: str, table: str, count: int) -> list[float]:
    command = [sys.executable, "-c", _LATENCIES, database_url, table, str(count), BODY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the inserts failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def _pgbench() -> Path:
    package = wheel_package()
    if package is not None and (found := package / "pginstall/bin/pgbench").exists():
        return found
    system = shutil.which("pgbench")
    if system is None:
        raise RuntimeError("pgbench is neither in the PostgreSQL wheel nor on PATH")
    return Path(system)
