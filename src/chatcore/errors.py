"""The one error hierarchy: stable codes that clients program against."""

from collections.abc import Mapping
from enum import StrEnum


class ErrorCode(StrEnum):
    """The `errorCode` strings of the wire contract."""

    VALIDATION_ERROR = "VALIDATION_ERROR"
    UNAUTHORIZED = "UNAUTHORIZED"
    INVALID_CREDENTIALS = "INVALID_CREDENTIALS"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105  # a code, not a secret
    FORBIDDEN = "FORBIDDEN"
    EMAIL_NOT_VERIFIED = "EMAIL_NOT_VERIFIED"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    CONFLICT = "CONFLICT"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    RATE_LIMITED = "RATE_LIMITED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    OVERLOADED = "OVERLOADED"
    UNAVAILABLE = "UNAVAILABLE"


class ChatError(Exception):
    """A refusal that a client may see.

    `details` maps a field of the request to what is wrong with it. `retry_after` is in seconds and
    goes with `RATE_LIMITED`, `OVERLOADED` and `UNAVAILABLE`.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        details: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
        self.retry_after = retry_after

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code}, {self.message!r})"


def invalid(field: str, why: str) -> ChatError:
    """`VALIDATION_ERROR` about one field."""
    return ChatError(ErrorCode.VALIDATION_ERROR, f"{field}: {why}", {field: why})


def forbidden(message: str = "You are not a member of this conversation") -> ChatError:
    return ChatError(ErrorCode.FORBIDDEN, message)


def silenced() -> ChatError:
    """`FORBIDDEN`: the other of a DIRECT conversation has blocked who writes; the words do not tell him so."""
    return forbidden("You cannot write in this conversation")


def not_found(what: str) -> ChatError:
    return ChatError(ErrorCode.NOT_FOUND, f"{what} does not exist")


def unavailable(message: str = "Try again in a moment", retry_after: float = 1.0) -> ChatError:
    return ChatError(ErrorCode.UNAVAILABLE, message, retry_after=retry_after)


def overloaded(message: str = "Too much at once, try again in a moment", retry_after: float = 1.0) -> ChatError:
    return ChatError(ErrorCode.OVERLOADED, message, retry_after=retry_after)
