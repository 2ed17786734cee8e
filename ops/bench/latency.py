"""Send to receipt over one connection, beside one bare commit on the same server."""

import asyncio
import time
from statistics import quantiles

import asyncpg
from attrs import frozen

from ops.bench.client import Rest, StompSocket
from ops.bench.target import Target

ROUNDS = 10
SENDS = 100


@frozen
class Latency:
    """Milliseconds."""

    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Latency":
        cuts = quantiles(seconds, n=100)
        return cls(cuts[49] * 1e3, cuts[98] * 1e3)


@frozen
class SendToReceipt:
    receipt: Latency
    bare_commit: Latency


class _BareCommits:
    """`INSERT … RETURNING` into a plain table, one connection, one at a time."""

    def __init__(self, database_url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._connection = self._loop.run_until_complete(asyncpg.connect(database_url))
        self._do("DROP TABLE IF EXISTS bench_commit")
        self._do("CREATE TABLE bench_commit (id bigserial PRIMARY KEY, body text, at timestamptz DEFAULT now())")

    def _do(self, sql: str) -> None:
        self._loop.run_until_complete(self._connection.execute(sql))

    def times(self, count: int) -> list[float]:
        async def commit() -> list[float]:
            taken: list[float] = []
            for _ in range(count):
                started = time.perf_counter()
                await self._connection.fetchval("INSERT INTO bench_commit (body) VALUES ($1) RETURNING id", "x" * 100)
                taken.append(time.perf_counter() - started)
            return taken

        return self._loop.run_until_complete(commit())

    def close(self) -> None:
        self._do("DROP TABLE bench_commit")
        self._loop.run_until_complete(self._connection.close())
        self._loop.close()


def run(target: Target) -> SendToReceipt:
    alice, bob = target.users(2)
    conversation = Rest(target.url, alice.token).make_group("latency", [bob.user_id])
    client = StompSocket(target.url, alice.token)
    frame = client.message_frame(conversation, "x" * 100, receipt="r")
    bare = _BareCommits(target.database_url)

    def receipts(count: int) -> list[float]:
        taken: list[float] = []
        for _ in range(count):
            started = time.perf_counter()
            client.sock.sendall(frame)
            client.wait_for(b"\0")
            taken.append(time.perf_counter() - started)
        return taken

    receipts(20)
    bare.times(20)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        ours += receipts(SENDS)
        theirs += bare.times(SENDS)
    bare.close()
    client.close()
    return SendToReceipt(Latency.of(ours), Latency.of(theirs))
