"""How each of SockJS's transports over HTTP puts frames into its responses."""

from types import TracebackType
from typing import Final, Self

from attrs import frozen
from quart.wrappers.response import ResponseBody

from chathttp.edge.outbox import Outbox
from chathttp.edge.transport import Peer
from chathttp.sockjs.codec import close_frame
from chathttp.sockjs.session import STILL_OPEN, HttpSession, Out


@frozen
class Style:
    """`prelude` comes first in each response. One that does not `stream` has one frame."""

    name: str
    content_type: str
    prelude: bytes
    before: bytes
    after: bytes
    streams: bool


_SCRIPT: Final = "application/javascript; charset=UTF-8"
XHR: Final = Style("xhr", _SCRIPT, b"", b"", b"\n", streams=False)
XHR_STREAMING: Final = Style("xhr_streaming", _SCRIPT, b"h" * 2048 + b"\n", b"", b"\n", streams=True)
"""Browsers show nothing of a response before its first 2 KiB."""
EVENT_SOURCE: Final = Style(
    "eventsource", "text/event-stream; charset=UTF-8", b"\r\n", b"data: ", b"\r\n\r\n", streams=True
)


class Receiving(ResponseBody):
    """One response. Entered when it starts and left when it is over; `outbox` is its connection's."""

    def __init__(self, session: HttpSession, style: Style, peer: Peer, outbox: Outbox, *, most_bytes: int) -> None:
        self._session = session
        self._style = style
        self._peer = peer
        self._outbox = outbox
        self._left = most_bytes if style.streams else 1
        self._attached = False
        self._to_write: bytes = style.prelude
        self._out: Out | None = None

    async def __aenter__(self) -> Self:
        self._attached = self._session.attach(self._peer)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._attached:
            self._session.detach(interrupted=exc_type is not None or self._outbox.dead)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next piece; that it is asked for says that the one before has been written."""
        if self._to_write:
            data, self._to_write = self._to_write, b""
            return data
        if self._outbox.dead:
            raise StopAsyncIteration
        if self._out is not None and self._attached:
            self._session.written()
        if self._left <= 0 or (self._out is not None and self._out.ends):
            raise StopAsyncIteration
        self._out = await self._session.next_out() if self._attached else Out(close_frame(*STILL_OPEN), ends=True)
        data = self._style.before + self._out.frame + self._style.after
        self._left -= len(data)
        return data
