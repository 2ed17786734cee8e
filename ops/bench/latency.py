"""Send to receipt over one connection, beside one bare commit on the same server."""

import time
from statistics import quantiles

import psycopg
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
    """`INSERT … RETURNING` into a plain table, one connection, prepared, one at a time."""

    def __init__(self, database_url: str) -> None:
        self._connection = psycopg.connect(database_url, autocommit=True)
        self._connection.execute("DROP TABLE IF EXISTS bench_commit")
        self._connection.execute(
            "CREATE TABLE bench_commit (id bigserial PRIMARY KEY, body text, at timestamptz DEFAULT now())"
        )

    def times(self, count: int) -> list[float]:
        taken: list[float] = []
        for _ in range(count):
            started = time.perf_counter()
            self._connection.execute(
                "INSERT INTO bench_commit (body) VALUES (%s) RETURNING id", ["x" * 100], prepare=True
            ).fetchone()
            taken.append(time.perf_counter() - started)
        return taken

    def close(self) -> None:
        self._connection.execute("DROP TABLE bench_commit")
        self._connection.close()


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
