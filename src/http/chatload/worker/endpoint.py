"""Where the server is, and how a socket to it begins."""

import contextlib
import ipaddress
import socket
import ssl
from typing import Final, Self
from urllib.parse import urlsplit

from attrs import frozen

_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_IP_BIND_ADDRESS_NO_PORT: Final = 24
"""linux/in.h: choose the port at connect(2), so that two connections may share it when their ends differ."""
SLOW_BUFFER: Final = 4096
"""SO_RCVBUF of a slow consumer: the server shall notice it."""


class EndpointError(Exception):
    """A URL that names no server."""


@frozen
class Endpoint:
    """A resolved server. `host` is the value of the Host header."""

    family: int
    address: tuple[str, int]
    host: str
    name: str
    prefix: str
    """What the server's paths begin with, for one behind a prefix."""
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises `EndpointError`."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise EndpointError(f"{url!r} is no http, https, ws or wss URL")
        try:
            port = parts.port or _PORTS[parts.scheme]
            found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        except (ValueError, OSError) as error:
            raise EndpointError(f"{url}: {error}") from error
        family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        context = ssl.create_default_context() if parts.scheme in ("https", "wss") else None
        prefix = parts.path.rstrip("/").removesuffix("/ws")
        return cls(family, (str(address[0]), port), parts.netloc.rpartition("@")[2], parts.hostname, prefix, context)

    @property
    def is_loopback(self) -> bool:
        return ipaddress.ip_address(self.address[0].partition("%")[0]).is_loopback

    def open(self, source: str | None, *, slow: bool) -> socket.socket:
        """A non-blocking socket that connects. Raises `OSError`."""
        sock = socket.socket(self.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if slow:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
            if source is not None:
                sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
                sock.bind((source, 0))
            with contextlib.suppress(BlockingIOError):
                sock.connect(self.address)
        except OSError:
            sock.close()
            raise
        return sock
