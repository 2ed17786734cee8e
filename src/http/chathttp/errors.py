"""What each error is at the edge: one table to HTTP status and close code, and the contract's error JSON."""

from collections.abc import Mapping
from typing import Final

import msgspec
from attrs import frozen

from chatcore.errors import ChatError, ErrorCode
from chathttp.stomp import server_frames

CLOSE_MALFORMED: Final = 1002
CLOSE_POLICY: Final = 1008
CLOSE_TOO_BIG: Final = 1009
CLOSE_INTERNAL: Final = 1011
CLOSE_DRAIN: Final = 1012
CLOSE_OVERLOADED: Final = 1013

_FINAL_CLOSES: Final = frozenset({CLOSE_MALFORMED, CLOSE_POLICY, CLOSE_TOO_BIG})


def may_reconnect(close_code: int) -> bool:
    """Whether a client that was closed with this code (RFC 6455 section 7.4) is to come back, with back-off."""
    return close_code not in _FINAL_CLOSES


@frozen
class EdgeError:
    """How an `ErrorCode` shows: the HTTP status, and the WebSocket close code where the error ends the connection."""

    status: int
    close_code: int

    @property
    def may_reconnect(self) -> bool:
        return may_reconnect(self.close_code)


EDGE: Final[Mapping[ErrorCode, EdgeError]] = {
    ErrorCode.VALIDATION_ERROR: EdgeError(400, CLOSE_MALFORMED),
    ErrorCode.UNAUTHORIZED: EdgeError(401, CLOSE_POLICY),
    ErrorCode.INVALID_CREDENTIALS: EdgeError(401, CLOSE_POLICY),
    ErrorCode.TOKEN_EXPIRED: EdgeError(401, CLOSE_POLICY),
    ErrorCode.FORBIDDEN: EdgeError(403, CLOSE_POLICY),
    ErrorCode.EMAIL_NOT_VERIFIED: EdgeError(403, CLOSE_POLICY),
    ErrorCode.NOT_FOUND: EdgeError(404, CLOSE_POLICY),
    ErrorCode.METHOD_NOT_ALLOWED: EdgeError(405, CLOSE_MALFORMED),
    ErrorCode.CONFLICT: EdgeError(409, CLOSE_POLICY),
    ErrorCode.PAYLOAD_TOO_LARGE: EdgeError(413, CLOSE_TOO_BIG),
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: EdgeError(415, CLOSE_MALFORMED),
    ErrorCode.RATE_LIMITED: EdgeError(429, CLOSE_OVERLOADED),
    ErrorCode.INTERNAL_ERROR: EdgeError(500, CLOSE_INTERNAL),
    ErrorCode.OVERLOADED: EdgeError(503, CLOSE_OVERLOADED),
    ErrorCode.UNAVAILABLE: EdgeError(503, CLOSE_OVERLOADED),
}


class _RefusedSend(msgspec.Struct, rename="camel", frozen=True, omit_defaults=True):
    error_code: str
    message: str
    details: dict[str, str] | msgspec.Raw
    destination: str
    receipt: str | None = None


_NULL: Final = msgspec.Raw(b"null")
_encode: Final = msgspec.json.Encoder().encode


def internal_error() -> ChatError:
    """What a client sees of a defect of ours: nothing of its cause."""
    return ChatError(ErrorCode.INTERNAL_ERROR, "Something went wrong on our side")


def error_body(error: ChatError) -> bytes:
    """`{"errorCode", "message", "details"}`: the body of an HTTP error and of a STOMP ERROR frame."""
    return server_frames.error_body(error.code, error.message, error.details)


def refused_send_body(error: ChatError, destination: str, receipt: str | None = None) -> bytes:
    """The body on `/user/queue/errors` for a refused SEND; `receipt` is the header of that SEND, if it had one."""
    details = _NULL if error.details is None else dict(error.details)
    return _encode(_RefusedSend(error.code.value, error.message, details, destination, receipt))
