"""The answers that the edge gives itself, before any application has seen the request: the contract's error shape."""

import math
from collections.abc import Callable, Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, TypeAlias
from uuid import uuid4

from chatcore.errors import ChatError
from chathttp.edge.transport import Peer
from chathttp.errors import error_body

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]
ResponseHeaders: TypeAlias = Callable[[Headers, Peer], Headers]
"""From a request's headers and its peer: the headers that every response bears."""

_REQUEST_ID: Final = b"x-request-id"


def standard_headers(request: Headers, _peer: Peer) -> Headers:
    """The security headers, and the request's id, taken over (1 to 128 printable ASCII characters) or made."""
    given = next((value for name, value in request if name == _REQUEST_ID), b"")
    usable = 1 <= len(given) <= 128 and all(0x20 <= byte < 0x7F for byte in given)
    return [
        (_REQUEST_ID, given if usable else str(uuid4()).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
    ]


def error_headers(error: ChatError, body: bytes) -> Headers:
    """What goes with an error's body; `Retry-After` in whole seconds where the error says when."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after))))
    return headers


def error_response(status: int, error: ChatError, headers: Headers) -> bytes:
    """A whole HTTP/1.1 response, after which the connection closes."""
    body = error_body(error)
    lines = [
        b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode()),
        b"date: " + formatdate(usegmt=True).encode(),
        b"connection: close",
        *(b"%s: %s" % header for header in (*error_headers(error, body), *headers)),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
