"""Send to receipt over one connection, beside bare commits on the same server."""

import time
from collections.abc import Sequence
from statistics import quantiles
from typing import Final

from attrs import frozen

from ops.bench.client import Rest, StompSocket
from ops.bench.pgbench import bare_insert_latencies, plain_insert_latencies
from ops.bench.target import Target

ROUNDS: Final = 6
SENDS: Final = 200


@frozen
class Latency:
    """Milliseconds."""

    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Latency":
        cuts = quantiles(seconds, n=100)
        return cls(cuts[49] * 1e3, cuts[98] * 1e3)


@frozen
class SendToReceipt:
    """`same_table` is asyncpg's `INSERT … RETURNING` into `messages`, `plain_table` the same into two columns."""

    receipt: Latency
    same_table: Latency
    plain_table: Latency


def run(target: Target) -> SendToReceipt:
    alice, bob = target.users(2)
    conversation = Rest(target.url, alice.token).make_group("latency", [bob.user_id])
    client = StompSocket(target.url, alice.token)
    frame = client.message_frame(conversation, "x" * 100, receipt="r")

    def receipts(count: int) -> list[float]:
        taken: list[float] = []
        for _ in range(count):
            started = time.perf_counter()
            client.sock.sendall(frame)
            client.wait_for(b"\0")
            taken.append(time.perf_counter() - started)
        return taken

    ours: list[float] = []
    same: list[float] = []
    plain: list[float] = []
    for _ in range(ROUNDS):
        receipts(20)
        ours += receipts(SENDS)
        same += bare_insert_latencies(target.database_url, SENDS)
        plain += plain_insert_latencies(target.database_url, SENDS)
    client.close()
    return SendToReceipt(Latency.of(ours), Latency.of(same), Latency.of(plain))
