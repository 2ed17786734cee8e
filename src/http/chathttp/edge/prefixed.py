"""A stream over a connection whose request head has been read already, and whose only writer is an outbox."""

import socket
from contextlib import suppress
from typing import Final

import trio

from chathttp.edge.outbox import Outbox

RECEIVE_BYTES: Final = 4096
_CLOSE: Final = 0x88
_NO_CODE: Final = 1005


class PrefixedStream(trio.abc.HalfCloseableStream):
    """Gives `head` back first. Everything sent goes through the outbox, so that it never mingles with offers.

    Closing ends both directions for the user of the stream at once; the socket itself, and what the outbox still has
    to write, stay with the connection that owns it.
    """

    __slots__ = ("_closed", "_head", "_sock", "carries_frames", "close_sent", "last_received", "outbox")

    def __init__(self, sock: socket.socket, head: bytes, outbox: Outbox) -> None:
        self._sock = sock
        self._head = head
        self.outbox = outbox
        self._closed = False
        self.carries_frames = False
        """What is sent are whole WebSocket frames; a close frame among them is the connection's last."""
        self.close_sent: int | None = None
        """The code of that close frame, 1005 if it has none."""
        self.last_received = trio.current_time()
        """When the last byte came in, on Trio's clock."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        size = max_bytes or RECEIVE_BYTES
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self._closed:
            data = self._take(size)
            if data is not None:
                await trio.lowlevel.cancel_shielded_checkpoint()
                return data
            await trio.lowlevel.wait_readable(self._sock)
        raise trio.ClosedResourceError("the stream is closed")

    def _take(self, size: int) -> bytes | None:
        """What is there; None when nothing has come yet."""
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        try:
            data = self._sock.recv(size)
        except BlockingIOError:
            return None
        except OSError as error:
            raise trio.BrokenResourceError("the connection is lost") from error
        self.last_received = trio.current_time()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Raises `trio.BrokenResourceError` when the connection is lost.

        Once a WebSocket is closing, what comes is dropped.
        """
        if not self.carries_frames:
            await self.outbox.send(bytes(data))
        elif data[0] == _CLOSE:
            if not self.outbox.closed:
                self.close_sent = int.from_bytes(data[2:4], "big") or _NO_CODE
                self.outbox.close_after(bytes(data))
            await trio.lowlevel.checkpoint()
        else:
            with suppress(trio.ClosedResourceError):
                await self.outbox.send(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        await self.outbox.wait_drained()

    async def send_eof(self) -> None:
        await self.outbox.wait_drained()
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
