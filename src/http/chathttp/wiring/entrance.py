"""What clients meet at a node from the moment its port is open: at first only its health."""

from hypercorn.typing import ASGIFramework, ASGIReceiveCallable, ASGISendCallable, Scope

from chathttp.edge.connection import OnSession
from chathttp.edge.transport import FrameTransport, HandshakeInfo


class Entrance:
    """An ASGI application and the sessions beside it: until `open`, the application of a node that cannot serve yet.

    The lifespan is that of `starting`; whoever opens it runs that of the other application.
    """

    def __init__(self, starting: ASGIFramework) -> None:
        self._app = starting
        self._on_session: OnSession | None = None

    @property
    def is_open(self) -> bool:
        """Whether sessions may begin."""
        return self._on_session is not None

    def open(self, app: ASGIFramework, on_session: OnSession) -> None:
        self._app, self._on_session = app, on_session

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await self._app(scope, receive, send)

    async def on_session(self, transport: FrameTransport, handshake: HandshakeInfo) -> None:
        assert self._on_session is not None
        await self._on_session(transport, handshake)
