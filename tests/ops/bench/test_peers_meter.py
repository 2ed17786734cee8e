"""The C meter against the C broadcaster, and against servers that do wrong."""

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from ops.bench.broadcast.broadcaster import running_broadcaster
from ops.bench.broadcast.build import BuildError, Programs, build
from ops.bench.broadcast.meter import MARK, MARK_SIZE, Meter, MeterError, Plan

PAD: Final = "x" * 633
BODY: Final = MARK + PAD
FRAME_SIZE: Final = 4 + MARK_SIZE + len(PAD)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return build(tmp_path_factory.mktemp("broadcast"))


def test_every_message_is_counted_once_for_every_subscriber(programs: Programs) -> None:
    with (
        running_broadcaster(programs.broadcaster) as server,
        Meter(
            programs.meter, server.port, 20, BODY, publishers=3, publish_path="/publish", cpu={"server": [server.pid]}
        ) as meter,
    ):
        found = meter.measure(Plan(publishers=3, in_flight=8, messages=300, warmup=30))
        again = meter.measure(Plan(messages=10))
    assert (found.messages, found.deliveries, found.faults) == (300, 6000, 0)
    assert found.bytes_per_delivery == FRAME_SIZE
    assert found.delivery is not None
    assert found.completion is not None
    assert (found.delivery.count, found.completion.count) == (6000, 300)
    assert 0 < found.delivery.p50 <= found.delivery.p99 <= found.delivery.max <= found.completion.max
    assert found.cpu.keys() == {"server"}
    assert found.meter_cpu > 0
    assert (again.messages, again.deliveries, again.faults) == (10, 200, 0)


def test_an_open_loop_sends_at_the_rate_and_times_from_when_a_message_was_due(programs: Programs) -> None:
    with (
        running_broadcaster(programs.broadcaster) as server,
        Meter(programs.meter, server.port, 5, BODY, publishers=2, publish_path="/publish") as meter,
    ):
        found = meter.measure(Plan(publishers=2, rate=200, seconds=0.5))
    assert (found.messages, found.deliveries, found.faults) == (100, 500, 0)
    assert 0.45 < found.seconds < 2
    assert found.send_lag is not None
    assert found.send_lag.count == 100


def test_what_a_server_leaves_out_is_lost(programs: Programs) -> None:
    with (
        running_broadcaster(programs.broadcaster, drop_every=10) as server,
        Meter(programs.meter, server.port, 5, BODY, publish_path="/publish", stall=0.2) as meter,
    ):
        closed = meter.measure(Plan(messages=100))
        opened = meter.measure(Plan(rate=1000, messages=100))
    assert (closed.messages, closed.lost) == (2, 1)  # the tenth delivery is the second message's last
    assert (opened.messages, opened.deliveries, opened.lost) == (100, 450, 50)


def frame(payload: bytes) -> bytes:
    assert len(payload) < 126
    return bytes([0x81, len(payload)]) + payload


def mark(number: int) -> bytes:
    return b"~%012x" % number


@contextmanager
def scripted_server(reply: Callable[[socket.socket], None]) -> Generator[int]:
    """Accepts a publisher and a subscriber, and once something is published sends the subscriber the reply."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            publisher, subscriber = (shake_hands(listener.accept()[0]) for _ in range(2))
            with publisher, subscriber:
                publisher.recv(65_536)
                reply(subscriber)
                while publisher.recv(65_536):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


def shake_hands(sock: socket.socket) -> socket.socket:
    assert b"MDEyMzQ1Njc4OWFiY2RlZg==" in sock.recv(65_536)
    # The answer that RFC 6455 asks for to this key.
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: BACScCJPNqyz+UBoqMH89VmURoA=\r\n\r\n")
    return sock


def through(programs: Programs, reply: Callable[[socket.socket], None], messages: int) -> tuple[int, int, int, int]:
    """Deliveries, lost, doubled and out-of-order messages, of `messages` under way at once to one subscriber."""
    with scripted_server(reply) as port, Meter(programs.meter, port, 1, MARK, stall=0.2) as meter:
        found = meter.measure(Plan(in_flight=messages, messages=messages))
    return found.deliveries, found.lost, found.doubled, found.out_of_order


def test_frames_that_come_together_or_cut_in_two_are_all_counted(programs: Programs) -> None:
    def reply(sock: socket.socket) -> None:
        data = frame(mark(0)) + frame(b"no mark") + frame(mark(1) + b" and " + mark(2)) + frame(mark(3))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(data)):
            sock.sendall(data[at : at + 1])
        sock.sendall(frame(mark(4)) + frame(mark(5)))

    assert through(programs, reply, 6) == (6, 0, 0, 0)


def test_a_doubled_message_is_one(programs: Programs) -> None:
    assert through(programs, lambda sock: sock.sendall(frame(mark(0)) * 2 + frame(mark(1))), 2) == (2, 0, 1, 0)


def test_a_message_that_was_overtaken_is_out_of_order(programs: Programs) -> None:
    assert through(programs, lambda sock: sock.sendall(frame(mark(1)) + frame(mark(0))), 2) == (2, 0, 0, 1)


def test_a_message_that_nobody_sent_is_noticed(programs: Programs) -> None:
    assert through(programs, lambda sock: sock.sendall(frame(mark(7)) + frame(mark(0))), 1) == (1, 0, 1, 0)


def test_a_closed_connection_ends_the_meter_with_the_reason(programs: Programs) -> None:
    def close(sock: socket.socket) -> None:
        sock.sendall(b"\x88\x02" + (1013).to_bytes(2))

    with pytest.raises(MeterError, match="subscriber 0: closed with 1013"):
        through(programs, close, 1)


def test_a_server_that_is_none_ends_the_meter_with_the_reason(programs: Programs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(MeterError, match="connect: Connection refused"), Meter(programs.meter, port, 1, BODY):
        pass


def test_without_a_compiler_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="apt-get install gcc"):
        build(tmp_path)
