"""WebSockets that arrive on a kept-alive HTTP connection, as proxies may send them: the same sessions through ASGI."""

from collections import deque
from collections.abc import Callable
from typing import cast

import trio
from attrs import define, frozen
from hypercorn.typing import (
    ASGIFramework,
    ASGIReceiveCallable,
    ASGISendCallable,
    ASGISendEvent,
    Scope,
    WebsocketScope,
)

from chatcore.errors import not_found
from chathttp.edge.connection import ConnectionHandler
from chathttp.edge.frames import Opcode, split_frames
from chathttp.edge.handshake import HandshakeRefused, check_origin, choose_subprotocol, full
from chathttp.edge.hypercorn_seam import CONNECTION
from chathttp.edge.prefixed import PrefixedStream
from chathttp.edge.refusal import Headers, error_headers
from chathttp.edge.transport import ConnectionEnded, HandshakeInfo, Peer
from chathttp.edge.websocket import NO_CLOSE_FRAME, SLOW_CONSUMER
from chathttp.errors import CLOSE_OVERLOADED, CLOSE_TOO_BIG, error_body
from chathttp.stomp.websocket_frame import text_frame


@define(eq=False)
class _Item:
    """An ASGI event that waits for the connection."""

    event: ASGISendEvent
    counted: int
    last: bool = False
    sent: trio.Event | None = None
    lost: bool = False


class AsgiTransport:
    """A `FrameTransport` over ASGI. Ready frames are taken apart again: the server below makes its own.

    `run_sender` is its one task. It queues in bytes of payload up to `limit`, and closes with 1013 above it.
    """

    def __init__(
        self,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
        stream: PrefixedStream,
        peer: Peer,
        *,
        limit: int,
        max_bytes: int,
    ) -> None:
        self._receive = receive
        self._send = send
        self._stream = stream
        self._limit = limit
        self._max_bytes = max_bytes
        self._queue: deque[_Item] = deque()
        self._wake = trio.Event()
        self._receiving: trio.CancelScope | None = None
        self._ended: ConnectionEnded | None = None
        self._disconnected = False
        self._queued_bytes = 0
        self.on_drained: Callable[[], None] | None = None
        self.peer = peer

    @property
    def last_received(self) -> float:
        return self._stream.last_received

    @property
    def queued_bytes(self) -> int:
        return self._queued_bytes

    @property
    def closed(self) -> bool:
        return self._ended is not None

    def frame(self, payload: bytes) -> bytes:
        return text_frame(payload)

    def offer(self, frames: bytes) -> bool:
        """Always False: the socket is not at hand here, so `on_drained` tells."""
        if self._ended is None:
            if self._queue and self._queued_bytes + len(frames) > self._limit:
                self._drop_queue()
                self.close(CLOSE_OVERLOADED, SLOW_CONSUMER)
            else:
                self._enqueue(frames, None)
        return False

    async def send(self, frames: bytes) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._ended is not None:
            raise self._ended
        last = self._enqueue(frames, trio.Event())
        if last is not None and last.sent is not None:
            await last.sent.wait()
            if last.lost:
                raise self._ended or ConnectionEnded(NO_CLOSE_FRAME)

    async def receive(self) -> bytes | str:
        while self._ended is None:
            with trio.CancelScope() as self._receiving:
                event = await self._receive()
                if event["type"] == "websocket.disconnect":
                    self._disconnected = True
                    self._end(ConnectionEnded(event["code"]))
                elif event["type"] == "websocket.receive":
                    text, data = event.get("text"), event.get("bytes")
                    message = text if text is not None else data or b""
                    if len(message if isinstance(message, bytes) else message.encode()) <= self._max_bytes:
                        return message
                    self.close(CLOSE_TOO_BIG, f"a message may have {self._max_bytes} bytes")
        await trio.lowlevel.checkpoint()
        raise self._ended

    def ping(self) -> None:
        """The server below pings by itself."""

    def close(self, code: int, reason: str = "") -> None:
        if self._ended is None:
            self._end(ConnectionEnded(code, reason))
            self._append(_Item({"type": "websocket.close", "code": code, "reason": reason}, 0, last=True))

    async def run_sender(self) -> None:
        """Send what is queued until the connection is over."""
        while not self._disconnected:
            while self._queue:
                item = self._queue[0]
                await self._send(item.event)
                if self._queue and self._queue[0] is item:
                    self._queue.popleft()
                    self._queued_bytes -= item.counted
                if item.sent is not None:
                    item.sent.set()
                if item.last:
                    return
                if not self._queue and self.on_drained is not None:
                    self.on_drained()
            self._wake = trio.Event()
            await self._wake.wait()

    async def finish(self) -> None:
        """After `close`: wait for the peer's answer."""
        while not self._disconnected:
            event = await self._receive()
            self._disconnected = event["type"] == "websocket.disconnect"

    def _enqueue(self, frames: bytes, sent: trio.Event | None) -> _Item | None:
        item: _Item | None = None
        for opcode, payload in split_frames(frames):
            if opcode is Opcode.TEXT:
                item = _Item({"type": "websocket.send", "bytes": None, "text": payload.decode()}, 0)
            elif opcode is Opcode.BINARY:
                item = _Item({"type": "websocket.send", "bytes": payload, "text": None}, 0)
            else:
                raise ValueError(f"{opcode.name} frames are the transport's own")
            if sent is None:
                item.counted = len(payload)
            self._append(item)
        if item is not None:
            item.sent = sent
        return item

    def _append(self, item: _Item) -> None:
        self._queue.append(item)
        self._queued_bytes += item.counted
        self._wake.set()

    def _end(self, ended: ConnectionEnded) -> None:
        self._ended = ended
        if self._receiving is not None:
            self._receiving.cancel()
        if self._disconnected:
            self._drop_queue()
            self._wake.set()

    def _drop_queue(self) -> None:
        for item in self._queue:
            item.lost = True
            if item.sent is not None:
                item.sent.set()
        self._queue.clear()
        self._queued_bytes = 0


@frozen
class AsgiWebSockets:
    """The ASGI application below hypercorn: our own path's WebSockets to the sessions, all HTTP to `app`."""

    app: ASGIFramework
    handler: Callable[[], ConnectionHandler]

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _websocket(self, scope: WebsocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        handler = self.handler()
        host, port = scope["client"] or ("", 0)
        peer = Peer(host, port)
        headers = tuple((name.lower(), value) for name, value in scope["headers"])
        try:
            self._check(handler, scope["path"], headers)
        except HandshakeRefused as refused:
            await self._refuse(send, refused, [*refused.headers, *handler.response_headers(headers, peer)])
            return
        subprotocol = choose_subprotocol(scope["subprotocols"])
        await receive()
        await send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": []})
        limits = handler.limits
        stream = cast("PrefixedStream", scope["state"][CONNECTION])
        transport = AsgiTransport(
            receive, send, stream, peer, limit=limits.outbox_limit_bytes, max_bytes=limits.max_frame_bytes
        )
        handshake = HandshakeInfo(scope["path"], scope["query_string"], headers, subprotocol, peer)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(transport.run_sender)
            await handler.sessions.run(transport, handler.on_session(transport, handshake))
            with trio.move_on_after(limits.close_timeout):
                await transport.finish()
            nursery.cancel_scope.cancel()

    def _check(self, handler: ConnectionHandler, path: str, headers: Headers) -> None:
        if path.encode() != handler.websocket_path:
            raise HandshakeRefused(404, not_found("This WebSocket"))
        check_origin(headers, handler.allowed_origins)
        if handler.sessions.draining or handler.is_full():
            raise full()

    async def _refuse(
        self, send: ASGISendCallable, refused: HandshakeRefused, headers: list[tuple[bytes, bytes]]
    ) -> None:
        body = error_body(refused.error)
        headers += error_headers(refused.error, body)
        await send({"type": "websocket.http.response.start", "status": refused.status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": body, "more_body": False})
