"""SockJS's own framing on a WebSocket, which is served by a transport of the edge."""

import re
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Final

import trio

from actors.conversation.subscription import Outlet
from chathttp.edge.transport import ConnectionEnded, FrameTransport
from chathttp.errors import CLOSE_MALFORMED, CLOSE_TOO_BIG
from chathttp.sockjs.codec import (
    HEARTBEAT,
    MOST_GROWTH,
    OPEN,
    BrokenMessages,
    close_frame,
    decode_messages,
    message_in_websocket,
)
from chathttp.sockjs.limits import SockjsLimits
from chathttp.stomp.websocket_frame import text_frame

_SESSION: Final = re.compile(rb"/[^/.]+/[^/.]+/websocket")
_RAW: Final = b"/websocket"
_BRACKETS: Final = 64
"""Bytes beside the texts in a message that has one."""


class Framing(Enum):
    PLAIN = "STOMP straight in the WebSocket's messages"
    SOCKJS = "SockJS's frames in them"


def framing_of(path: bytes, base: bytes) -> Framing | None:
    """What is spoken on a WebSocket at `path`, when the endpoint is `base`; None when there is none."""
    if path == base:
        return Framing.PLAIN
    if not path.startswith(base):
        return None
    rest = path[len(base) :]
    if rest == _RAW:
        return Framing.PLAIN
    return Framing.SOCKJS if _SESSION.fullmatch(rest) else None


def message_bytes(framing: Framing, max_frame_bytes: int) -> int:
    """The most that one WebSocket message may have, for a STOMP frame of `max_frame_bytes`."""
    return max_frame_bytes if framing is Framing.PLAIN else MOST_GROWTH * max_frame_bytes + _BRACKETS


class SockjsWebSocket:
    """A `FrameTransport` around another."""

    name = "sockjs websocket"
    frame = staticmethod(message_in_websocket)

    def __init__(self, inner: FrameTransport, limits: SockjsLimits) -> None:
        self.peer = inner.peer
        self._inner = inner
        self._limits = limits
        self._messages: deque[str] = deque()
        self._beat_at = trio.current_time() + limits.heartbeat
        inner.offer(text_frame(OPEN))

    @property
    def on_drained(self) -> Callable[[], None] | None:
        return self._inner.on_drained

    @on_drained.setter
    def on_drained(self, hook: Callable[[], None] | None) -> None:
        self._inner.on_drained = hook

    @property
    def last_received(self) -> float:
        return self._inner.last_received

    @property
    def queued_bytes(self) -> int:
        return self._inner.queued_bytes

    @property
    def closed(self) -> bool:
        return self._inner.closed

    @property
    def outlet(self) -> Outlet:
        return self._inner.outlet

    def offer(self, frames: bytes) -> bool:
        return self._inner.offer(frames)

    async def send(self, frames: bytes) -> None:
        await self._inner.send(frames)

    async def receive(self) -> bytes | str:
        while not self._messages:
            await self._receive_some()
        message = self._messages.popleft()
        if len(message.encode()) > self._limits.max_frame_bytes:
            self._messages.clear()
            reason = f"a message may have {self._limits.max_frame_bytes} bytes"
            self.close(CLOSE_TOO_BIG, reason)
            raise ConnectionEnded(CLOSE_TOO_BIG, reason)
        if self._inner.closed:
            self._messages.clear()
            return await self._inner.receive()
        return message

    def ping(self) -> None:
        self._inner.ping()

    def close(self, code: int, reason: str = "") -> None:
        if not self._inner.closed:
            self._inner.offer(text_frame(close_frame(code, reason)))
        self._inner.close(code, reason)

    async def _receive_some(self) -> None:
        with trio.move_on_at(self._beat_at) as until_beat:
            data = await self._inner.receive()
            try:
                self._messages.extend(decode_messages(data))
            except BrokenMessages:
                self.close(CLOSE_MALFORMED, "Broken JSON encoding")
        if until_beat.cancelled_caught or trio.current_time() >= self._beat_at:
            self._inner.offer(text_frame(HEARTBEAT))
            self._beat_at = trio.current_time() + self._limits.heartbeat
