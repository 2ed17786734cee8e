"""Sockets that only this machine reaches, and who is at their other end."""

import contextlib
import errno
import os
import socket
import struct
from pathlib import Path

from chathttp.edge.listener import open_listener
from chathttp.edge.transport import Peer


def is_path(host: str) -> bool:
    """A management host is the path of a Unix socket, or an address."""
    return host.startswith("/")


def host_of(host: str, process: str) -> str:
    """Where one of several processes is managed that share the setting: `/run/chat.sock` is
    `/run/chat.worker-1.sock` for the process `worker-1`, an address is the same for all.
    """
    path = Path(host)
    return str(path.with_name(f"{path.stem}.{process}{path.suffix}")) if is_path(host) else host


def open_socket(host: str, port: int) -> socket.socket:
    """Listens at an address, or at the absolute path of a Unix socket, 0600. Raises `OSError`."""
    if not is_path(host):
        return open_listener(host, port)
    with contextlib.suppress(FileNotFoundError), socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(host)
        except ConnectionRefusedError:
            os.unlink(host)
        else:
            raise OSError(errno.EADDRINUSE, "another process listens there", host)
    sock = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        sock.bind(host)
    finally:
        os.umask(mask)
    sock.listen()
    sock.setblocking(False)
    return sock


def peer_of(sock: socket.socket) -> Peer:
    """Who it is at the other end: its address, or on a Unix socket its process (unix(7), SO_PEERCRED)."""
    if sock.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):
            return Peer(*sock.getpeername()[:2])
        return Peer("gone", 0)
    size = struct.calcsize("3i")
    pid, user, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return Peer(f"user {user} process {pid}", 0)
