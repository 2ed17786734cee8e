"""Messages committed a second: many senders, each in a conversation of his own."""

import selectors
import socket
import time
from typing import Final

from attrs import frozen

from ops.bench.client import Rest, StompSocket
from ops.bench.target import Target

SECONDS: Final = 4.0


@frozen
class Commits:
    senders: int
    in_flight: int
    """SENDs that each sender has outstanding."""
    per_second: float


def run(target: Target, senders: int = 64, in_flight: int = 1) -> Commits:
    users = target.users(senders)
    clients: dict[socket.socket, tuple[StompSocket, bytes]] = {}
    selector = selectors.DefaultSelector()
    for user, other in zip(users, users[1:] + users[:1], strict=True):
        conversation = Rest(target.url, user.token).make_group("commits", [other.user_id])
        client = StompSocket(target.url, user.token)
        clients[client.sock] = (client, client.message_frame(conversation, "x" * 100, receipt="r"))
        selector.register(client.sock, selectors.EVENT_READ)
    for sock, (_, frame) in clients.items():
        sock.sendall(frame * in_flight)
    started = time.perf_counter()
    committed = 0
    while (elapsed := time.perf_counter() - started) < SECONDS:
        for key, _ in selector.select(timeout=1.0):
            assert isinstance(key.fileobj, socket.socket)
            data = key.fileobj.recv(65_536)
            if not data or b"ERROR" in data:
                raise ConnectionError(f"a sender was refused: {data!r}")
            receipts = data.count(b"\0")
            committed += receipts
            key.fileobj.sendall(clients[key.fileobj][1] * receipts)
    for client, _ in clients.values():
        client.close()
    return Commits(senders, in_flight, committed / elapsed)
