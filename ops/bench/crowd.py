"""A process that opens many WebSockets at the same time and holds them: one epoll loop over prepared bytes."""

import gc
import os
import select
import socket
import time
from collections.abc import Sequence
from multiprocessing import Process
from multiprocessing.connection import Connection, Pipe

from attrs import define, field, frozen

PORTS_PER_SOURCE = 4_000
"""Connections from one loopback address. There are 28,232 ephemeral ports by default, and the fuller their range, the
longer the kernel looks for a free one."""


@frozen
class Step:
    """Bytes to write, what ends the answer to them, and what must stand in it."""

    data: bytes
    until: bytes
    expect: bytes


@frozen
class Opened:
    """How the connections came in: seconds of wall time, and of CPU of the process that holds them."""

    seconds: float
    cpu_seconds: float


@define
class _Client:
    sock: socket.socket
    steps: Sequence[Step]
    at: int = 0
    received: bytes = field(default=b"")


class Crowd:
    """The process, on the given cores. Its connections stay open until `close`."""

    def __init__(self, cores: Sequence[int]) -> None:
        self._pipe, theirs = Pipe()
        self._process = Process(target=_run, args=(theirs, cores), daemon=True)
        self._process.start()

    def open(self, address: tuple[str, int], plans: Sequence[Sequence[Step]], concurrency: int) -> Opened:
        """Open one connection for each plan, `concurrency` at a time; a plan's steps follow one another.

        Raises `ConnectionError` when one was refused.
        """
        self._pipe.send((address, plans, concurrency))
        answer = self._pipe.recv()
        if isinstance(answer, Opened):
            return answer
        raise ConnectionError(answer)

    def write(self, data: bytes) -> None:
        """Write the same bytes to every connection."""
        self._pipe.send(data)
        self._pipe.recv()

    def close(self) -> None:
        """Close all connections and end the process."""
        self._pipe.send(None)
        self._process.join()


def _run(pipe: Connection, cores: Sequence[int]) -> None:
    os.sched_setaffinity(0, cores)
    # Its passes over all these clients would be taken for the server's slowness.
    gc.disable()
    held: list[_Client] = []
    while (order := pipe.recv()) is not None:
        if isinstance(order, bytes):
            for client in held:
                client.sock.send(order)
            pipe.send(None)
            continue
        started, cpu = time.perf_counter(), time.process_time()
        try:
            held += _open_all(*order)
        except ConnectionError as error:
            pipe.send(str(error))
        else:
            pipe.send(Opened(time.perf_counter() - started, time.process_time() - cpu))


def _open_all(address: tuple[str, int], plans: Sequence[Sequence[Step]], concurrency: int) -> list[_Client]:
    poll = select.epoll()
    clients: list[_Client] = []
    by_fd: dict[int, _Client] = {}
    waiting = iter(enumerate(plans))

    def begin() -> None:
        for number, steps in waiting:
            source = f"127.0.0.{2 + number // PORTS_PER_SOURCE}"
            sock = socket.create_connection(address, source_address=(source, 0))
            sock.setblocking(False)
            client = by_fd[sock.fileno()] = _Client(sock, steps)
            clients.append(client)
            poll.register(sock, select.EPOLLIN)
            sock.send(steps[0].data)
            return

    for _ in range(concurrency):
        begin()
    while by_fd:
        for fd, _ in poll.poll():
            client = by_fd[fd]
            step = client.steps[client.at]
            data = client.sock.recv(16_384)
            client.received += data
            if not data or (step.until in client.received and step.expect not in client.received):
                raise ConnectionError(f"step {client.at} was answered {client.received!r}")
            if step.until not in client.received:
                continue
            client.received = b""
            client.at += 1
            if client.at < len(client.steps):
                client.sock.send(client.steps[client.at].data)
            else:
                poll.unregister(fd)
                del by_fd[fd]
                begin()
    return clients
