"""What every request gets: an id, security headers, CORS, the error shape, a line in the log."""

import logging
import re
import time
from typing import Final
from uuid import uuid4

import structlog
import trio
from quart import Quart, Response, g, request
from quart.globals import request_ctx
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge, RequestTimeout

from chatcore.errors import ChatError, ErrorCode
from chathttp.attachments.streamed import StreamedBody
from chathttp.errors import internal_error
from chathttp.rest.answers import error_answer
from chathttp.rest.client import request_client
from chathttp.rest.proxy import HSTS
from chathttp.settings import Settings

REST_OF_BODY_TIMEOUT: Final = 5.0
"""Seconds for a body that nobody wants any more."""

_REQUEST_ID: Final = re.compile(r"[ -~]{1,128}")
_CORS_HEADERS: Final = "Authorization, Content-Type, X-Request-ID"
_CORS_EXPOSED: Final = "Link, Retry-After, X-Request-ID"
_CORS_MAX_AGE: Final = "600"

_HTTP_ERRORS: Final = {
    400: (ErrorCode.VALIDATION_ERROR, "The request is malformed"),
    404: (ErrorCode.NOT_FOUND, "There is nothing at this path"),
    405: (ErrorCode.METHOD_NOT_ALLOWED, "This path does not take this method"),
    408: (ErrorCode.VALIDATION_ERROR, "The body did not come in time"),
    413: (ErrorCode.PAYLOAD_TOO_LARGE, "The body is too large"),
    415: (ErrorCode.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json"),
}

_log = structlog.stdlib.get_logger("chathttp.rest")


def request_id(given: str | None) -> str:
    """The client's own id if it is 1 to 128 printable ASCII characters, else a new one."""
    return given if given is not None and _REQUEST_ID.fullmatch(given) else str(uuid4())


def install(app: Quart, settings: Settings) -> None:
    """Registers all of it on `app`."""

    async def begin() -> Response | None:
        g.started = time.perf_counter()
        g.request_id = request_id(request.headers.get("X-Request-ID"))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)
        return _options_answer() if request.method == "OPTIONS" else None

    async def finish(answer: Response) -> Response:
        await _take_rest_of_body(answer)
        client = request_client(settings)
        headers = answer.headers
        headers["X-Request-ID"] = g.request_id
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        headers["Referrer-Policy"] = "no-referrer"
        headers.setdefault("Cache-Control", "no-store")
        if client.secure:
            headers["Strict-Transport-Security"] = HSTS
        _allow_origin(answer, settings)
        principal = g.get("principal")
        # Balancers ask for health all the time, and SockJS's clients for what there is.
        level = logging.DEBUG if request.path.startswith(("/actuator/", "/ws/")) else logging.INFO
        _log.log(
            level,
            "request",
            method=request.method,
            path=request.path,
            status=answer.status_code,
            milliseconds=round((time.perf_counter() - g.started) * 1000, 2),
            client=client.address,
            user=None if principal is None else str(principal.user_id),
        )
        return answer

    async def refuse(error: ChatError) -> Response:
        return error_answer(error)

    async def refuse_http(error: HTTPException) -> Response:
        known = _HTTP_ERRORS.get(error.code or 500)
        if known is None:
            return await fail(error)
        headers: dict[str, str] = {}
        if isinstance(error, MethodNotAllowed):
            headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
        return error_answer(ChatError(*known), headers)

    async def fail(error: Exception) -> Response:
        _log.error("request failed", method=request.method, path=request.path, exc_info=error)
        return error_answer(internal_error())

    app.before_request(begin)
    app.after_request(finish)
    app.register_error_handler(ChatError, refuse)
    app.register_error_handler(HTTPException, refuse_http)
    app.register_error_handler(Exception, fail)


async def _take_rest_of_body(answer: Response) -> None:
    """An answer may come before its request's body did (a wrong type, no such path).

    What is left of the body must not be where the connection's next request is looked for; where it is too much or
    too slow the connection ends (RFC 9112 section 9.3).
    """
    body = request.body
    try:
        with trio.fail_after(REST_OF_BODY_TIMEOUT):
            if isinstance(body, StreamedBody):
                await body.drop_rest()
            else:
                await request.get_data(cache=True)
    except (RequestEntityTooLarge, RequestTimeout, trio.TooSlowError):
        if request.http_version.startswith("1"):
            answer.headers["Connection"] = "close"


def _options_answer() -> Response | None:
    """What the path takes; None where there is nothing, so that it becomes the usual 404."""
    adapter = request_ctx.url_adapter
    if request.routing_exception is not None or adapter is None:
        return None
    return Response(b"", 204, {"Allow": ", ".join(sorted(adapter.allowed_methods()))})


def _allow_origin(answer: Response, settings: Settings) -> None:
    """CORS (Fetch standard, section 3.2) for the configured origins; tokens travel in headers, so no credentials."""
    origin = request.headers.get("Origin")
    if settings.cors_origins:
        answer.headers.add("Vary", "Origin")
    if origin is None or origin.lower() not in settings.cors_origins:
        return
    answer.headers["Access-Control-Allow-Origin"] = origin
    answer.headers["Access-Control-Expose-Headers"] = _CORS_EXPOSED
    if request.method == "OPTIONS":
        answer.headers["Access-Control-Allow-Methods"] = answer.headers.get("Allow", "")
        answer.headers["Access-Control-Allow-Headers"] = _CORS_HEADERS
        answer.headers["Access-Control-Max-Age"] = _CORS_MAX_AGE
