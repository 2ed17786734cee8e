"""Somebody at the console of a server that is measured."""

import socket
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from chatconsole.api.messages import PREFIX
from chatconsole.beacon import beacons
from ops.bench.client import masked_text_frame


@contextmanager
def onlooker(data_dir: Path, requests: Sequence[dict[str, Any]]) -> Generator[None]:
    """Attached while the block runs, and reading all that comes; with no requests there is nobody."""
    if not requests:
        yield
        return
    [beacon] = beacons(data_dir)
    with socket.create_connection((beacon.host, beacon.port)) as sock:
        sock.sendall(
            f"GET {PREFIX}/ws HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {beacon.token}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        answer = sock.recv(4096)
        if b" 101 " not in answer:
            raise ConnectionError(answer.decode(errors="replace"))
        for request in requests:
            sock.sendall(masked_text_frame(msgspec.json.encode(request)))
        reader = threading.Thread(target=_read, args=(sock,), daemon=True)
        reader.start()
        yield
        sock.shutdown(socket.SHUT_RDWR)
        reader.join(5.0)


def _read(sock: socket.socket) -> None:
    with suppress(OSError):
        while sock.recv(1 << 20):
            pass
