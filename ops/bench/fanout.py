"""Server CPU per delivery: one conversation with N subscribers, beside a bare loop of `socket.send`."""

import selectors
import socket
import time
from collections.abc import Sequence
from multiprocessing import Process
from multiprocessing.connection import Connection, Pipe
from statistics import median

from attrs import frozen

from ops.bench.client import Rest, StompSocket, cpu_seconds
from ops.bench.target import Target

MESSAGE = "x" * 100
ROUNDS = 5
MESSAGES = 100


@frozen
class FanOut:
    """Microseconds of CPU a delivery: medians over the rounds, the two taken in turn."""

    subscribers: int
    server: float
    bare_loop: float
    deliveries_per_second: float


class _Readers:
    """Reads many sockets and counts the frames, each of which ends with a NUL."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._selector = selectors.DefaultSelector()
        for sock in sockets:
            sock.setblocking(False)
            self._selector.register(sock, selectors.EVENT_READ)

    def count(self, frames: int) -> None:
        """Returns when `frames` frames have come in."""
        seen = 0
        while seen < frames:
            for key, _ in self._selector.select():
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(262_144)
                if not data:
                    raise ConnectionError("the server closed a subscriber")
                seen += data.count(b"\0")


def _bare_broadcaster(port_pipe: Connection, subscribers: int, frame: bytes) -> None:
    """Accepts `subscribers` connections, then sends `frame` to all of them each time it is told to."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    port_pipe.send(listener.getsockname()[1])
    sockets = [listener.accept()[0] for _ in range(subscribers)]
    for sock in sockets:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while (messages := port_pipe.recv()) != 0:
        for _ in range(messages):
            for sock in sockets:
                sock.send(frame)
            port_pipe.recv()


def run(target: Target, subscribers: int = 1000) -> FanOut:
    users = target.users(subscribers + 1)
    sender_user, members = users[0], users[1:]
    conversation = Rest(target.url, sender_user.token).make_group("fan-out", [u.user_id for u in members])
    sender = StompSocket(target.url, sender_user.token)
    clients = [StompSocket(target.url, user.token) for user in members]
    for client in clients:
        client.subscribe(conversation)
    readers = _Readers([client.sock for client in clients])
    frame = sender.message_frame(conversation, MESSAGE, receipt="r")

    def through_server(messages: int) -> None:
        for _ in range(messages):
            sender.sock.sendall(frame)
            sender.wait_for(b"\0")
            readers.count(subscribers)

    through_server(5)
    ours, theirs = Pipe()
    bare = Process(target=_bare_broadcaster, args=(theirs, subscribers, b"y" * 650 + b"\0"))
    bare.start()
    port = ours.recv()
    bare_sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(subscribers)]
    bare_readers = _Readers(bare_sockets)

    def through_bare_loop(messages: int) -> None:
        ours.send(messages)
        for _ in range(messages):
            bare_readers.count(subscribers)
            ours.send(1)

    server_figures: list[float] = []
    bare_figures: list[float] = []
    rates: list[float] = []
    assert bare.pid is not None
    for _ in range(ROUNDS):
        before, started = cpu_seconds(target.pid), time.perf_counter()
        through_server(MESSAGES)
        rates.append(MESSAGES * subscribers / (time.perf_counter() - started))
        server_figures.append((cpu_seconds(target.pid) - before) / (MESSAGES * subscribers) * 1e6)
        before = cpu_seconds(bare.pid)
        through_bare_loop(MESSAGES)
        bare_figures.append((cpu_seconds(bare.pid) - before) / (MESSAGES * subscribers) * 1e6)
    ours.send(0)
    bare.join()
    for sock in bare_sockets:
        sock.close()
    for client in (*clients, sender):
        client.close()
    return FanOut(subscribers, median(server_figures), median(bare_figures), median(rates))
