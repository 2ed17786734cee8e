"""Whether a request opens a WebSocket of ours, and on what terms (RFC 6455, section 4.2)."""

import binascii
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from attrs import frozen
from wsproto.utilities import generate_accept_token

from chatcore.errors import ChatError, ErrorCode, overloaded
from chathttp.edge.head import RequestHead

SUBPROTOCOLS: Final = ("v12.stomp", "v11.stomp", "v10.stomp")
"""The best first."""
_DEFAULT_PORTS: Final = {b"http": b":80", b"https": b":443"}


class HandshakeRefused(Exception):  # a refusal, not a fault of ours
    """The upgrade is answered with an HTTP error instead."""

    def __init__(self, status: int, error: ChatError, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(status, error)
        self.status = status
        self.error = error
        self.headers = headers


@frozen
class Opening:
    """An upgrade that may go on."""

    key: bytes
    subprotocol: str | None


def is_upgrade(head: RequestHead) -> bool:
    """A WebSocket handshake by its headers, well-formed or not; one with a body is not."""
    return (
        head.method == b"GET"
        and any(token.lower() == b"websocket" for token in head.tokens(b"upgrade"))
        and any(token.lower() == b"upgrade" for token in head.tokens(b"connection"))
        and not head.values(b"transfer-encoding")
        and head.values(b"content-length") in ([], [b"0"])
    )


def open_handshake(head: RequestHead, *, allowed_origins: Collection[str]) -> Opening:
    """Check a handshake. Raises `HandshakeRefused` with 400, 403 or 426."""
    if head.values(b"sec-websocket-version") != [b"13"]:
        raise HandshakeRefused(
            426,
            ChatError(ErrorCode.VALIDATION_ERROR, "WebSocket version 13 is needed"),
            [(b"sec-websocket-version", b"13"), (b"upgrade", b"websocket")],
        )
    keys = head.values(b"sec-websocket-key")
    if head.version != b"1.1" or len(keys) != 1 or not _is_key(keys[0]) or len(head.values(b"host")) != 1:
        raise HandshakeRefused(400, ChatError(ErrorCode.VALIDATION_ERROR, "This is no valid WebSocket handshake"))
    check_origin(head.headers, allowed_origins)
    return Opening(keys[0], choose_subprotocol(token.decode("latin-1") for token in head.tokens(SUBPROTOCOL_HEADER)))


def switching_protocols(opening: Opening, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The answer to an upgrade that goes on (RFC 6455, section 4.2.2), with `headers` besides."""
    lines = [
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade",
        b"sec-websocket-accept: " + generate_accept_token(opening.key),
        *(b"%b: %b" % header for header in headers),
    ]
    if opening.subprotocol is not None:
        lines.append(b"%b: %b" % (SUBPROTOCOL_HEADER, opening.subprotocol.encode()))
    return b"\r\n".join(lines) + b"\r\n\r\n"


SUBPROTOCOL_HEADER: Final = b"sec-websocket-protocol"


def choose_subprotocol(offered: Iterable[str]) -> str | None:
    """The best of ours that the client offered; None when there is none."""
    known = set(offered)
    return next((name for name in SUBPROTOCOLS if name in known), None)


def check_origin(headers: Iterable[tuple[bytes, bytes]], allowed: Collection[str]) -> None:
    """Hold a cross-origin page off. Raises `HandshakeRefused` with 403.

    No Origin passes (no browser), and so does one whose host is the request's own Host, and one of `allowed`
    (serialised as in RFC 6454, lower case).
    """
    origins: list[bytes] = []
    host = b""
    for name, value in headers:
        if name == b"origin":
            origins.append(value.lower())
        elif name == b"host":
            host = value.lower()
    for origin in origins:
        if origin.decode("latin-1") in allowed:
            continue
        scheme, _, authority = origin.partition(b"://")
        port = _DEFAULT_PORTS.get(scheme, b"")
        if authority and port and authority.removesuffix(port) == host.removesuffix(port):
            continue
        raise HandshakeRefused(403, ChatError(ErrorCode.FORBIDDEN, "This origin may not open a WebSocket here"))


def turned_away(message: str, retry_after: float) -> HandshakeRefused:
    """503: come back after `retry_after` seconds."""
    return HandshakeRefused(503, overloaded(message, retry_after=retry_after))


def _is_key(key: bytes) -> bool:
    try:
        return len(binascii.a2b_base64(key, strict_mode=True)) == 16
    except binascii.Error:
        return False
