"""The sessions of this node, on WebSockets and what stands in for them: run in isolation, closed together."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
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
        self.by_transport = Counter[str]()
        """How many are open of each kind."""
        self._none = trio.Event()
        self.draining = False

    def __len__(self) -> int:
        return len(self._open)

    async def run(
        self, transport: FrameTransport, session: Awaitable[None], told: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Run `session` and close its transport: 1011 when it crashes, which is logged and touches nobody.

        It counts as open until `told` returns, which waits for the client to know.
        """
        self._open.add(transport)
        self.by_transport[transport.name] += 1
        if self.draining:
            transport.close(CLOSE_DRAIN, _DRAIN_REASON)
        try:
            await self._run(transport, session)
            if told is not None:
                await told()
        finally:
            self.by_transport[transport.name] -= 1
            self._open.discard(transport)
            if not self._open:
                self._none.set()

    async def _run(self, transport: FrameTransport, session: Awaitable[None]) -> None:
        try:
            await session
        except Exception:
            _log.exception("session failed", peer=transport.peer.host)
            transport.close(CLOSE_INTERNAL, "internal error")
        else:
            transport.close(_NORMAL)

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
