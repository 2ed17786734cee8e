"""One connection, from its first byte to its last."""

import socket
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import TypeAlias

import structlog
import trio
from attrs import field, frozen

from chatcore.errors import ChatError, ErrorCode
from chathttp.edge.handshake import HandshakeRefused, Opening, is_upgrade, open_handshake
from chathttp.edge.head import HeadTooLarge, ReceivedHead, RequestHead, parse_head, read_head
from chathttp.edge.hypercorn_seam import HttpServer
from chathttp.edge.limits import EdgeLimits
from chathttp.edge.outbox import Outbox
from chathttp.edge.prefixed import RECEIVE_BYTES, PrefixedStream
from chathttp.edge.refusal import Headers, ResponseHeaders, error_response
from chathttp.edge.sessions import Sessions
from chathttp.edge.transport import FrameTransport, HandshakeInfo, Peer
from chathttp.edge.websocket import accept_websocket
from chathttp.sockjs.websocket import Framing, SockjsWebSocket, framing_of, message_bytes

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
    let_in: Callable[[], None]
    """Asked before a WebSocket is opened. Raises `HandshakeRefused` when it may not be, with 503."""
    start_writer: Callable[[Outbox], None]
    """Runs an outbox's `run_writer` in a task; nothing but cancellation may come out of it either."""
    _silent: set[trio.CancelScope] = field(factory=_no_scopes)

    async def serve(self, sock: socket.socket, peer: Peer) -> None:
        """Owns `sock`, and closes it."""
        outbox = Outbox(
            sock,
            limit=self.limits.outbox_limit_bytes,
            start_writer=self.start_writer,
            write_timeout=self.limits.write_timeout,
        )
        try:
            upgrade = await self._upgrade(sock, peer, outbox)
            if upgrade is not None:
                transport, session = upgrade
                del upgrade
                await self.sessions.run(transport, session)
                del session
                await self.flush(outbox)
            outbox.retire()
            await self._linger(sock)
        except* Exception:
            _log.exception("connection failed", peer=peer.host)
        finally:
            outbox.retire()
            trio.lowlevel.notify_closing(sock)
            sock.close()

    def framed(self, transport: FrameTransport, framing: Framing) -> FrameTransport:
        """`transport` as a session is to see it."""
        return transport if framing is Framing.PLAIN else SockjsWebSocket(transport, self.limits.sockjs)

    def end_silent(self) -> None:
        """End the connections on which no whole request head has come."""
        for scope in self._silent:
            scope.cancel()

    @property
    def has_silent(self) -> bool:
        """Whether there are connections on which no whole request head has come yet."""
        return bool(self._silent)

    async def flush(self, outbox: Outbox) -> None:
        """See the close frame out, or drop the connection when that takes too long."""
        with trio.move_on_after(self.limits.write_timeout):
            await outbox.wait_drained()
            return
        outbox.reset()

    async def _upgrade(
        self, sock: socket.socket, peer: Peer, outbox: Outbox
    ) -> tuple[FrameTransport, Awaitable[None]] | None:
        """The WebSocket and its session, which is not running yet. None when it was something else, which is done."""
        head: RequestHead | None = None
        try:
            received = await self._read_head(sock)
            if received is None:
                return None
            head = parse_head(received.head)
            framing = None if head is None else framing_of(head.path, self.websocket_path)
            if head is None or framing is None or not is_upgrade(head):
                await self._serve_http(sock, peer, outbox, received.head + received.rest)
                return None
            opening = self._open(head, received.rest)
        except HandshakeRefused as refused:
            await self._refuse(outbox, peer, refused, () if head is None else head.headers)
            return None
        headers = self.response_headers(head.headers, peer)
        most_bytes = message_bytes(framing, self.limits.max_frame_bytes)
        transport = self.framed(
            accept_websocket(sock, outbox, opening, peer, headers, max_message_bytes=most_bytes), framing
        )
        handshake = HandshakeInfo(self.websocket_path.decode(), head.query, head.headers, opening.subprotocol, peer)
        return transport, self.on_session(transport, handshake)

    async def _read_head(self, sock: socket.socket) -> ReceivedHead | None:
        limits = self.limits
        try:
            return await read_head(
                sock,
                timeout=limits.request_head_timeout,
                max_bytes=limits.max_request_head_bytes,
                waiting=self._silent,
            )
        except HeadTooLarge:
            error = ChatError(ErrorCode.VALIDATION_ERROR, "The request's headers are too large")
            raise HandshakeRefused(431, error) from None

    def _open(self, head: RequestHead, rest: bytes) -> Opening:
        opening = open_handshake(head, allowed_origins=self.allowed_origins)
        if rest:
            # RFC 6455, section 4.1: the client must wait for the response.
            raise HandshakeRefused(400, ChatError(ErrorCode.VALIDATION_ERROR, "Data came before the handshake's end"))
        self.let_in()
        return opening

    async def _serve_http(self, sock: socket.socket, peer: Peer, outbox: Outbox, received: bytes) -> None:
        address = sock.getsockname()
        stream = PrefixedStream(sock, received, outbox)
        await self.http.serve(stream, peer, Peer(str(address[0]), int(address[1])))

    async def _refuse(self, outbox: Outbox, peer: Peer, refused: HandshakeRefused, request: Headers) -> None:
        headers = [*refused.headers, *self.response_headers(request, peer)]
        outbox.offer(error_response(refused.status, refused.error, headers))
        await self.flush(outbox)

    async def _linger(self, sock: socket.socket) -> None:
        """End our side and wait for the peer's end: closing at once would reset what it has not read yet."""
        with trio.move_on_after(self.limits.close_timeout), suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
            while True:
                with suppress(BlockingIOError):
                    if not sock.recv(RECEIVE_BYTES):
                        return
                await trio.lowlevel.wait_readable(sock)
