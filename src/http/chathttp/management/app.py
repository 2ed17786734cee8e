"""The management port's ASGI application."""

from typing import Final

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

from chatcore.errors import ChatError, ErrorCode, not_found
from chathttp.edge.refusal import Headers, error_headers, standard_headers
from chathttp.edge.transport import Peer
from chathttp.errors import EDGE, error_body
from chathttp.management.metrics import CONTENT_TYPE, Metrics

METRICS_PATH: Final = "/metrics"
_METHODS: Final = ("GET", "HEAD")


class ManagementApp:
    """`GET /metrics`; everything else is refused in the contract's error shape.

    Each answer ends its connection: scrapes are rare, and idle connections would keep others out.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["type"] == "http":
            await self._answer(scope, send)

    async def _answer(self, scope: HTTPScope, send: ASGISendCallable) -> None:
        host, port = scope["client"] or ("", 0)
        headers = [(b"connection", b"close"), *standard_headers(list(scope["headers"]), Peer(host, port or 0))]
        if scope["path"] != METRICS_PATH:
            await _refuse(send, not_found("The path"), headers)
        elif scope["method"] not in _METHODS:
            error = ChatError(ErrorCode.METHOD_NOT_ALLOWED, "Only GET is allowed here")
            await _refuse(send, error, [(b"allow", ", ".join(_METHODS).encode()), *headers])
        else:
            page = await self._metrics.page()
            about = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", b"%d" % len(page))]
            await _respond(send, 200, [*about, *headers], page)


async def _refuse(send: ASGISendCallable, error: ChatError, headers: Headers) -> None:
    body = error_body(error)
    await _respond(send, EDGE[error.code].status, [*error_headers(error, body), *headers], body)


async def _respond(send: ASGISendCallable, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})
