import itertools
import select
import time
from collections.abc import Generator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatload.messages import ConnectionPlan, RoomPlan
from chatload.worker.connection import Connection, Stage
from chatload.worker.endpoint import Endpoint
from chatload.worker.receiving import Receiver
from chatload.worker.room import Room
from chatload.worker.server_frames import Receipted, Refused
from chatload.worker.tally import Tally
from tests.chatload.server_bytes import frames, message, typing

DUE = 1_000


class Audience:
    """Implements `Owner` and `Listener`; keeps what it is told."""

    def __init__(self) -> None:
        self.endpoints: Sequence[Endpoint] = [Endpoint.of("http://127.0.0.1:1")]
        self.epoll = select.epoll()
        self.ends: list[tuple[int, str]] = []
        self.resumes: list[int] = []
        self.foreign_fds: list[int] = []

    def received(self, connection: Connection, data: bytes, now: int) -> None: ...
    def opened(self, connection: Connection, now: int) -> None: ...
    def subscribed(self, connection: Connection) -> None: ...
    def receipted(self, connection: Connection, receipt: Receipted, now: int) -> None: ...
    def refused(self, connection: Connection, refusal: Refused) -> None: ...

    def foreign(self, fd: int) -> None:
        self.foreign_fds.append(fd)

    def deferred(self, connection: Connection, seconds: int) -> None: ...
    def ended(self, connection: Connection, code: int, reason: str) -> None:
        self.ends.append((code, reason))

    def resumed(self, connection: Connection, at: int) -> None:
        self.resumes.append(at)


class Bench:
    """A room of subscribers that are ready, and the receiver under test; no sockets."""

    def __init__(self, subscribers: int, *, slow: int = 0) -> None:
        self.audience = Audience()
        self.room = Room(RoomPlan(0, "c", 0, [("u1", 0.0)]), "run", 1_000_000_000)
        self.tally = Tally()
        self.connections = [self._connection(number, slow=number < slow) for number in range(subscribers)]
        self.room.listeners = subscribers - slow
        self.receiver = Receiver({}, self.tally, self.audience)

    def _connection(self, number: int, *, slow: bool) -> Connection:
        plan = ConnectionPlan(number, 0, "token", True, None, 0, slow, None, 0, None)
        connection = Connection(self.audience, plan, self.room)
        connection.stage = Stage.READY
        connection.update_fast()
        return connection

    def feed(self, connection: Connection, data: bytes, now: int = 2 * DUE) -> None:
        """As the loop does it: the memo of the last chunk first."""
        self.receiver.read(connection, data, now)

    def report(self) -> dict[str, dict[int, int]]:
        self.room.report(self.tally, 3 * DUE)
        return self.tally.take_latencies()

    def close(self) -> None:
        self.audience.epoll.close()


@pytest.fixture
def bench() -> Generator[Bench]:
    made = Bench(3)
    yield made
    made.close()


def key(seq: int, due: int = DUE) -> str:
    return f"run.0.{seq}.{due}"


def stream(seqs: Sequence[int]) -> bytes:
    return frames(*[message(seq, key(seq)) for seq in seqs])


@given(st.integers(1, 8), st.lists(st.lists(st.integers(0, 5000), max_size=6), min_size=3, max_size=3))
def test_any_cut_of_what_each_subscriber_reads_gives_each_message_once(count: int, cuts: list[list[int]]) -> None:
    bench = Bench(3)
    data = stream(range(1, count + 1))
    for connection, places in zip(bench.connections, cuts, strict=True):
        bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
        for start, stop in itertools.pairwise(bounds):
            if start < stop:
                bench.feed(connection, data[start:stop])
    for connection in bench.connections:
        order = connection.order
        assert (order.next, order.lost(count), order.doubled, order.out_of_order) == (count + 1, 0, 0, 0)
        assert connection.fast
    assert sum(bench.report()["delivery"].values()) == 3 * count
    assert [(each.seq, each.count) for each in bench.tally.seen] == [(seq, 3) for seq in range(1, count + 1)]
    bench.close()


@pytest.mark.parametrize(
    ("seqs", "lost", "doubled", "out_of_order"),
    [([1, 3], 1, 0, 0), ([1, 2, 2, 3], 0, 1, 0), ([1, 3, 2], 0, 0, 1), ([2, 3], 1, 0, 0), ([1, 2], 1, 0, 0)],
)
def test_fault_at_one_subscriber_is_his_alone(
    bench: Bench, seqs: list[int], lost: int, doubled: int, out_of_order: int
) -> None:
    good, bad, _ = bench.connections
    for seq in (1, 2, 3):
        bench.feed(good, stream([seq]))
    for seq in seqs:
        bench.feed(bad, stream([seq]))
    assert (good.order.lost(3), good.order.doubled, good.order.out_of_order) == (0, 0, 0)
    assert (bad.order.lost(3), bad.order.doubled, bad.order.out_of_order) == (lost, doubled, out_of_order)


def test_repeat_of_the_same_bytes_is_a_repeat_although_they_are_remembered(bench: Bench) -> None:
    first, second, _ = bench.connections
    for connection in (first, second, second):
        bench.feed(connection, stream([1, 2]))
    assert (first.order.doubled, second.order.doubled) == (0, 2)
    assert sum(bench.report()["delivery"].values()) == 4


def test_latency_counts_from_the_time_the_message_carries(bench: Bench) -> None:
    bench.tally.measured_from = 5_000_000
    for seq, due in [(1, 4_000_000), (2, 6_000_000)]:
        bench.feed(bench.connections[0], frames(message(seq, key(seq, due))), now=9_000_000)
    assert bench.report()["delivery"] == {3000: 1}
    assert bench.tally.take_unmeasured() == {5000: 1}


def test_message_of_somebody_else_takes_a_number_and_is_not_measured(bench: Bench) -> None:
    bench.feed(bench.connections[0], frames(message(1, None), message(2, "other.1.1.5")))
    assert bench.connections[0].order.next == 3
    assert bench.report() == {}


def test_number_given_to_two_messages_is_a_fault(bench: Bench) -> None:
    bench.feed(bench.connections[0], frames(message(1, "run.0.1.5")))
    bench.feed(bench.connections[1], frames(message(1, "run.0.2.5")))
    assert bench.room.wrong == 1


def test_number_in_a_receipt_that_another_message_bears_is_a_fault(bench: Bench) -> None:
    bench.room.acknowledged(1, b"run.0.1.5")
    bench.feed(bench.connections[0], frames(message(1, "run.0.1.5")))
    assert bench.room.wrong == 0
    bench.room.acknowledged(1, b"run.0.9.9")
    assert bench.room.wrong == 1


def test_what_was_missed_ends_the_resume_with_the_first_that_was_not(bench: Bench) -> None:
    connection = bench.connections[0]
    connection.resuming = True
    connection.subscribed_at = 5000
    connection.update_fast()
    for seq, due, now in [(1, 1000, 6000), (2, 2000, 7000), (3, 5500, 8000), (4, 5600, 9000)]:
        bench.feed(connection, frames(message(seq, key(seq, due))), now)
    assert bench.audience.resumes == [7000]
    assert sum(bench.report()["delivery"].values()) == 2
    assert [(each.seq, each.count, each.replayed) for each in bench.tally.seen] == [
        (1, 1, 1),
        (2, 1, 1),
        (3, 1, 0),
        (4, 1, 0),
    ]


def test_slow_consumer_is_checked_and_not_measured() -> None:
    bench = Bench(2, slow=1)
    slow, other = bench.connections
    for connection in (slow, other):
        bench.feed(connection, stream([1, 2]))
    assert (slow.order.next, slow.fast) == (3, False)
    assert sum(bench.report()["delivery"].values()) == 2
    assert bench.tally.delivered == 4
    bench.close()


def test_typing_counts_from_the_typists_schedule(bench: Bench) -> None:
    start = 10_000_000_000
    bench.room.typing_starts(start)
    for connection in bench.connections:
        bench.feed(connection, frames(typing("u1", starts=True)), now=start + 2_004_000_000)
    bench.feed(bench.connections[0], frames(typing("u1", starts=False)), now=start + 2_500_000_000)
    assert bench.report()["typing"] == {4000 >> 1 << 1: 3}


def test_close_frame_ends_the_connection_with_its_code(bench: Bench) -> None:
    bench.feed(bench.connections[0], b"\x88\x06\x03\xf5slow")
    assert bench.audience.ends == [(1013, "slow")]


def test_bytes_that_are_no_websocket_end_the_connection(bench: Bench) -> None:
    bench.feed(bench.connections[0], b"HTTP/1.1 200 OK")
    assert [code for code, _ in bench.audience.ends] == [1002]


def test_descriptor_of_no_connection_is_reported(bench: Bench) -> None:
    bench.receiver.handle([(99, select.EPOLLIN)])
    assert bench.audience.foreign_fds == [99]


def test_clock_of_the_workers_is_one_for_all_processes() -> None:
    assert time.get_clock_info("monotonic").implementation == "clock_gettime(CLOCK_MONOTONIC)"
