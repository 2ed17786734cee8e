import select
import socket
import time
from collections.abc import Generator, Sequence

import pytest

from chathttp.stomp.frame import Version
from chathttp.stomp.server_frames import connected
from chatload.messages import ConnectionPlan, RoomPlan
from chatload.worker.connection import LOST, Connection, Stage
from chatload.worker.endpoint import Endpoint, EndpointError
from chatload.worker.receiving import Receiver
from chatload.worker.room import Room
from chatload.worker.server_frames import Receipted, Refused
from chatload.worker.tally import Tally
from tests.chatload.server_bytes import frames, message, plain_receipt

ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


class Pair:
    """A connection of the load tester and the socket that the server would have. Implements `Owner`, `Listener`."""

    def __init__(self, source: str | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoints: Sequence[Endpoint] = [Endpoint.of(f"http://127.0.0.1:{self._listener.getsockname()[1]}")]
        self.epoll = select.epoll()
        self.opens = 0
        self.ends: list[tuple[int, str]] = []
        self.deferrals: list[int] = []
        self.resumes: list[int] = []
        room = Room(RoomPlan(0, "c", 0, []), "run", 0)
        plan = ConnectionPlan(0, 0, "token", True, None, 0, False, None, 0, source)
        self.connection = Connection(self, plan, room)
        self._receiver = Receiver({}, Tally(), self)
        self.connection.start(time.monotonic_ns())
        self.accept()

    def accept(self) -> None:
        self.server, self.peer = self._listener.accept()
        self.server.settimeout(5)

    def received(self, connection: Connection, data: bytes, now: int) -> None:
        self._receiver.received(connection, data, now)

    def opened(self, connection: Connection, now: int) -> None:
        self.opens += 1

    def ended(self, connection: Connection, code: int, reason: str) -> None:
        self.ends.append((code, reason))

    def deferred(self, connection: Connection, seconds: int) -> None:
        self.deferrals.append(seconds)

    def subscribed(self, connection: Connection) -> None:
        connection.stage = Stage.READY

    def resumed(self, connection: Connection, at: int) -> None:
        self.resumes.append(at)

    def foreign(self, fd: int) -> None: ...
    def receipted(self, connection: Connection, receipt: Receipted, now: int) -> None: ...
    def refused(self, connection: Connection, refusal: Refused) -> None: ...

    def turn(self, timeout: float = 5.0) -> None:
        """What epoll finds next is handed on."""
        events = self.epoll.poll(timeout)
        assert events
        for _, mask in events:
            self.connection.ready_for(mask)

    def says(self, data: bytes, size: int = 65_536) -> bytes:
        """The server's bytes, and what the connection answers."""
        self.server.sendall(data)
        self.turn()
        return self.server.recv(size)

    def subscribe(self) -> None:
        self.turn()
        assert self.server.recv(65_536).startswith(b"GET /ws HTTP/1.1\r\n")
        assert b"CONNECT\n" in self.says(ACCEPTED)
        assert b"SUBSCRIBE\n" in self.says(frames(connected(Version.V12)))
        self.server.sendall(frames(plain_receipt("m")))
        self.turn()
        assert self.connection.ready

    def close(self) -> None:
        self.connection.close()
        self.server.close()
        self._listener.close()
        self.epoll.close()


@pytest.fixture
def pair() -> Generator[Pair]:
    made = Pair()
    yield made
    made.close()


def test_connection_comes_to_stand_step_by_step(pair: Pair) -> None:
    pair.subscribe()
    assert (pair.opens, pair.ends, pair.connection.fast) == (1, [], True)


def test_answer_to_the_handshake_may_come_in_pieces_and_bring_frames_along(pair: Pair) -> None:
    pair.turn()
    pair.server.recv(65_536)
    for piece in (ACCEPTED[:20], ACCEPTED[20:-1]):
        pair.server.sendall(piece)
        pair.turn()
    pair.server.sendall(ACCEPTED[-1:] + frames(connected(Version.V12)))
    pair.turn()
    assert pair.opens == 1


def test_refused_handshake_is_told_with_its_status(pair: Pair) -> None:
    pair.turn()
    pair.server.recv(65_536)
    pair.server.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    pair.turn()
    assert pair.ends == [(1002, "the WebSocket handshake was refused: HTTP/1.1 403 Forbidden")]


def answered_to_the_handshake(pair: Pair, answer: bytes) -> None:
    pair.turn()
    pair.server.recv(65_536)
    pair.server.sendall(answer)
    pair.turn()


@pytest.mark.parametrize("header", [b"Retry-After: 7", b"retry-after:7 ", b"RETRY-AFTER:\t07"])
def test_who_is_asked_to_come_back_does_so_and_counts_the_wait(pair: Pair, header: bytes) -> None:
    began = pair.connection.began
    body = b"come later"
    head = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 10\r\n" + header
    answered_to_the_handshake(pair, head + b"\r\nserver: x\r\n\r\n" + body)
    assert (pair.deferrals, pair.ends) == ([7], [])
    assert pair.connection.stage is Stage.CLOSED
    assert pair.server.recv(1) == b""
    pair.server.close()
    pair.connection.retry(time.monotonic_ns())
    pair.accept()
    pair.subscribe()
    assert pair.connection.began == began < pair.connection.tried


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 Service Unavailable\r\n\r\n",
        b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\n\r\n",
        b"HTTP/1.1 503 Service Unavailable\r\nretry-after: soon\r\n\r\n",
        b"HTTP/1.1 503 Service Unavailable\r\nx-retry-after: 7\r\n\r\n",
        b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 7seconds\r\n\r\n",
    ],
)
def test_refusal_without_a_time_to_come_back_is_for_good(pair: Pair, answer: bytes) -> None:
    answered_to_the_handshake(pair, answer)
    assert (pair.deferrals, [code for code, _ in pair.ends]) == ([], [1002])


def test_what_the_kernel_does_not_take_is_written_later_in_order(pair: Pair) -> None:
    pair.subscribe()
    sent = [bytes([number]) * 1_000_000 for number in range(12)]
    for piece in sent:
        pair.connection.write(piece)
    got = bytearray()
    while len(got) < 12_000_000:
        got += pair.server.recv(1 << 20)
        for _, mask in pair.epoll.poll(0):
            pair.connection.ready_for(mask)
    assert bytes(got) == b"".join(sent)
    assert pair.epoll.poll(0) == []


def test_ping_is_answered_with_its_payload(pair: Pair) -> None:
    pair.subscribe()
    assert pair.says(b"\x89\x02hi") == b"\x8a\x82\0\0\0\0hi"


def test_return_resumes_after_the_last_message_without_a_gap(pair: Pair) -> None:
    pair.subscribe()
    pair.server.sendall(frames(*[message(seq, None) for seq in (1, 2, 4)]))
    pair.turn()
    pair.connection.resuming = True
    pair.connection.connected(time.monotonic_ns())
    assert b"\nlast-seq:2\n" in pair.server.recv(65_536)


def test_end_without_a_close_frame_is_told_as_such(pair: Pair) -> None:
    pair.subscribe()
    pair.server.close()
    pair.turn()
    assert [code for code, _ in pair.ends] == [LOST]
    assert pair.connection.stage is Stage.CLOSED


def test_source_address_is_the_one_it_connects_from() -> None:
    pair = Pair(source="127.0.0.7")
    assert pair.peer[0] == "127.0.0.7"
    pair.close()


@pytest.mark.parametrize(
    ("url", "host", "address", "prefix"),
    [
        ("http://127.0.0.1", "127.0.0.1", ("127.0.0.1", 80), ""),
        ("wss://127.0.0.1/ws", "127.0.0.1", ("127.0.0.1", 443), ""),
        ("http://127.0.0.1:8080/chat/", "127.0.0.1:8080", ("127.0.0.1", 8080), "/chat"),
        ("ws://[::1]:8080/ws", "[::1]:8080", ("::1", 8080), ""),
    ],
)
def test_url_names_host_address_and_prefix(url: str, host: str, address: tuple[str, int], prefix: str) -> None:
    endpoint = Endpoint.of(url)
    assert (endpoint.host, endpoint.address, endpoint.prefix) == (host, address, prefix)
    assert endpoint.is_loopback


@pytest.mark.parametrize(
    "url", ["", "chat.example.com", "ftp://127.0.0.1", "http://127.0.0.1:99999", "http://no.invalid"]
)
def test_url_of_no_server_is_refused(url: str) -> None:
    with pytest.raises(EndpointError):
        Endpoint.of(url)
