"""The frames of the SockJS protocol, version 0.3.3: `o`, `h`, `a["…"]`, `c[code,"reason"]`, and a client's `["…"]`.

What waits for an HTTP response waits as lines, each a message as a JSON string: no JSON has a line's end in it, so that
lines can be joined like bytes and still be told apart.
"""

from typing import Final

import msgspec

from chathttp.stomp.websocket_frame import text_frame

OPEN: Final = b"o"
HEARTBEAT: Final = b"h"
MOST_GROWTH: Final = 6
"""Bytes of JSON that one byte of a message may become: `\\u0000`."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(list[str]).decode


class BrokenMessages(ValueError):
    """What a client sent is no JSON array of texts."""


def message_line(payload: bytes) -> bytes:
    """A message as it waits for an HTTP response. Raises `UnicodeDecodeError` when it is not UTF-8."""
    return _encode(payload.decode()) + b"\n"


def messages_frame(lines: bytes) -> bytes:
    """One or more lines as one frame."""
    return b"a[" + lines[:-1].replace(b"\n", b",") + b"]"


def message_in_websocket(payload: bytes) -> bytes:
    """A message as a frame in a WebSocket's text message. Raises `UnicodeDecodeError` when it is not UTF-8."""
    return text_frame(b"a[" + _encode(payload.decode()) + b"]")


def close_frame(code: int, reason: str) -> bytes:
    return b"c" + _encode((code, reason))


def decode_messages(data: bytes | str) -> list[str]:
    """What a client sent in one request or WebSocket message; nothing is no message. Raises `BrokenMessages`."""
    if not data:
        return []
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenMessages(str(error)) from None
