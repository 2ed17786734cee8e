"""The management port's ASGI application: metrics, the console's interface, and its web page."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

import msgspec
import structlog
import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope, WebsocketScope

from chatconsole.api import messages as api
from chatcore.errors import ChatError, ErrorCode, invalid, not_found
from chathttp.edge.refusal import Headers, error_headers, standard_headers
from chathttp.edge.transport import Peer
from chathttp.errors import EDGE, error_body, internal_error
from chathttp.management.access import Access, agreed_subprotocol
from chathttp.management.console import Console
from chathttp.management.dialogue import Dialogue
from chathttp.management.metrics import CONTENT_TYPE, Metrics
from chathttp.management.page import load_page, page_headers

METRICS_PATH: Final = "/metrics"
SNAPSHOT_PATH: Final = f"{api.PREFIX}/snapshot"
STACK_PATH: Final = f"{api.PREFIX}/stack"
SCHEMA_PATH: Final = f"{api.PREFIX}/schema"
WEBSOCKET_PATH: Final = f"{api.PREFIX}/ws"
LONGEST_OBSERVATION: Final = 30.0
_JSON: Final = "application/json"
_METHODS: Final = ("GET", "HEAD")

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chathttp.management")


class ManagementApp:
    """`GET /metrics` and the page's files for everybody on this machine; the console's routes for who has the token.
    All else is refused in the contract's error shape.

    Each answer ends its connection: scrapes are rare, and idle connections would keep others out.
    """

    def __init__(self, metrics: Metrics, console: Console, access: Access) -> None:
        self._metrics = metrics
        self._console = console
        self._access = access
        self._files = load_page()

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http":
            await self._answer(scope, send)
        elif scope["type"] == "websocket":
            await self._converse(scope, receive, send)

    async def _answer(self, scope: HTTPScope, send: ASGISendCallable) -> None:
        host, port = scope["client"] or ("", 0)
        headers = [
            (b"connection", b"close"),
            *standard_headers(list(scope["headers"]), Peer(host, port or 0)),
            *page_headers(self._access.own_host(scope["headers"])),
        ]
        try:
            content_type, page = await self._page(scope)
        except ChatError as error:
            if error.code is ErrorCode.METHOD_NOT_ALLOWED:
                headers.append((b"allow", ", ".join(_METHODS).encode()))
            await _refuse(send, error, headers)
        except Exception:
            _log.exception("request failed", path=scope["path"])
            await _refuse(send, internal_error(), headers)
        else:
            about = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(page))]
            await _respond(send, 200, [*about, (b"cache-control", b"no-store"), *headers], page)

    async def _page(self, scope: HTTPScope) -> tuple[str, bytes]:
        self._access.check_host(scope["headers"])
        path = scope["path"]
        file = self._files.get(path)
        if file is None and path not in (METRICS_PATH, SNAPSHOT_PATH, STACK_PATH, SCHEMA_PATH):
            raise not_found("The path")
        if scope["method"] not in _METHODS:
            raise ChatError(ErrorCode.METHOD_NOT_ALLOWED, "Only GET is allowed here")
        if file is not None:
            return file.content_type, file.content
        if path == METRICS_PATH:
            return CONTENT_TYPE, await self._metrics.page()
        self._access.check_token(scope["headers"])
        query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
        if path == SCHEMA_PATH:
            return _JSON, schema()
        if path == STACK_PATH:
            return _JSON, msgspec.json.encode(await self._console.stack(query.get("task", "")))
        return _JSON, msgspec.json.encode(await self._snapshot(query, self._who(scope)))

    def _who(self, scope: HTTPScope | WebsocketScope) -> str:
        """Who asks, for the log: the process on a Unix socket, else the address; and which token was used."""
        host, port = scope["client"] or ("", 0)
        place = f"{host}:{port}" if port else host
        return f"{place} with token {self._access.token_id}"

    async def _snapshot(self, query: Mapping[str, str], who: str) -> api.Snapshot:
        """`observe` is for how many seconds to watch before."""
        given: dict[str, object] = {name: value for name, value in query.items() if name != "observe"}
        if "sections" in given:
            given["sections"] = query["sections"].split(",")
        try:
            view = msgspec.convert(given, api.View, strict=False)
            observe = float(query.get("observe", "0"))
        except ValueError as error:
            raise invalid("query", str(error)) from None
        if not 0 <= observe <= LONGEST_OBSERVATION:
            raise invalid("observe", f"0 to {LONGEST_OBSERVATION:g} seconds")
        if observe:
            async with self._console.watching(), self._console.timing(view):
                if not view.sections or api.Section.ACTORS in view.sections:
                    await self._console.look(api.View([api.Section.ACTORS, api.Section.SOCKETS], limit=view.limit), who)
                await trio.sleep(observe)
                return await self._console.look(view, who)
        return await self._console.look(view, who)

    async def _converse(self, scope: WebsocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        try:
            self._access.check_host(scope["headers"])
            if scope["path"] != WEBSOCKET_PATH:
                raise not_found("This WebSocket")
            self._access.check_token(scope["headers"], scope["subprotocols"])
        except ChatError as error:
            body = error_body(error)
            refused = [*error_headers(error, body), *standard_headers((), Peer("", 0)), *page_headers(None)]
            status = EDGE[error.code].status
            await send({"type": "websocket.http.response.start", "status": status, "headers": refused})
            await send({"type": "websocket.http.response.body", "body": body, "more_body": False})
            return
        await receive()
        subprotocol = agreed_subprotocol(scope["subprotocols"])
        await send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": []})
        await Dialogue(self._console, receive, send, self._who(scope)).run()


def schema() -> bytes:
    """JSON Schema (2020-12) of the snapshot and of what goes over the WebSocket, both ways."""
    parts, components = msgspec.json.schema_components(
        [api.Snapshot, api.Request, api.Answer], ref_template="#/$defs/{name}"
    )
    snapshot, request, answer = parts
    return msgspec.json.encode(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"stackmentor console, version {api.VERSION}",
            **snapshot,
            "$defs": {**components, "Request": request, "Answer": answer},
        }
    )


async def _refuse(send: ASGISendCallable, error: ChatError, headers: Headers) -> None:
    body = error_body(error)
    await _respond(send, EDGE[error.code].status, [*error_headers(error, body), *headers], body)


async def _respond(send: ASGISendCallable, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})
