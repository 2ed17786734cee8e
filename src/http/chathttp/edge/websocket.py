"""WebSockets straight on the connection: read in the session's own task, written by the outbox."""

import socket
from contextlib import suppress
from typing import Final

import trio

from chathttp.edge.handshake import Opening, switching_protocols
from chathttp.edge.messages import Ending, Item, MessageReader, Ping
from chathttp.edge.outbox import Outbox
from chathttp.edge.outbox_transport import NO_CLOSE_FRAME, OutboxTransport
from chathttp.edge.refusal import Headers
from chathttp.edge.transport import Peer
from chathttp.stomp.websocket_frame import close_frame

RECEIVE_BYTES: Final = 65_536
NO_STATUS: Final = 1005
"""The code of a close frame without one (RFC 6455, section 7.1.5)."""
_EMPTY_CLOSE: Final = b"\x88\x00"
_PONG: Final = b"\x8a"
_buffer: Final = memoryview(bytearray(RECEIVE_BYTES))
"""Received into by all: what came is copied out of it before anything else runs."""


class DirectTransport(OutboxTransport):
    """A `FrameTransport` on a connection of its own. An idle one keeps neither a reader nor a buffer."""

    __slots__ = ("_items", "_last_received", "_reader", "_sock")

    def __init__(self, sock: socket.socket, outbox: Outbox, peer: Peer, *, max_bytes: int) -> None:
        super().__init__(outbox, peer, max_bytes=max_bytes)
        self._sock = sock
        self._reader: MessageReader | None = None
        self._items: list[Item] | None = None
        """What came with the message that was given last, the next one at the end."""
        self._last_received = trio.current_time()

    @property
    def last_received(self) -> float:
        return self._last_received

    async def receive(self) -> bytes | str:
        """A checkpoint when nothing is at hand; of what was received together the rest is given without."""
        if self._ended is not None:
            await trio.lowlevel.checkpoint()
        while self._ended is None:
            if self._items is None:
                # The wait is here and not in a function of its own: each call in which a task waits is memory.
                try:
                    await trio.lowlevel.wait_readable(self._sock)
                except trio.ClosedResourceError:
                    continue
                self._take_in()
                continue
            item = self._items.pop()
            if not self._items:
                self._items = None
            if isinstance(item, Ping):
                await self._pong(item.payload)
            elif isinstance(item, Ending):
                self._answer(item)
            else:
                return self._checked(item)
        raise self._end()

    def _take_in(self) -> None:
        """Read what the socket has."""
        try:
            size = self._sock.recv_into(_buffer)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            self._ended = (NO_CLOSE_FRAME, "")
            if not self._outbox.closed:
                self._outbox.abort()
            return
        self._last_received = trio.current_time()
        reader = self._reader or MessageReader(self._max_bytes)
        items = reader.feed(bytes(_buffer[:size]))
        self._reader = None if reader.idle else reader
        if items:
            items.reverse()
            self._items = items

    async def _pong(self, payload: bytes) -> None:
        """Waits for a peer that does not read, and so reads no more of its pings."""
        with suppress(trio.ClosedResourceError, trio.BrokenResourceError):
            await self._outbox.send(_PONG + bytes([len(payload)]) + payload)

    def _answer(self, ending: Ending) -> None:
        self._ended = (ending.code, ending.reason)
        self._outbox.close_after(_EMPTY_CLOSE if ending.code == NO_STATUS else close_frame(ending.code, ending.reason))

    def _stop_reading(self) -> None:
        trio.lowlevel.notify_closing(self._sock)


def accept_websocket(
    sock: socket.socket, outbox: Outbox, opening: Opening, peer: Peer, headers: Headers, *, max_message_bytes: int
) -> DirectTransport:
    """Answer a checked handshake with 101 and `headers`. No compression is agreed on."""
    outbox.offer(switching_protocols(opening, headers))
    return DirectTransport(sock, outbox, peer, max_bytes=max_message_bytes)
