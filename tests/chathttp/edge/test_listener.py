"""The accept loop when descriptors run out, when a connection fails, and when there is no room."""

import errno
import os
import socket

import pytest
import structlog
import trio
import trio.testing
from trio.testing import MockClock

from chathttp.edge.listener import accept_connections, open_listener
from chathttp.edge.transport import Peer


class FaultyListener(socket.socket):
    """Raises what is in `faults`, one each time, before it accepts."""

    faults: list[int]

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        if self.faults:
            number = self.faults.pop(0)
            raise OSError(number, os.strerror(number))
        return super().accept()


def faulty_listener(*faults: int) -> FaultyListener:
    listener = FaultyListener(fileno=open_listener("127.0.0.1", 0).detach())
    listener.setblocking(False)
    listener.faults = list(faults)
    return listener


async def room() -> None:
    return


async def test_running_out_of_descriptors_is_waited_out_and_logged_once(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    accepted: list[Peer] = []
    done = trio.Event()

    def start(sock: socket.socket, peer: Peer) -> None:
        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        sock.close()
        accepted.append(peer)
        done.set()

    listener = faulty_listener(errno.EMFILE, errno.ENFILE, errno.ENOBUFS)
    with (
        listener,
        socket.create_connection(listener.getsockname()) as client,
        structlog.testing.capture_logs() as logs,
    ):
        began = trio.current_time()
        nursery.start_soon(accept_connections, listener, room, start)
        await done.wait()
        assert trio.current_time() - began == pytest.approx(0.3)
        assert accepted == [Peer(*client.getsockname())]
        assert [entry["event"] for entry in logs] == ["cannot accept connections"]
        nursery.cancel_scope.cancel()


async def test_a_connection_that_failed_before_it_was_accepted_disturbs_no_other(nursery: trio.Nursery) -> None:
    done = trio.Event()

    def start(sock: socket.socket, peer: Peer) -> None:
        sock.close()
        done.set()

    with (
        faulty_listener(errno.ECONNABORTED, errno.EPROTO) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        nursery.start_soon(accept_connections, listener, room, start)
        await done.wait()
        nursery.cancel_scope.cancel()


async def test_a_listener_that_is_none_is_an_error() -> None:
    listener = faulty_listener(errno.EINVAL)
    with listener, socket.create_connection(listener.getsockname()), pytest.raises(OSError):
        await accept_connections(listener, room, lambda sock, peer: None)


async def test_nothing_is_accepted_while_there_is_no_room(nursery: trio.Nursery) -> None:
    free = trio.Event()
    done = trio.Event()

    def start(sock: socket.socket, peer: Peer) -> None:
        sock.close()
        done.set()

    with open_listener("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        nursery.start_soon(accept_connections, listener, free.wait, start)
        await trio.testing.wait_all_tasks_blocked()
        assert not done.is_set()
        free.set()
        await done.wait()
        nursery.cancel_scope.cancel()
