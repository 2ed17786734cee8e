"""WebSockets straight on the connection: trio-websocket reads and answers control frames, the outbox writes."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import trio
from trio_websocket import CloseReason, ConnectionClosed, WebSocketConnection, wrap_server_stream

from chathttp.edge.handshake import Opening
from chathttp.edge.outbox import Outbox
from chathttp.edge.prefixed import RECEIVE_BYTES, PrefixedStream
from chathttp.edge.transport import ConnectionEnded, Peer
from chathttp.errors import CLOSE_OVERLOADED, CLOSE_TOO_BIG
from chathttp.stomp.websocket_frame import close_frame, text_frame

NO_CLOSE_FRAME: Final = 1006
MAX_FRAGMENTS: Final = 4096
"""Of one message, counting what was received of it at a time."""
SLOW_CONSUMER: Final = "reads too slowly"
_PING: Final = b"\x89\x00"
_HEAD: Final = (
    b"GET / HTTP/1.1\r\nHost: -\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n%b\r\n"
)


def canonical_head(opening: Opening) -> bytes:
    """The checked handshake in as few bytes as it can have; the library keeps what it is shown."""
    offer = b"" if opening.subprotocol is None else b"Sec-WebSocket-Protocol: %b\r\n" % opening.subprotocol.encode()
    return _HEAD % (opening.key, offer)


class _WebSocketStream(PrefixedStream):
    """The stream below the library: a close frame it writes is the connection's last."""

    __slots__ = ("reader",)

    def __init__(self, sock: trio.socket.SocketType, head: bytes, outbox: Outbox) -> None:
        super().__init__(sock, head, outbox)
        self.reader: WebSocketConnection | None = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The library bounds a message's size but not the number of its fragments, which may be empty."""
        parts = 0 if self.reader is None else len(self.reader._message_parts)  # pyright: ignore[reportPrivateUsage]  # nothing public tells
        if parts > MAX_FRAGMENTS:
            self._outbox.close_after(close_frame(CLOSE_TOO_BIG, f"a message may have {MAX_FRAGMENTS} fragments"))
            self.close()
        return await super().receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Raises `trio.BrokenResourceError` when the connection is lost; once it is closing, drops what it is given."""
        if data[:1] == b"\x88":
            self._outbox.close_after(bytes(data))
        elif not self._outbox.closed:
            with suppress(trio.ClosedResourceError):
                await self._outbox.send(bytes(data))
            return
        await trio.lowlevel.checkpoint()


class DirectTransport:
    """A `FrameTransport` on a connection of its own."""

    __slots__ = ("_connection", "_ended", "_max_bytes", "_outbox", "_stream", "peer")

    def __init__(
        self, connection: WebSocketConnection, outbox: Outbox, stream: _WebSocketStream, peer: Peer, max_bytes: int
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._stream = stream
        self._max_bytes = max_bytes
        self._ended: ConnectionEnded | None = None
        self.peer = peer

    @property
    def last_received(self) -> float:
        return self._stream.last_received

    @property
    def queued_bytes(self) -> int:
        return self._outbox.queued_bytes

    @property
    def closed(self) -> bool:
        return self._outbox.closed

    @property
    def on_drained(self) -> Callable[[], None] | None:
        return self._outbox.on_drained

    @on_drained.setter
    def on_drained(self, hook: Callable[[], None] | None) -> None:
        self._outbox.on_drained = hook

    def frame(self, payload: bytes) -> bytes:
        return text_frame(payload)

    def offer(self, frames: bytes) -> bool:
        return self._outbox.offer(frames)

    async def send(self, frames: bytes) -> None:
        try:
            await self._outbox.send(frames)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise self._ended or ConnectionEnded(NO_CLOSE_FRAME) from None

    async def receive(self) -> bytes | str:
        if self._ended is None:
            try:
                message = await self._connection.get_message()
            except ConnectionClosed as closed:
                self._end(closed.reason)
            else:
                if len(message) * 4 <= self._max_bytes or _size(message) <= self._max_bytes:
                    return message
                self.close(CLOSE_TOO_BIG, f"a message may have {self._max_bytes} bytes")
        else:
            await trio.lowlevel.checkpoint()
        raise self._ended or ConnectionEnded(NO_CLOSE_FRAME)

    def ping(self) -> None:
        if not self._outbox.queued_bytes:
            self._outbox.offer(_PING)

    def close(self, code: int, reason: str = "") -> None:
        self._close(code, reason, discard_queued=False)

    def close_slow(self) -> None:
        """The outbox's limit was passed: 1013, without what the peer has not begun to read."""
        self._close(CLOSE_OVERLOADED, SLOW_CONSUMER, discard_queued=True)

    def _close(self, code: int, reason: str, *, discard_queued: bool) -> None:
        if self._ended is None and self._connection.closed is not None:
            self._end(self._connection.closed)
        elif self._ended is None:
            self._ended = ConnectionEnded(code, reason)
            self._outbox.close_after(close_frame(code, reason), discard_queued=discard_queued)
            self._stream.close()

    def _end(self, reason: CloseReason | None) -> None:
        """The reading has ended; a violation of the protocol is answered with its code here, the library does not."""
        if self._ended is None:
            self._ended = ConnectionEnded(
                NO_CLOSE_FRAME if reason is None else int(reason.code), (reason and reason.reason) or ""
            )
            if self._outbox.closed:
                return
            if self._ended.code == NO_CLOSE_FRAME:
                self._outbox.abort()
            else:
                self._outbox.close_after(close_frame(self._ended.code, self._ended.reason))


def _size(message: bytes | str) -> int:
    return len(message) if isinstance(message, bytes) or message.isascii() else len(message.encode())


async def accept_websocket(
    nursery: trio.Nursery,
    sock: trio.socket.SocketType,
    outbox: Outbox,
    opening: Opening,
    peer: Peer,
    *,
    max_message_bytes: int,
) -> DirectTransport:
    """Answer a checked handshake with 101; the library's reader runs in `nursery`. No compression is agreed on."""
    stream = _WebSocketStream(sock, canonical_head(opening), outbox)
    request = await wrap_server_stream(
        nursery, stream, message_queue_size=1, max_message_size=max_message_bytes, receive_buffer_size=RECEIVE_BYTES
    )
    connection = await request.accept(subprotocol=opening.subprotocol)
    stream.reader = connection
    return DirectTransport(connection, outbox, stream, peer, max_message_bytes)
