"""What a STOMP session talks to, whichever way its client came in."""

from collections.abc import Callable
from typing import Protocol

from attrs import frozen

from actors.conversation.subscription import Outlet


@frozen
class Peer:
    """The raw address of the other end of the TCP connection; behind a proxy it is the proxy's."""

    host: str
    port: int


@frozen
class HandshakeInfo:
    """The request that opened a WebSocket. Keep what is needed of it, not the whole: it is as big as its headers."""

    path: str
    query: bytes
    """What follows `?`, still percent-encoded."""
    headers: tuple[tuple[bytes, bytes], ...]
    """Names in lower case, in the order they came."""
    subprotocol: str | None
    """The one that was agreed."""
    peer: Peer

    def header(self, name: bytes) -> bytes | None:
        """The first header called `name`, which is in lower case."""
        return next((value for key, value in self.headers if key == name), None)


class ConnectionEnded(Exception):  # an end, not always an error
    """The WebSocket is over. `code` is the close code, 1006 when the connection was lost without one."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class FrameTransport(Protocol):
    """One WebSocket, or what stands in for one. All but `send` and `receive` never wait, and any task may call it."""

    peer: Peer

    @property
    def name(self) -> str:
        """Which kind it is, for those who watch the node."""
        ...

    @property
    def on_drained(self) -> Callable[[], None] | None:
        """Called each time everything queued has been written to the socket; it must not raise."""
        ...

    @on_drained.setter
    def on_drained(self, hook: Callable[[], None] | None) -> None: ...

    @property
    def last_received(self) -> float:
        """When the last byte came in, on Trio's clock."""
        ...

    @property
    def queued_bytes(self) -> int:
        """Bytes of offers that the socket has not taken yet."""
        ...

    @property
    def closed(self) -> bool:
        """Offers are dropped from now on."""
        ...

    @property
    def frame(self) -> Callable[[bytes], bytes]:
        """From UTF-8 bytes to one text message, ready for `offer`, `send` and the outlet; such messages may be joined.

        One and the same function for all transports that take the same bytes, so that these are made once.
        """
        ...

    @property
    def outlet(self) -> Outlet:
        """For live frames. Over the outbox's limit the connection is closed with 1013; from then on, and once closed,
        they are dropped.
        """
        ...

    def offer(self, frames: bytes) -> bool:
        """`outlet.offer`. When it is not True `on_drained` will tell that all has been written."""
        ...

    async def send(self, frames: bytes) -> None:
        """Write ready frames after all that was offered before, waiting as long as the peer is slow.

        Raises `ConnectionEnded`.
        """
        ...

    async def receive(self) -> bytes | str:
        """The next message, text as `str` and binary as `bytes`. Raises `ConnectionEnded`."""
        ...

    def ping(self) -> None:
        """Send a WebSocket ping; the pong shows in `last_received` only."""
        ...

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake after what is queued; `receive` ends. Only the first call counts."""
        ...
