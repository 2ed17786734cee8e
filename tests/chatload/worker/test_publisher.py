from chatload.worker.publisher import Publisher
from chatload.worker.server_frames import Receipted
from chatload.worker.tally import Tally
from tests.chatload.worker.test_connection import Pair


class Settled:
    def __init__(self) -> None:
        self.seqs: list[int] = []

    def __call__(self, index: int, seq: int) -> None:
        self.seqs.append(seq)


def test_receipt_counts_from_when_the_send_was_due_and_not_from_when_it_left() -> None:
    pair, tally, settled = Pair(), Tally(), Settled()
    publisher = Publisher(pair.connection, tally, "run", 5, settled)
    publisher.send(1_000_000, 5_000_000)
    publisher.acknowledged(Receipted(b"1", 7), 9_000_000)
    assert tally.take_latencies() == {"receipt": {8000: 1}}
    assert (publisher.late, len(publisher), settled.seqs) == (4_000_000, 0, [7])
    pair.close()


def test_receipt_of_the_warm_up_is_not_measured() -> None:
    pair, tally = Pair(), Tally()
    tally.measured_from = 2_000_000
    publisher = Publisher(pair.connection, tally, "run", 5, Settled())
    publisher.send(1_000_000, 1_000_000)
    publisher.acknowledged(Receipted(b"1", 7), 9_000_000)
    assert (tally.take_latencies(), tally.acknowledged) == ({}, 1)
    pair.close()


def test_receipt_that_nothing_waits_for_is_an_error() -> None:
    pair, tally = Pair(), Tally()
    publisher = Publisher(pair.connection, tally, "run", 5, Settled())
    publisher.acknowledged(Receipted(b"1", 7), 9)
    assert tally.errors == {"UNEXPECTED_RECEIPT": 1}
    pair.close()


def test_what_is_not_acknowledged_is_sent_again_the_same_after_a_reconnect() -> None:
    pair, tally, settled = Pair(), Tally(), Settled()
    publisher = Publisher(pair.connection, tally, "run", 5, settled)
    for due in (1, 2, 3):
        publisher.send(due, due)
    publisher.acknowledged(Receipted(b"1", 7), 9)
    publisher.refused(b"3")
    pair.subscribe()
    publisher.send_again()
    data = pair.server.recv(65_536)
    assert data.count(b"SEND\n") == 1
    assert b'"clientMessageId":"run.0.2.2"' in data
    assert (tally.sent, settled.seqs) == (3, [7, 0])
    pair.close()
