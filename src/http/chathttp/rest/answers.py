"""What handlers share: JSON answers, request bodies, query parameters, the caller."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar, cast
from uuid import UUID

import msgspec
from quart import Response, g, request

from chatcore.errors import ChatError, ErrorCode, invalid
from chatcore.validation import check_storable
from chathttp.errors import EDGE, error_body
from chathttp.identity.verifier import Principal
from chathttp.rest.services import MAX_PAGE_SIZE
from chathttp.wire import to_json

_T = TypeVar("_T")

JSON: Final = "application/json"
_MAX_SEQ: Final = 2**63 - 1
_MAX_PAGE: Final = 10_000_000


def json_answer(
    value: msgspec.Struct | Sequence[msgspec.Struct] | Mapping[str, bool],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    return Response(to_json(value), status, dict(headers or {}), content_type=JSON)


def no_content(status: int = 204) -> Response:
    return Response(b"", status)


def error_answer(error: ChatError, headers: Mapping[str, str] | None = None) -> Response:
    """The contract's error shape, with `Retry-After` and `WWW-Authenticate` (RFC 6750) where they belong."""
    extra = dict(headers or {})
    if error.retry_after is not None:
        extra["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    status = EDGE[error.code].status
    if status == 401:
        extra["WWW-Authenticate"] = "Bearer"
    return Response(error_body(error), status, extra, content_type=JSON)


def caller() -> Principal:
    """Who calls; set before every handler of a blueprint that requires a token."""
    return cast("Principal", g.principal)


async def body(decode: Callable[[bytes], _T]) -> _T:
    """The decoded request body. Errors: `UNSUPPORTED_MEDIA_TYPE`, and what `decode` raises."""
    media_type = request.mimetype
    if media_type != JSON and not (media_type.startswith("application/") and media_type.endswith("+json")):
        raise ChatError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json")
    data = await request.get_data(cache=True, as_text=False)
    return decode(cast("bytes", data))


def text_parameter(name: str, *, max_length: int) -> str | None:
    """A query parameter's text, None when it is absent. Errors: `VALIDATION_ERROR`, also when it is repeated."""
    values = request.args.getlist(name)
    if not values:
        return None
    if len(values) > 1:
        raise invalid(name, "must be given once")
    if len(values[0]) > max_length:
        raise invalid(name, f"must have at most {max_length} characters")
    check_storable(name, values[0])
    return values[0]


def integer_parameter(name: str, *, least: int = 0, most: int = _MAX_SEQ) -> int | None:
    text = text_parameter(name, max_length=20)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        raise invalid(name, f"must be a whole number from {least} to {most}")
    return int(text)


def page_parameter() -> int | None:
    return integer_parameter("page", most=_MAX_PAGE)


def size_parameter(name: str, default: int) -> int:
    return integer_parameter(name, least=1, most=MAX_PAGE_SIZE) or default


def uuid_parameter(name: str) -> UUID:
    """A query parameter that must be there."""
    found = optional_uuid_parameter(name)
    if found is None:
        raise invalid(name, "is missing")
    return found


def optional_uuid_parameter(name: str) -> UUID | None:
    text = text_parameter(name, max_length=36)
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise invalid(name, "must be a UUID") from None


def total_pages(total: int, size: int) -> int:
    return -(-total // size)
