"""Twice the capacity: what is still committed, and what happens to the rest.

`python -m ops.bench.overload`. First a closed loop finds the capacity: senders with a fixed number of SENDs in flight,
each in a conversation of its own. Then the same senders offer twice that in an open loop, by the clock, whether or not
receipts come. What a socket does not take is not offered again, as with a client whose own queue is bounded.
"""

import json
import selectors
import socket
import time
from typing import Final

import psycopg
from attrs import asdict, define, field, frozen

from ops.bench.client import Rest, StompSocket
from ops.bench.target import Target, started_target

SENDERS: Final = 64
IN_FLIGHT: Final = 8
SECONDS: Final = 10.0
SETTLE_SECONDS: Final = 20.0
TICK: Final = 0.005
SEND_BUFFER: Final = 16_384
"""Of a sender's socket, so that it is felt when the server does not read on."""
_RECEIPT: Final = b"receipt-id:"


@frozen
class Overload:
    """Rates are messages a second. Latencies are milliseconds from when the socket took the SEND to its RECEIPT."""

    capacity: float
    offered: float
    committed: float
    not_taken: int
    """SENDs for which the sender's socket had no room: the server did not read on."""
    refused: int
    """Answered by an error."""
    p50: float
    p99: float
    acknowledged: int
    stored: int
    """Messages in the database; at least those that were acknowledged."""

    @property
    def kept(self) -> float:
        """Throughput at twice the capacity, as a part of the capacity."""
        return self.committed / self.capacity


@define(eq=False)
class _Sender:
    client: StompSocket
    conversation: str
    sent: dict[bytes, float] = field(factory=dict[bytes, float])
    rest: bytes = b""
    unsent: bytes = b""
    number: int = 0

    def send(self, now: float) -> bool:
        """Whether the socket took it, or the first part of it."""
        if not self.flush():
            return False
        self.number += 1
        frame = self.client.message_frame(self.conversation, "x" * 100, receipt=str(self.number))
        self.unsent = frame
        self.flush()
        if len(self.unsent) == len(frame):
            self.unsent = b""
            self.number -= 1
            return False
        self.sent[str(self.number).encode()] = now
        return True

    def flush(self) -> bool:
        """Send what is left of the last; whether nothing is."""
        if not self.unsent:
            return True
        try:
            self.unsent = self.unsent[self.client.sock.send(self.unsent) :]
        except BlockingIOError:
            return False
        return not self.unsent

    def receive(self, now: float) -> tuple[list[float], int]:
        """Latencies of the receipts that came, and how many refusals did."""
        data = self.rest + self.client.sock.recv(1 << 18)
        *frames, self.rest = data.split(b"\0")
        latencies: list[float] = []
        refused = 0
        for frame in frames:
            at = frame.find(_RECEIPT)
            if b"RECEIPT\n" in frame and at >= 0:
                began = self.sent.pop(frame[at + len(_RECEIPT) :].split(b"\n", 1)[0], None)
                if began is not None:
                    latencies.append(now - began)
            else:
                refused += b"errorCode" in frame
        return latencies, refused


def run(target: Target) -> Overload:
    senders = _senders(target)
    selector = selectors.DefaultSelector()
    for sender in senders:
        sender.client.sock.setblocking(False)
        selector.register(sender.client.sock, selectors.EVENT_READ, sender)
    before = _stored(target)
    closed = _closed_loop(selector, senders)
    capacity = len(closed) / SECONDS
    latencies, refused, not_taken, in_time = _open_loop(selector, senders, 2 * capacity)
    for sender in senders:
        sender.client.close()
    latencies.sort()
    return Overload(
        capacity=capacity,
        offered=2 * capacity,
        committed=in_time / SECONDS,
        not_taken=not_taken,
        refused=refused,
        p50=latencies[len(latencies) // 2] * 1e3,
        p99=latencies[len(latencies) * 99 // 100] * 1e3,
        acknowledged=len(closed) + len(latencies),
        stored=_stored(target) - before,
    )


def _senders(target: Target) -> list[_Sender]:
    users = target.users(SENDERS)
    made: list[_Sender] = []
    for user, other in zip(users, users[1:] + users[:1], strict=True):
        conversation = Rest(target.url, user.token).make_group("overload", [other.user_id])
        client = StompSocket(target.url, user.token)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        made.append(_Sender(client, conversation))
    return made


def _stored(target: Target) -> int:
    with psycopg.connect(target.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM messages").fetchone()
    assert row is not None
    return int(row[0])


def _closed_loop(selector: selectors.BaseSelector, senders: list[_Sender]) -> list[float]:
    """Latencies of all that was acknowledged in `SECONDS`; what is in flight at the end is waited for, uncounted."""
    now = time.perf_counter()
    end = now + SECONDS
    for sender in senders:
        for _ in range(IN_FLIGHT):
            sender.send(now)
    latencies: list[float] = []
    while now < end or any(sender.sent for sender in senders):
        for key, _ in selector.select(1.0):
            sender = key.data
            assert isinstance(sender, _Sender)
            now = time.perf_counter()
            came, refused = sender.receive(now)
            if refused:
                raise ConnectionError("a sender within the capacity was refused")
            if now < end:
                latencies += came
                for _ in came:
                    sender.send(now)
    return latencies


def _open_loop(
    selector: selectors.BaseSelector, senders: list[_Sender], rate: float
) -> tuple[list[float], int, int, int]:
    """Latencies, refusals, SENDs that were not taken, and how many receipts came within `SECONDS`."""
    began = now = time.perf_counter()
    end = began + SECONDS
    latencies: list[float] = []
    refused = not_taken = offered = in_time = 0
    while now < end or (any(sender.sent for sender in senders) and now < end + SETTLE_SECONDS):
        while now < end and offered < (now - began) * rate:
            not_taken += not senders[offered % len(senders)].send(now)
            offered += 1
        for key, _ in selector.select(TICK):
            sender = key.data
            assert isinstance(sender, _Sender)
            now = time.perf_counter()
            came, errors = sender.receive(now)
            latencies += came
            refused += errors
            in_time += len(came) if now < end else 0
        if now >= end:
            for sender in senders:
                sender.flush()
        now = time.perf_counter()
    return latencies, refused, not_taken, in_time


def main() -> None:
    with started_target() as target:
        result = run(target)
    print(json.dumps({**asdict(result), "kept": result.kept}, indent=2))
    if result.kept < 0.8 or result.stored < result.acknowledged:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
