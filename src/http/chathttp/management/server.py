"""The management listener: loopback only, for it asks nobody who he is."""

import socket
from collections.abc import Callable
from typing import Final

import structlog
import trio

from chathttp.edge.limits import EdgeLimits
from chathttp.edge.listener import open_listener
from chathttp.edge.server import EdgeServer
from chathttp.edge.transport import FrameTransport, HandshakeInfo
from chathttp.errors import CLOSE_POLICY
from chathttp.management.app import ManagementApp
from chathttp.management.metrics import Metrics, NodeFigures

LOOPBACK: Final = "127.0.0.1"
CONNECTIONS: Final = 16
"""Held at once; more wait in the kernel's backlog."""
_NO_WEBSOCKETS: Final = ""
"""No path that HTTP allows, so that an upgrade is answered as any other path."""

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chathttp.management")


class ManagementServer:
    """Listens from the start on, on 127.0.0.1; port 0 takes any free one. Raises `OSError` when it cannot be had.

    `run` is a permanent task: cancelling it ends everything at once, whatever a client is at, and it may be run again.
    """

    def __init__(self, port: int, read: Callable[[], NodeFigures]) -> None:
        self._metrics = Metrics(read)
        self._listener: socket.socket | None = open_listener(LOOPBACK, port)
        self.port: Final[int] = self._listener.getsockname()[1]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Reports as started when connections are accepted."""
        server = EdgeServer(
            [self._take_listener()],
            ManagementApp(self._metrics),
            _refuse_session,
            limits=EdgeLimits(max_connections=CONNECTIONS, http_reserve=0),
            websocket_path=_NO_WEBSOCKETS,
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            _log.info("management", url=f"http://{LOOPBACK}:{self.port}")
            task_status.started()

    def close(self) -> None:
        """Of use when it was never run."""
        if self._listener is not None:
            self._listener.close()

    def _take_listener(self) -> socket.socket:
        listener, self._listener = self._listener, None
        return open_listener(LOOPBACK, self.port) if listener is None else listener


async def _refuse_session(transport: FrameTransport, _handshake: HandshakeInfo) -> None:
    transport.close(CLOSE_POLICY)
