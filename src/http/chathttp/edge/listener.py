"""Accepting connections: our own loop, because the outboxes need the sockets themselves."""

import ctypes
import errno
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NoReturn

import structlog
import trio

from chathttp.edge.share import SHARED_BATCH, ListenerShare
from chathttp.edge.transport import Peer

BATCH: Final = 64
"""Connections accepted before other tasks get their turn."""
RECEIVE_BUFFER: Final = 65_536
"""Bytes of a connection that the kernel keeps while we do not read on (it doubles them for its own use). What it sizes
itself grows to megabytes, in which the SENDs of an overloaded server would wait for many seconds."""
PAUSE: Final = 0.1
"""Seconds to wait when the process or the machine has no file descriptor or memory left."""
SETTLE: Final = 0.2
"""Seconds that a handshake which has begun may take to end, when no further one is begun."""
_SO_ATTACH_FILTER: Final = 26
_DROP_SYN: Final = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the byte of TCP's flags
        (0x54, 0, 0, 0x12),  # keep SYN and ACK
        (0x15, 0, 1, 0x02),  # SYN alone, which asks for a connection?
        (0x06, 0, 0, 0),  # then drop the packet,
        (0x06, 0, 0, 0xFFFFFFFF),  # else take all of it
    )
)
"""A classic BPF program (Linux, networking/filter)."""
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_DEFECTS: Final = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK})

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def open_listener(host: str, port: int, *, backlog: int = 4096) -> socket.socket:
    """A non-blocking listening TCP socket on `host`, an address; port 0 takes any free one. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.create_server((host, port), family=family, backlog=backlog)
    # The connections inherit it.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    sock.setblocking(False)
    return sock


async def accept_connections(
    listener: socket.socket,
    admit: Callable[[], Awaitable[None]],
    start: Callable[[socket.socket, Peer], None],
    share: ListenerShare | None = None,
) -> NoReturn:
    """Accept for ever. `admit` waits while no further connection may be held; `start` must not raise.

    What is not accepted waits in the kernel's backlog. Running out of descriptors is logged once and waited out; an
    error of one connection (accept(2) passes on those of the network) concerns that one only.
    """
    exhausted = False
    while True:
        await trio.lowlevel.wait_readable(listener)
        if share is not None:
            await share.give_way()
        for _ in range(BATCH if share is None else SHARED_BATCH):
            await admit()
            try:
                accepted = _accept(listener)
            except _ExhaustedError as error:
                if not exhausted:
                    _log.error("cannot accept connections", reason=str(error))
                exhausted = True
                await trio.sleep(PAUSE)
                break
            if accepted is None:
                break
            exhausted = False
            start(*accepted)


async def accept_last(listener: socket.socket, start: Callable[[socket.socket, Peer], None]) -> None:
    """Accept all that wait, so that `listener` may be closed without a reset for any of them.

    On Linux no further handshake begins from now on (its SYN is dropped; the peer repeats it and then finds the port
    closed), and those under way get `SETTLE` seconds. Elsewhere a connection may slip in before the close.
    """
    refuse_handshakes(listener)
    with trio.move_on_after(SETTLE):
        while True:
            try:
                while (accepted := _accept(listener)) is not None:
                    start(*accepted)
            except _ExhaustedError as error:
                _log.error("cannot accept the last connections", reason=str(error))
                return
            await trio.lowlevel.wait_readable(listener)


def refuse_handshakes(listener: socket.socket) -> None:
    """Drop what would begin a connection, in every process that shares `listener`. Nothing where there is no BPF."""
    if sys.platform == "linux":
        program = ctypes.create_string_buffer(_DROP_SYN, len(_DROP_SYN))
        pointer = struct.pack("HP", len(_DROP_SYN) // 8, ctypes.addressof(program))
        with suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)


class _ExhaustedError(Exception):
    """No descriptor or memory is left for another connection."""


def _accept(listener: socket.socket) -> tuple[socket.socket, Peer] | None:
    """The next connection; None when none waits. Raises `_ExhaustedError`, and `OSError` when there is no listener."""
    while True:
        try:
            sock, address = listener.accept()
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno in _DEFECTS:
                raise
            if error.errno in _EXHAUSTED:
                raise _ExhaustedError(str(error)) from error
            continue
        sock.setblocking(False)
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock, Peer(str(address[0]), int(address[1]))
