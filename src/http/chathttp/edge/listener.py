"""Accepting connections: our own loop, because the outboxes need the sockets themselves."""

import errno
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NoReturn

import structlog
import trio

from chathttp.edge.transport import Peer

BATCH: Final = 64
"""Connections accepted before other tasks get their turn."""
PAUSE: Final = 0.1
"""Seconds to wait when the process or the machine has no file descriptor or memory left."""
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_DEFECTS: Final = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK})

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def open_listener(host: str, port: int, *, backlog: int = 4096) -> socket.socket:
    """A non-blocking listening TCP socket on `host`, an address; port 0 takes any free one. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.create_server((host, port), family=family, backlog=backlog)
    sock.setblocking(False)
    return sock


async def accept_connections(
    listener: socket.socket,
    admit: Callable[[], Awaitable[None]],
    start: Callable[[socket.socket, Peer], None],
) -> NoReturn:
    """Accept for ever. `admit` waits while no further connection may be held; `start` must not raise.

    What is not accepted waits in the kernel's backlog. Running out of descriptors is logged once and waited out; an
    error of one connection (accept(2) passes on those of the network) concerns that one only.
    """
    exhausted = False
    while True:
        await trio.lowlevel.wait_readable(listener)
        for _ in range(BATCH):
            await admit()
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in _DEFECTS:
                    raise
                if error.errno not in _EXHAUSTED:
                    continue
                if not exhausted:
                    _log.error("cannot accept connections", reason=str(error))
                exhausted = True
                await trio.sleep(PAUSE)
                break
            exhausted = False
            sock.setblocking(False)
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            start(sock, Peer(str(address[0]), int(address[1])))
