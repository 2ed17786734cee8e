"""What a client sends, as ready bytes."""

import struct
from collections.abc import Mapping

_MASK = b"\0\0\0\0"
"""A zero mask leaves the payload as it is (RFC 6455 section 5.3 forbids predictable masks to browsers' scripts; here
nobody else chooses the payload)."""

MESSAGES, TYPING, ERRORS = "m", "t", "e"
"""Subscription ids."""


def websocket_frame(opcode: int, payload: bytes) -> bytes:
    """A client's whole WebSocket frame (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65_536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + _MASK + payload


def stomp_frame(command: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Header values must need no escape (STOMP 1.2, "Value Encoding"): ids, numbers, destinations, tokens."""
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    return websocket_frame(1, f"{command}\n{lines}\n".encode() + body + b"\0")


def upgrade_request(host: str, path: str) -> bytes:
    """The opening handshake (RFC 6455 section 4.1); `host` is the Host header's value."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: c3RhY2ttZW50b3ItbG9hZA==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: v12.stomp\r\n\r\n"
    ).encode()


def connect_frame(host: str, token: str) -> bytes:
    """Without heart-beats: the server pings instead, which costs the meter nothing while messages flow."""
    headers = {"accept-version": "1.2", "host": host, "heart-beat": "0,0", "Authorization": f"Bearer {token}"}
    return stomp_frame("CONNECT", headers)


def subscribe_frame(subscription_id: str, destination: str, last_seq: int | None = None) -> bytes:
    """Asks for a receipt of the subscription's own id."""
    headers = {"id": subscription_id, "destination": destination, "receipt": subscription_id}
    if last_seq is not None:
        headers["last-seq"] = str(last_seq)
    return stomp_frame("SUBSCRIBE", headers)


def typing_frame(conversation_id: str, *, starts: bool) -> bytes:
    destination = "/app/typing.start" if starts else "/app/typing.stop"
    return stomp_frame("SEND", {"destination": destination}, b'{"conversationId":"%b"}' % conversation_id.encode())


class MessageFrames:
    """The SENDs of one publisher into one conversation."""

    def __init__(self, conversation_id: str, size: int) -> None:
        self._body = f'{{"conversationId":"{conversation_id}","text":"{"x" * size}","clientMessageId":"'.encode()

    def frame(self, number: int, client_message_id: bytes) -> bytes:
        """Asks for the receipt `number`. The id must need no escape in JSON."""
        return websocket_frame(
            1,
            b'SEND\ndestination:/app/message.send\nreceipt:%d\n\n%b%b"}\0' % (number, self._body, client_message_id),
        )
