"""Requests whose bodies are too large for memory: read as they come, and no faster than they are used."""

from collections.abc import Generator
from contextlib import ExitStack
from math import inf
from typing import Any, Final, NoReturn, Self

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
from quart.wrappers import Request
from quart_trio.asgi import TrioASGIHTTPConnection
from quart_trio.wrappers.request import TrioBody

from actors.attachments.links import PATH
from chatcore.errors import ChatError, ErrorCode

WINDOW: Final = 262_144
"""Bytes of a body that are held; more of it is not read then."""


class StreamedBody(TrioBody):
    """A body to iterate over, once. `until_sent` is closed when the answer has been sent, or cannot be."""

    def __init__(self) -> None:
        super().__init__(None, None)
        self._held = bytearray()
        self._ended = False
        self._changed = trio.Event()
        self.stall_timeout = inf
        """Seconds that the next piece may take."""
        self.until_sent = ExitStack()

    def append(self, data: bytes) -> None:
        self._held += data
        self._change()

    def set_complete(self) -> None:
        self._ended = True
        self._change()

    async def wait_room(self) -> None:
        while len(self._held) >= WINDOW:
            await self._changed.wait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Raises `ChatError` when nothing comes in time."""
        with trio.move_on_after(self.stall_timeout) as patience:
            while not (self._held or self._ended):
                await self._changed.wait()
        if patience.cancelled_caught:
            raise ChatError(ErrorCode.VALIDATION_ERROR, "The body did not come in time")
        if not self._held:
            raise StopAsyncIteration
        data = bytes(self._held)
        self._held.clear()
        self._change()
        return data

    async def drop_rest(self) -> None:
        """Wait for all of it, and keep none."""
        while not self._ended:
            if self._held:
                self.clear()
            else:
                await self._changed.wait()
        self.clear()

    def __await__(self) -> Generator[Any, None, NoReturn]:
        raise TypeError("this body is streamed")

    def clear(self) -> None:
        self._held.clear()
        self._change()

    def _change(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()


class StreamingConnection(TrioASGIHTTPConnection):
    """Gives requests to paths under `/files/` a `StreamedBody`, and reads from the peer only while that has room."""

    def _create_request_from_scope(self, send: ASGISendCallable) -> Request:
        request = super()._create_request_from_scope(send)
        if request.path.startswith(PATH):
            request.body = StreamedBody()
        return request

    async def handle_messages(self, nursery: trio.Nursery, request: Request, receive: ASGIReceiveCallable) -> None:
        body = request.body
        if not isinstance(body, StreamedBody):
            await super().handle_messages(nursery, request, receive)
            return
        while True:
            message = await receive()
            match message["type"]:
                case "http.request":
                    body.append(message["body"])
                    if not message["more_body"]:
                        body.set_complete()
                    await body.wait_room()
                case "http.disconnect":
                    nursery.cancel_scope.cancel()
                    return
                case _:
                    continue

    async def handle_request(self, nursery: trio.Nursery, request: Request, send: ASGISendCallable) -> None:
        body = request.body
        try:
            await super().handle_request(nursery, request, send)
        finally:
            if isinstance(body, StreamedBody):
                body.until_sent.close()
