"""A stream over a connection whose request head has been read already, and whose only writer is an outbox."""

import socket
from contextlib import suppress
from typing import Final

import trio

from chathttp.edge.outbox import Outbox

RECEIVE_BYTES: Final = 4096


class PrefixedStream(trio.abc.HalfCloseableStream):
    """Gives `head` back first. Everything sent goes through the outbox, so that it never mingles with offers.

    Closing ends both directions for the user of the stream at once; the socket itself, and what the outbox still has
    to write, stay with the connection that owns it.
    """

    __slots__ = ("_closed", "_head", "_outbox", "_sock", "last_received")

    def __init__(self, sock: trio.socket.SocketType, head: bytes, outbox: Outbox) -> None:
        self._sock = sock
        self._head = head
        self._outbox = outbox
        self._closed = False
        self.last_received = trio.current_time()
        """When the last byte came in, on Trio's clock."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        size = max_bytes or RECEIVE_BYTES
        if self._head:
            await trio.lowlevel.checkpoint()
            data, self._head = self._head[:size], self._head[size:]
            return data
        if self._closed:
            await trio.lowlevel.checkpoint()
            raise trio.ClosedResourceError("the stream is closed")
        try:
            data = await self._sock.recv(size)
        except OSError as error:
            raise trio.BrokenResourceError("the connection is lost") from error
        self.last_received = trio.current_time()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._outbox.send(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        await self._outbox.wait_drained()

    async def send_eof(self) -> None:
        await self._outbox.wait_drained()
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """As `aclose`, from anywhere: who waits in `receive_some` gets `trio.ClosedResourceError`."""
        if not self._closed:
            self._closed = True
            self._head = b""
            trio.lowlevel.notify_closing(self._sock)

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()
