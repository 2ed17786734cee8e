"""The WebSocket sessions of this node: run in isolation, closed together."""

import random
from collections.abc import Awaitable
from typing import Final

import structlog
import trio

from chathttp.edge.transport import FrameTransport
from chathttp.errors import CLOSE_DRAIN, CLOSE_INTERNAL

BATCH_SECONDS: Final = 0.05
"""Sockets that are to be closed within this time of each other are closed together."""
_NORMAL: Final = 1000
_DRAIN_REASON: Final = "the server restarts"

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)
_random: Final = random.SystemRandom()


class Sessions:
    """Which transports are open. Once `drain` was called a new one is closed at once."""

    def __init__(self) -> None:
        self._open: set[FrameTransport] = set()
        self._none = trio.Event()
        self.draining = False

    def __len__(self) -> int:
        return len(self._open)

    async def run(self, transport: FrameTransport, session: Awaitable[None]) -> None:
        """Run `session` and close its transport: 1011 when it crashes, which is logged and touches nobody."""
        self._open.add(transport)
        if self.draining:
            transport.close(CLOSE_DRAIN, _DRAIN_REASON)
        try:
            await session
        except Exception:
            _log.exception("session failed", peer=transport.peer.host)
            transport.close(CLOSE_INTERNAL, "internal error")
        else:
            transport.close(_NORMAL)
        finally:
            self._open.discard(transport)
            if not self._open:
                self._none.set()

    async def drain(self, seconds: float) -> None:
        """Close all with 1012, in random order and evenly over `seconds`, so that they do not come back all at once."""
        self.draining = True
        transports = list(self._open)
        _random.shuffle(transports)
        began = trio.current_time()
        for number, transport in enumerate(transports):
            at = began + seconds * (number + _random.random()) / len(transports)
            if at - trio.current_time() > BATCH_SECONDS:
                await trio.sleep_until(at)
            transport.close(CLOSE_DRAIN, _DRAIN_REASON)

    async def wait_none(self) -> None:
        """Return when none is open."""
        while self._open:
            self._none = trio.Event()
            await self._none.wait()
