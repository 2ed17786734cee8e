"""A load balancer of TCP connections, as clients see one: each connection comes to the next server that takes it."""

import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import count
from urllib.parse import urlsplit

import trio

from tests.kit.proxy import Dial, Proxy, ProxyThread


def round_robin(urls: Sequence[str]) -> Dial:
    """Tries the servers one after the other, beginning behind the one that took the last connection. It does not ask
    whether they are ready: one that drains takes connections and refuses what it is asked.
    """
    turns = count()

    async def dial() -> trio.SocketStream:
        for _ in urls:
            place = urlsplit(urls[next(turns) % len(urls)])
            try:
                return await trio.open_tcp_stream(place.hostname or "", place.port or 0)
            except OSError:
                continue
        raise OSError("no server takes connections")

    return dial


@contextmanager
def balanced(urls: Sequence[str]) -> Generator[str]:
    """The URL of a balancer in front of the servers, around the block."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    with ProxyThread.running(Proxy(round_robin(urls), ("127.0.0.1", port))):
        yield f"http://127.0.0.1:{port}"
