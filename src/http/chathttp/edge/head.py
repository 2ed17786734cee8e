"""A request's line and headers: read under a deadline and a bound, parsed as far as routing needs it (RFC 9112)."""

import re
import socket
from typing import Final

import trio
from attrs import frozen

_END: Final = re.compile(rb"\n\r?\n")
_REQUEST_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/(1\.[01])")
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*?)[ \t]*")
RECEIVE_BYTES: Final = 4096


class HeadTooLarge(Exception):  # a refusal, not a fault of ours
    """The head is longer than is allowed."""


@frozen
class RequestHead:
    """The parts of a well-formed HTTP/1 request head."""

    method: bytes
    target: bytes
    version: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    """Names in lower case, in the order they came."""

    @property
    def path(self) -> bytes:
        return self.target.partition(b"?")[0]

    @property
    def query(self) -> bytes:
        return self.target.partition(b"?")[2]

    def values(self, name: bytes) -> list[bytes]:
        """Every value of the header `name`, which is in lower case."""
        return [value for key, value in self.headers if key == name]

    def tokens(self, name: bytes) -> list[bytes]:
        """The members of a comma-separated list header, spread over several lines or not (RFC 9110, section 5.6.1)."""
        parts = (part.strip(b" \t") for value in self.values(name) for part in value.split(b","))
        return [part for part in parts if part]


@frozen
class ReceivedHead:
    """What came in: the head with its empty line, and what followed it already."""

    head: bytes
    rest: bytes


def parse_head(head: bytes) -> RequestHead | None:
    """None when it is not plain HTTP/1; who serves the request then says what is wrong with it."""
    lines = head.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    request = _REQUEST_LINE.fullmatch(lines[0])
    if request is None:
        return None
    headers: list[tuple[bytes, bytes]] = []
    for line in lines[1:]:
        header = _HEADER.fullmatch(line)
        if header is None:
            return None
        headers.append((header[1].lower(), header[2]))
    return RequestHead(request[1], request[2], request[3], tuple(headers))


async def read_head(
    sock: socket.socket, *, timeout: float, max_bytes: int, waiting: set[trio.CancelScope]
) -> ReceivedHead | None:
    """Everything up to the first empty line, within `timeout` seconds for all of it.

    None when the peer went or was too slow, or when the scope that is in `waiting` meanwhile was cancelled. Raises
    `HeadTooLarge` above `max_bytes`.
    """
    received = bytearray()
    with trio.CancelScope(deadline=trio.current_time() + timeout) as scope:
        waiting.add(scope)
        try:
            while True:
                try:
                    chunk = sock.recv(RECEIVE_BYTES)
                except BlockingIOError:
                    await trio.lowlevel.wait_readable(sock)
                    continue
                except OSError:
                    return None
                if not chunk:
                    return None
                searched = max(0, len(received) - 2)
                received += chunk
                end = _END.search(received, searched)
                if (end.end() if end else len(received)) > max_bytes:
                    raise HeadTooLarge
                if end:
                    return ReceivedHead(bytes(received[: end.end()]), bytes(received[end.end() :]))
        finally:
            waiting.discard(scope)
    return None
