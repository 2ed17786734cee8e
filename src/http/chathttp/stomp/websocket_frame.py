"""WebSocket frames as a server sends them: unmasked, unfragmented (RFC 6455, section 5.2)."""

from struct import Struct

_FIN_TEXT = 0x81
_FIN_CLOSE = 0x88
_HEADER_SHORT = Struct("!BB").pack
_HEADER_MEDIUM = Struct("!BBH").pack
_HEADER_LONG = Struct("!BBQ").pack
_CLOSE_CODE = Struct("!H").pack
_MAX_REASON_BYTES = 123


def text_frame(payload: bytes) -> bytes:
    """A whole text message. `payload` must be UTF-8; it is not checked."""
    size = len(payload)
    if size < 126:
        return _HEADER_SHORT(_FIN_TEXT, size) + payload
    if size < 65_536:
        return _HEADER_MEDIUM(_FIN_TEXT, 126, size) + payload
    return _HEADER_LONG(_FIN_TEXT, 127, size) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame (section 5.5.1); a reason above 123 octets is cut between two characters."""
    encoded = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore").encode()
    return _HEADER_SHORT(_FIN_CLOSE, 2 + len(encoded)) + _CLOSE_CODE(code) + encoded
