"""WebSockets that arrive on a kept-alive HTTP connection, as proxies may send them: the same sessions through ASGI.

ASGI gives the handshake, the messages and the end. Ready frames go into the connection's outbox, which the server below
writes to as well, whole frames at a time; so both kinds of WebSocket have the same order, bound and closing.
"""

from collections.abc import Callable
from typing import cast

import trio
from attrs import frozen
from hypercorn.typing import (
    ASGIFramework,
    ASGIReceiveCallable,
    ASGISendCallable,
    HTTPScope,
    Scope,
    WebsocketScope,
)

from chatcore.errors import not_found
from chathttp.edge.admission import draining
from chathttp.edge.connection import ConnectionHandler
from chathttp.edge.handshake import HandshakeRefused, check_origin, choose_subprotocol
from chathttp.edge.hypercorn_seam import CONNECTION
from chathttp.edge.outbox_transport import NO_CLOSE_FRAME, OutboxTransport
from chathttp.edge.prefixed import PrefixedStream
from chathttp.edge.refusal import Headers, error_headers
from chathttp.edge.transport import HandshakeInfo, Peer
from chathttp.errors import error_body
from chathttp.sockjs.websocket import Framing, framing_of, message_bytes


class AsgiTransport(OutboxTransport):
    """A `FrameTransport` whose messages come through ASGI."""

    __slots__ = ("_receive", "_receiving", "_stream")

    def __init__(self, receive: ASGIReceiveCallable, stream: PrefixedStream, peer: Peer, *, max_bytes: int) -> None:
        super().__init__(stream.outbox, peer, max_bytes=max_bytes)
        self._stream = stream
        self._receive = receive
        self._receiving: trio.CancelScope | None = None

    @property
    def last_received(self) -> float:
        return self._stream.last_received

    async def receive(self) -> bytes | str:
        while self._ended is None:
            with trio.CancelScope() as self._receiving:
                event = await self._receive()
                if event["type"] == "websocket.disconnect":
                    self._ended = (self._stream.close_sent or NO_CLOSE_FRAME, "")
                elif event["type"] == "websocket.receive":
                    text = event["text"]
                    return self._checked(text if text is not None else event["bytes"] or b"")
        await trio.lowlevel.checkpoint()
        raise self._end()

    def _stop_reading(self) -> None:
        if self._receiving is not None:
            self._receiving.cancel()


@frozen
class AsgiWebSockets:
    """The ASGI application below hypercorn: our own path's WebSockets to the sessions, all HTTP to `app`."""

    app: ASGIFramework
    handler: Callable[[], ConnectionHandler]

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http" and self._asks_too_late(scope):
            await self._refuse_session(scope, send)
        else:
            await self.app(scope, receive, send)

    def _asks_too_late(self, scope: HTTPScope) -> bool:
        """Whether it asks a server that drains for how to open a SockJS session."""
        handler = self.handler()
        return handler.sessions.draining and scope["path"] == f"{handler.websocket_path.decode()}/info"

    async def _refuse_session(self, scope: HTTPScope, send: ASGISendCallable) -> None:
        host, port = scope["client"] or ("", 0)
        error = draining()
        body = error_body(error)
        common = self.handler().response_headers(list(scope["headers"]), Peer(host, port or 0))
        headers = [*error_headers(error, body), *common]
        await send({"type": "http.response.start", "status": 503, "headers": headers, "trailers": False})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _websocket(self, scope: WebsocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        handler = self.handler()
        host, port = scope["client"] or ("", 0)
        peer = Peer(host, port)
        headers = tuple((name.lower(), value) for name, value in scope["headers"])
        try:
            framing = self._check(handler, scope["path"], headers)
        except HandshakeRefused as refused:
            await self._refuse(send, refused, [*refused.headers, *handler.response_headers(headers, peer)])
            return
        subprotocol = choose_subprotocol(scope["subprotocols"])
        await receive()
        await send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": []})
        stream = cast("PrefixedStream", scope["state"][CONNECTION])
        stream.carries_frames = True
        most_bytes = message_bytes(framing, handler.limits.max_frame_bytes)
        transport = handler.framed(AsgiTransport(receive, stream, peer, max_bytes=most_bytes), framing)
        handshake = HandshakeInfo(scope["path"], scope["query_string"], headers, subprotocol, peer)
        await handler.sessions.run(transport, handler.on_session(transport, handshake))
        await handler.flush(stream.outbox)

    def _check(self, handler: ConnectionHandler, path: str, headers: Headers) -> Framing:
        framing = framing_of(path.encode(), handler.websocket_path)
        if framing is None:
            raise HandshakeRefused(404, not_found("This WebSocket"))
        check_origin(headers, handler.allowed_origins)
        handler.let_in()
        return framing

    async def _refuse(
        self, send: ASGISendCallable, refused: HandshakeRefused, headers: list[tuple[bytes, bytes]]
    ) -> None:
        body = error_body(refused.error)
        headers += error_headers(refused.error, body)
        await send({"type": "websocket.http.response.start", "status": refused.status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": body, "more_body": False})
