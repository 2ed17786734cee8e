"""One connection, from its first byte to its last."""

import socket
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import TypeAlias

import structlog
import trio
from attrs import field, frozen

from chatcore.errors import ChatError, ErrorCode
from chathttp.edge.handshake import HandshakeRefused, Opening, full, is_upgrade, open_handshake
from chathttp.edge.head import HeadTooLarge, ReceivedHead, RequestHead, parse_head, read_head
from chathttp.edge.hypercorn_seam import HttpServer
from chathttp.edge.limits import EdgeLimits
from chathttp.edge.outbox import Outbox
from chathttp.edge.prefixed import RECEIVE_BYTES, PrefixedStream
from chathttp.edge.refusal import Headers, ResponseHeaders, error_response
from chathttp.edge.sessions import Sessions
from chathttp.edge.transport import FrameTransport, HandshakeInfo, Peer
from chathttp.edge.websocket import accept_websocket

OnSession: TypeAlias = Callable[[FrameTransport, HandshakeInfo], Awaitable[None]]

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def _no_scopes() -> set[trio.CancelScope]:
    return set()


@frozen(kw_only=True)
class ConnectionHandler:
    """Serves connections; each call of `serve` is a task of its own, and nothing but cancellation comes out of it."""

    http: HttpServer
    sessions: Sessions
    on_session: OnSession
    limits: EdgeLimits
    websocket_path: bytes
    allowed_origins: Collection[str]
    response_headers: ResponseHeaders
    is_full: Callable[[], bool]
    _silent: set[trio.CancelScope] = field(factory=_no_scopes)

    async def serve(self, sock: socket.socket, peer: Peer) -> None:
        """Owns `sock`, and closes it."""
        wrapped = trio.socket.from_stdlib_socket(sock)
        try:
            await self._route(sock, wrapped, peer)
            await self._linger(wrapped)
        except* Exception:
            _log.exception("connection failed", peer=peer.host)
        finally:
            wrapped.close()

    def end_silent(self) -> None:
        """End the connections on which no whole request head has come."""
        for scope in self._silent:
            scope.cancel()

    async def flush(self, outbox: Outbox) -> None:
        """See the close frame out, or drop the connection when that takes too long."""
        with trio.move_on_after(self.limits.write_timeout):
            await outbox.wait_drained()
            return
        outbox.reset()

    async def _route(self, sock: socket.socket, wrapped: trio.socket.SocketType, peer: Peer) -> None:
        head: RequestHead | None = None
        try:
            received = await self._read_head(wrapped)
            if received is None:
                return
            head = parse_head(received.head)
            if head is None or head.path != self.websocket_path or not is_upgrade(head):
                await self._serve_http(sock, peer, received.head + received.rest)
                return
            opening = self._open(head, received.rest)
            handshake = HandshakeInfo(self.websocket_path.decode(), head.query, head.headers, opening.subprotocol, peer)
        except HandshakeRefused as refused:
            await self._refuse(wrapped, peer, refused, () if head is None else head.headers)
            return
        del received, head
        async with trio.open_nursery() as nursery:
            headers = self.response_headers(handshake.headers, peer)
            transport, outbox = await self._accept(nursery, sock, opening, peer, headers)
            session = self.on_session(transport, handshake)
            del opening, handshake, headers
            await self.sessions.run(transport, session)
            del session
            await self.flush(outbox)
            outbox.retire()
            nursery.cancel_scope.cancel()

    async def _read_head(self, wrapped: trio.socket.SocketType) -> ReceivedHead | None:
        limits = self.limits
        with trio.CancelScope() as silent:
            self._silent.add(silent)
            try:
                return await read_head(
                    wrapped, timeout=limits.request_head_timeout, max_bytes=limits.max_request_head_bytes
                )
            except HeadTooLarge:
                error = ChatError(ErrorCode.VALIDATION_ERROR, "The request's headers are too large")
                raise HandshakeRefused(431, error) from None
            finally:
                self._silent.discard(silent)
        return None

    def _open(self, head: RequestHead, rest: bytes) -> Opening:
        opening = open_handshake(head, allowed_origins=self.allowed_origins)
        if rest:
            # RFC 6455, section 4.1: the client must wait for the response.
            raise HandshakeRefused(400, ChatError(ErrorCode.VALIDATION_ERROR, "Data came before the handshake's end"))
        if self.sessions.draining or self.is_full():
            raise full()
        return opening

    async def _accept(
        self, nursery: trio.Nursery, sock: socket.socket, opening: Opening, peer: Peer, headers: Headers
    ) -> tuple[FrameTransport, Outbox]:
        outbox = Outbox(
            sock,
            limit=self.limits.outbox_limit_bytes,
            start_writer=lambda: nursery.start_soon(outbox.run_writer),
            write_timeout=self.limits.write_timeout,
        )
        transport = await accept_websocket(
            nursery, sock, outbox, opening, peer, headers, max_message_bytes=self.limits.max_frame_bytes
        )
        return transport, outbox

    async def _serve_http(self, sock: socket.socket, peer: Peer, received: bytes) -> None:
        address = sock.getsockname()
        async with trio.open_nursery() as nursery:
            outbox = Outbox(
                sock,
                limit=self.limits.outbox_limit_bytes,
                start_writer=lambda: nursery.start_soon(outbox.run_writer),
                write_timeout=self.limits.write_timeout,
            )
            stream = PrefixedStream(sock, received, outbox)
            await self.http.serve(stream, peer, Peer(str(address[0]), int(address[1])))
            outbox.retire()

    async def _refuse(
        self, wrapped: trio.socket.SocketType, peer: Peer, refused: HandshakeRefused, request: Headers
    ) -> None:
        headers = [*refused.headers, *self.response_headers(request, peer)]
        response = error_response(refused.status, refused.error, headers)
        with trio.move_on_after(self.limits.write_timeout), suppress(OSError):
            await wrapped.send(response)

    async def _linger(self, wrapped: trio.socket.SocketType) -> None:
        """End our side and wait for the peer's end: closing at once would reset what it has not read yet."""
        with trio.move_on_after(self.limits.close_timeout), suppress(OSError):
            wrapped.shutdown(socket.SHUT_WR)
            while await wrapped.recv(RECEIVE_BYTES):
                pass
