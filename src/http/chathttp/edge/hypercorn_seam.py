"""The one place that knows hypercorn's inside (0.18, pinned exactly): HTTP/1.1 on a stream of ours.

Differences from its own `TCPServer.run`: the addresses are given, HTTP/2 over clear text is not offered, the head of a
further request on the connection has a deadline too, no WebSocket is compressed, a WebSocket message above the limit
ends the connection, and a server that drains says `Connection: close` before it ends anything.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import h11
import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.logging import Logger
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import Response
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState

from chathttp.edge.limits import EdgeLimits
from chathttp.edge.prefixed import PrefixedStream
from chathttp.edge.transport import Peer

CONNECTION = "stackmentor.connection"
"""The key in a scope's `state` under which the application finds the `PrefixedStream` of its connection."""

RECYCLE_SECONDS: Final = 1.0
"""For making a connection ready for its next request; nothing in it waits for a peer."""

_EXTENSIONS: Final = b"sec-websocket-extensions"

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class _Log(Logger):
    async def exception(self, message: str, *_args: object, **_kwargs: object) -> None:
        _log.exception("request failed", cause=message)


class _Context(WorkerContext):
    closing = False
    """Each connection ends with the next response."""


class HttpServer:
    """Serves an ASGI application on connections that are handed to it."""

    def __init__(self, app: ASGIFramework, limits: EdgeLimits) -> None:
        self._app = ASGIWrapper(app)
        self._head_timeout = limits.request_head_timeout
        self._context = _Context(None)
        self._config = config = Config()
        config.logger_class = _Log
        config.errorlog = None
        config.include_server_header = False
        config.h11_max_incomplete_size = limits.max_request_head_bytes
        config.keep_alive_timeout = limits.keep_alive_timeout
        config.websocket_max_message_size = limits.max_frame_bytes

    async def serve(self, stream: PrefixedStream, peer: Peer, local: Peer) -> None:
        """Serve the requests of one connection to its end."""
        await _Http1Server(self._app, self._config, self._context, stream, peer, local, self._head_timeout).run()

    def close_with_responses(self) -> None:
        """Say `Connection: close` in every response from now on, and end the connection after it."""
        self._context.closing = True

    async def drain(self) -> None:
        """End idle connections now, and the others with the response they are at."""
        await self._context.terminated.set()


class _Http1Protocol(H11Protocol):
    context: _Context

    async def stream_send(self, event: StreamEvent) -> None:
        if self.context.closing and isinstance(event, Response) and event.status_code >= 200:
            event = Response(event.stream_id, [*event.headers, (b"connection", b"close")], event.status_code)
        await super().stream_send(event)

    async def _maybe_recycle(self) -> None:
        """After a response. The application is told first that it is over: Quart then cancels the task that is here."""
        with trio.move_on_after(RECYCLE_SECONDS, shield=True):
            await super()._maybe_recycle()

    async def _create_stream(self, request: h11.Request) -> None:
        """No WebSocket extension is agreed on. permessage-deflate goes on from message to message (RFC 7692, section
        7.1.1): one that was compressed and then not sent, because who sent it was cancelled, or a ping amid the parts
        of another, which wsproto 1.3 takes for its end, would make garbage of the next.
        """
        if any(name == _EXTENSIONS for name, _ in request.headers):
            kept = [(name, value) for name, value in request.headers if name != _EXTENSIONS]
            request = h11.Request(
                method=request.method, target=request.target, headers=kept, http_version=request.http_version
            )
        await super()._create_stream(request)

    async def _check_protocol(self, event: h11.Request) -> None:
        """HTTP/2 is not offered: a request that asks for it is answered in HTTP/1.1."""

    async def _handle_events(self) -> None:
        await super()._handle_events()
        if isinstance(self.stream, WSStream) and self.stream.buffer.length > self.config.websocket_max_message_size:
            await self.send(Closed())

    @property
    def in_head(self) -> bool:
        """Part of a request's head has come, and the rest has not."""
        connection = self.connection
        return (
            isinstance(connection, h11.Connection)
            and connection.their_state is h11.IDLE
            and bool(connection.trailing_data[0])
        )


class _Http1Server(TCPServer):
    def __init__(
        self,
        app: ASGIWrapper,
        config: Config,
        context: _Context,
        stream: PrefixedStream,
        peer: Peer,
        local: Peer,
        head_timeout: float,
    ) -> None:
        super().__init__(app, config, context, {CONNECTION: stream}, stream)  # pyright: ignore[reportArgumentType]  # declared for TLS only, used with any stream
        self._peer = (peer.host, peer.port)
        self._local = (local.host, local.port)
        self._head_timeout = head_timeout
        self._at_end = False
        """The peer sends nothing more."""

    async def run(self) -> None:
        try:
            async with TaskGroup() as group:
                self._task_group = group
                state = ConnectionState(self.state)
                about = (self.app, self.config, self.context, group, state, False, self._peer, self._local)
                self.protocol = ProtocolWrapper(*about, self.protocol_send)
                self.protocol.protocol = http1 = _Http1Protocol(*about, self.protocol_send)
                # Also while draining: what was accepted is answered.
                await self._in_idle(self._await_first)
                await self._read_requests(http1)
        finally:
            await self._close()
            if hasattr(self, "protocol"):
                del self.protocol  # it refers back to this object

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, Closed):
            # The reader ends then, and in the end `run` sees what is queued out.
            self.stream.close()
            await self.protocol.handle(event)
        else:
            await super().protocol_send(event)

    async def _read_requests(self, http1: _Http1Protocol) -> None:
        # h11 bounds only heads that are not whole yet, so the bytes read at a time bound those that are.
        size = self.config.h11_max_incomplete_size
        in_head = False
        while True:
            try:
                data = await self.stream.receive_some(size)
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                break
            await self.protocol.handle(RawData(bytes(data)))
            if not data:
                break
            if http1.in_head and not in_head:
                await self._in_idle(self._await_head)
            in_head = http1.in_head
        self._at_end = True
        await self.protocol.handle(Closed())
        await self.idle_task.stop()

    async def _idle_timeout(self) -> None:
        """hypercorn's wait for another request after each answer: whoever has left makes none."""
        if not self._at_end:
            await super()._idle_timeout()

    async def _in_idle(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run `task` until the next whole head has come."""
        await self.idle_task.restart(self._task_group, task)  # pyright: ignore[reportUnknownMemberType]  # bare Callable

    async def _await_first(self) -> None:
        await trio.sleep(self._head_timeout)
        await self.stream.aclose()

    async def _await_head(self) -> None:
        with trio.move_on_after(self._head_timeout):
            await self.context.terminated.wait()
        await self.stream.aclose()
