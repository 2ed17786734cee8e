"""The edge: every connection of this node, from the listening sockets to an orderly end."""

import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import structlog
import trio
from hypercorn.typing import ASGIFramework

from chatcore.errors import unavailable
from chathttp.edge.admission import Admission, draining
from chathttp.edge.asgi_websocket import AsgiWebSockets
from chathttp.edge.connection import ConnectionHandler, OnSession
from chathttp.edge.handshake import HandshakeRefused, turned_away
from chathttp.edge.hypercorn_seam import HttpServer
from chathttp.edge.lifespan import Lifespan
from chathttp.edge.limits import EdgeLimits
from chathttp.edge.listener import accept_connections, accept_last
from chathttp.edge.outbox import Outbox
from chathttp.edge.refusal import ResponseHeaders, standard_headers
from chathttp.edge.sessions import Sessions
from chathttp.edge.share import ListenerShare
from chathttp.edge.transport import HandshakeInfo, Peer
from chathttp.sockjs.session import HttpSession

SPREAD: Final = 0.8
"""The part of the drain time over which WebSockets are closed; the rest is for their closing handshakes."""
LAST_SECONDS: Final = 0.5
"""For the request of a connection that is accepted last, and for its answer, however short the drain time is."""
_FULL_RETRY_AFTER: Final = 5.0
_STARTING_RETRY_AFTER: Final = 2.0

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class EdgeServer:
    """Serves HTTP with `app` and WebSockets on `websocket_path` with `on_session`, on `listeners`, which it closes.

    `run` is a permanent task. Each connection is a child of its own whose crash touches no other. `drain`, from another
    task, ends `run` in good order; cancelling `run` ends everything at once.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        app: ASGIFramework,
        on_session: OnSession,
        *,
        limits: EdgeLimits | None = None,
        allowed_origins: Collection[str] = (),
        websocket_path: str = "/ws",
        response_headers: ResponseHeaders = standard_headers,
        share: ListenerShare | None = None,
        is_open: Callable[[], bool] = lambda: True,
    ) -> None:
        """`share` is given when others accept from the same listener. No WebSocket is let in until `is_open`."""
        self._is_open = is_open
        self._listeners = listeners
        self._share = share
        self._app = app
        self._limits = limits or EdgeLimits()
        self._sessions = Sessions()
        self._admission = Admission(self._limits.connect_rate, self._limits.connect_burst)
        self._http = HttpServer(AsgiWebSockets(app, lambda: self._handler), self._limits)
        self._handler = ConnectionHandler(
            http=self._http,
            sessions=self._sessions,
            on_session=on_session,
            limits=self._limits,
            websocket_path=websocket_path.encode(),
            allowed_origins=frozenset(allowed_origins),
            response_headers=response_headers,
            let_in=self._let_in,
            start_writer=self._start_writer,
        )
        self._connections = 0
        self._tasks: trio.Nursery | None = None
        """Of the connections and of the writers that some of them have; only while `run` runs."""
        self._ended = trio.Event()
        """Of the next connection that ends."""
        self._accepting = trio.CancelScope()
        self._quiet = trio.Event()
        """Draining, and no WebSocket is left."""
        self._deadline = 0.0
        """Of the drain, on Trio's clock."""
        self._stopped = trio.Event()

    @property
    def connections(self) -> int:
        """Open TCP connections."""
        return self._connections

    @property
    def sessions(self) -> int:
        """Open WebSockets, and sessions on what stands in for them."""
        return len(self._sessions)

    @property
    def sessions_by_transport(self) -> Mapping[str, int]:
        return self._sessions.by_transport

    @property
    def refused(self) -> int:
        """WebSockets that were refused because too many came at once."""
        return self._admission.refused

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until drained. Reports as started when connections are accepted. Raises `LifespanError`."""
        try:
            async with trio.open_nursery() as outer:
                lifespan = Lifespan(self._app)
                await outer.start(lifespan.run)
                async with trio.open_nursery() as self._tasks:
                    with self._accepting:
                        await self._accept(task_status)
                    if self._share is not None:
                        # What waits is for those who share it.
                        self._close_listeners()
                    await self._quiet.wait()
                    await self._end_connections()
                    self._tasks.cancel_scope.cancel()
                await lifespan.stop()
        finally:
            self._close_listeners()
            self._stopped.set()

    async def drain(self, seconds: float) -> None:
        """Let no WebSocket in any more, and close those that are there with 1012, spread over the time; then end.

        Until the last of them has gone HTTP is served on, each connection with its last response, so that whoever asks
        whether this server is ready is told that it is not. The end: what waits to be accepted is, requests in flight
        finish, and `run` returns. What is left after `seconds` is cut off. Where the listener is shared, what waits is
        left to the others, from the beginning on when they stay.
        """
        self._deadline = trio.current_time() + seconds
        self._http.close_with_responses()
        if self._share is not None and self._share.leaving:
            self._accepting.cancel()
        try:
            with trio.move_on_at(self._deadline):
                await self._sessions.drain(SPREAD * seconds)
                await self._sessions.wait_none()
        finally:
            self._quiet.set()
            self._accepting.cancel()
        await self._stopped.wait()

    def open_session(self, session: HttpSession, handshake: HandshakeInfo, forget: Callable[[], None]) -> None:
        """Run a session that has no connection of its own; `forget` is called when nobody comes for it any more.

        Raises `ChatError` (503) when it may not be opened. Where others accept from the same listener it never may:
        its client's next request could come to any of them.
        """
        if self._tasks is None:
            raise draining()
        if self._share is not None:
            raise unavailable("Sessions over HTTP need a server with one worker", retry_after=_FULL_RETRY_AFTER)
        try:
            self._let_in()
        except HandshakeRefused as refused:
            raise refused.error from None
        self._tasks.start_soon(self._run_session, session, handshake, forget, name=f"session over {session.name}")

    async def _run_session(self, session: HttpSession, handshake: HandshakeInfo, forget: Callable[[], None]) -> None:
        try:
            await self._sessions.run(session, self._handler.on_session(session, handshake), session.wait_told)
            await session.wait_forgotten()
        except Exception:
            _log.exception("session failed")
        finally:
            forget()

    async def _accept(self, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as accepting:
            for listener in self._listeners:
                accepting.start_soon(accept_connections, listener, self._admit, self._start, self._share)
            self._count(0)
            task_status.started()

    def _start(self, sock: socket.socket, peer: Peer) -> None:
        assert self._tasks is not None
        self._count(1)
        self._tasks.start_soon(self._serve, sock, peer, name=f"connection {peer.host}:{peer.port}")

    def _count(self, change: int) -> None:
        self._connections += change
        if self._share is not None and not self._accepting.cancel_called:
            self._share.hold(self._connections)

    async def _admit(self) -> None:
        while self._connections >= self._limits.max_connections + self._limits.http_reserve:
            await self._ended.wait()

    def _let_in(self) -> None:
        if self._sessions.draining:
            raise HandshakeRefused(503, draining())
        if not self._is_open():
            raise turned_away("This server starts", _STARTING_RETRY_AFTER)
        if max(self._connections, len(self._sessions) + 1) > self._limits.max_connections:
            raise turned_away("This server has all the connections it can take", _FULL_RETRY_AFTER)
        retry_after = self._admission.try_enter()
        if retry_after is not None:
            raise turned_away("Too many connect at once", retry_after)

    async def _serve(self, sock: socket.socket, peer: Peer) -> None:
        try:
            await self._handler.serve(sock, peer)
        finally:
            self._count(-1)
            ended, self._ended = self._ended, trio.Event()
            ended.set()

    def _start_writer(self, outbox: Outbox) -> None:
        if self._tasks is not None:
            self._tasks.start_soon(self._write, outbox, name=f"writer {outbox.peer}")

    async def _write(self, outbox: Outbox) -> None:
        try:
            await outbox.run_writer()
        except Exception:
            _log.exception("writer failed")

    async def _end_connections(self) -> None:
        async with trio.open_nursery() as accepting:
            for listener in self._listeners:
                if listener.fileno() >= 0:
                    accepting.start_soon(accept_last, listener, self._start)
        self._close_listeners()
        await self._http.drain()
        last = trio.current_time() + LAST_SECONDS
        with trio.move_on_at(max(self._deadline, last)):
            with trio.move_on_at(last):
                while self._handler.has_silent:
                    await self._ended.wait()
            self._handler.end_silent()
            while self._connections:
                await self._ended.wait()

    def _close_listeners(self) -> None:
        if self._share is not None:
            self._share.step_back()
        for listener in self._listeners:
            if listener.fileno() >= 0:
                trio.lowlevel.notify_closing(listener)
                listener.close()
