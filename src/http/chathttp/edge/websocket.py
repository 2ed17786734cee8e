"""WebSockets straight on the connection: trio-websocket reads and answers control frames, the outbox writes."""

import socket
from typing import Final

import trio
from trio_websocket import CloseReason, ConnectionClosed, WebSocketConnection, wrap_server_stream
from wsproto.connection import ConnectionType
from wsproto.handshake import H11Handshake

from chathttp.edge.handshake import Opening
from chathttp.edge.outbox import Outbox
from chathttp.edge.outbox_transport import NO_CLOSE_FRAME, OutboxTransport
from chathttp.edge.prefixed import RECEIVE_BYTES, PrefixedStream
from chathttp.edge.refusal import Headers
from chathttp.edge.transport import Peer
from chathttp.errors import CLOSE_TOO_BIG
from chathttp.stomp.websocket_frame import close_frame

MAX_FRAGMENTS: Final = 4096
"""Of one message, counting what was received of it at a time."""
_SPENT: Final = H11Handshake(ConnectionType.SERVER)
"""A handshake that has nothing more to tell, for all connections that are open."""
_HEAD: Final = (
    b"GET / HTTP/1.1\r\nHost: -\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n%b\r\n"
)


def canonical_head(opening: Opening) -> bytes:
    """The checked handshake in as few bytes as it can have, and nothing in it for a second parser to see otherwise."""
    offer = b"" if opening.subprotocol is None else b"Sec-WebSocket-Protocol: %b\r\n" % opening.subprotocol.encode()
    return _HEAD % (opening.key, offer)


class _WebSocketStream(PrefixedStream):
    """The stream below the library, which bounds a message's size but not the number of its fragments."""

    __slots__ = ("reader",)

    def __init__(self, sock: socket.socket, head: bytes, outbox: Outbox) -> None:
        super().__init__(sock, head, outbox)
        self.carries_frames = True
        self.reader: WebSocketConnection | None = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        parts = 0 if self.reader is None else len(self.reader._message_parts)  # pyright: ignore[reportPrivateUsage]  # nothing public tells
        if parts > MAX_FRAGMENTS:
            self.outbox.close_after(close_frame(CLOSE_TOO_BIG, f"a message may have {MAX_FRAGMENTS} fragments"))
            self.close()
        return await super().receive_some(max_bytes)

    def close(self) -> None:
        super().close()
        self.reader = None


class DirectTransport(OutboxTransport):
    """A `FrameTransport` on a connection of its own."""

    __slots__ = ("_connection",)

    def __init__(self, connection: WebSocketConnection, stream: PrefixedStream, peer: Peer, *, max_bytes: int) -> None:
        super().__init__(stream, peer, max_bytes=max_bytes)
        self._connection = connection

    async def receive(self) -> bytes | str:
        if self._ended is None:
            try:
                return self._checked(await self._connection.get_message())
            except ConnectionClosed as closed:
                self._note_end(closed.reason)
        else:
            await trio.lowlevel.checkpoint()
        raise self._end()

    def _close(self, code: int, reason: str, *, discard_queued: bool) -> None:
        if self._ended is None and self._connection.closed is not None:
            self._note_end(self._connection.closed)
        else:
            super()._close(code, reason, discard_queued=discard_queued)

    def _stop_reading(self) -> None:
        self._stream.close()

    def _note_end(self, reason: CloseReason | None) -> None:
        """The library has ended. It answers a close, but leaves a breach of the protocol to be told its code here."""
        if self._ended is None:
            code = NO_CLOSE_FRAME if reason is None else int(reason.code)
            text = (reason and reason.reason) or ""
            self._ended = (code, text)
            self._stream.close()
            if code != NO_CLOSE_FRAME:
                self._outbox.close_after(close_frame(code, text))
            elif not self._outbox.closed:
                self._outbox.abort()


async def accept_websocket(
    nursery: trio.Nursery,
    sock: socket.socket,
    outbox: Outbox,
    opening: Opening,
    peer: Peer,
    headers: Headers,
    *,
    max_message_bytes: int,
) -> DirectTransport:
    """Answer a checked handshake with 101 and `headers`; the library's reader runs in `nursery`. No compression is
    agreed on.
    """
    stream = _WebSocketStream(sock, canonical_head(opening), outbox)
    request = await wrap_server_stream(
        nursery, stream, message_queue_size=1, max_message_size=max_message_bytes, receive_buffer_size=RECEIVE_BYTES
    )
    connection = await request.accept(subprotocol=opening.subprotocol, extra_headers=list(headers))
    stream.reader = connection
    connection._wsproto.handshake = _SPENT  # pyright: ignore[reportPrivateUsage]  # 2 KB that an idle connection needs no more
    return DirectTransport(connection, stream, peer, max_bytes=max_message_bytes)
