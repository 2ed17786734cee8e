"""The management port: a thread with a loop of its own, so that it answers whatever the node's loop is at.

It listens where only this machine reaches it: on a loopback address or a Unix socket.
"""

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import structlog
import trio
from attrs import frozen

from actors.runtime.events import EventKind, SupervisorEvent
from chatconsole.api.loop import Ended
from chatconsole.beacon import Beacon, lit
from chatcore.errors import unavailable
from chathttp.edge.hypercorn_seam import HttpServer
from chathttp.edge.limits import EdgeLimits
from chathttp.edge.outbox import Outbox
from chathttp.edge.prefixed import PrefixedStream
from chathttp.edge.transport import Peer
from chathttp.management.access import Access, url_of
from chathttp.management.actions import Actions
from chathttp.management.app import ManagementApp
from chathttp.management.console import Console
from chathttp.management.crossing import Crossing, LoopBlockedError
from chathttp.management.following import following
from chathttp.management.inspector import Inspector, LoopFacts
from chathttp.management.local_socket import open_socket, peer_of
from chathttp.management.metrics import Metrics, NodeFigures
from chathttp.management.observer import Observer
from chathttp.management.places import failure
from chathttp.management.repl import Repl, ReplLimits
from chathttp.management.sources import Sources
from chathttp.management.traffic import Names
from chathttp.management.watchdog import Watchdog
from chathttp.node_log import report
from chathttp.settings import Settings

CONNECTIONS: Final = 16
"""Held at once; more wait in the kernel's backlog."""
PATIENCE: Final = 0.25
"""Seconds in which the node's loop takes a question, or counts as blocked."""
END_SECONDS: Final = 5.0
"""For the thread to end."""
_LIMITS: Final = EdgeLimits(max_frame_bytes=65_536, keep_alive_timeout=10.0)
_ENDS: Final = (EventKind.CRASHED, EventKind.QUARANTINED, EventKind.ESCALATED, EventKind.OVERDUE, EventKind.RETURNED)
_SCRAPE_TIMEOUT: Final = 10.0

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chathttp.management")


class Node(Protocol):
    """What is looked at; in the node's loop only."""

    @property
    def url(self) -> str:
        """Where it serves."""
        ...

    def sources(self) -> Sources: ...

    def figures(self) -> NodeFigures: ...


@frozen(kw_only=True)
class ManagementOptions:
    """`host` is a loopback address, or the absolute path of a Unix socket. Without `data_dir` no console finds it by
    itself. `stall_threshold` is in seconds.
    """

    host: str = "127.0.0.1"
    port: int = 0
    data_dir: Path | None = None
    read_only: bool = False
    repl: ReplLimits | None = None
    stall_threshold: float = 0.1

    @classmethod
    def of(cls, settings: Settings) -> "ManagementOptions":
        return cls(
            host=settings.management_host,
            port=settings.management_port,
            data_dir=settings.data_dir,
            read_only=settings.console_read_only,
            repl=_repl_limits(settings),
            stall_threshold=settings.stall_threshold,
        )


class ManagementServer:
    """Listens from the start on; port 0 takes any free one. Raises `OSError` when it cannot be had.

    `run` is a permanent task: cancelling it ends everything at once, whatever a client is at, and it may be run again.
    """

    def __init__(
        self,
        options: ManagementOptions,
        node: Callable[[], Node],
        drain: Callable[[], None],
    ) -> None:
        self._options = options
        self._node = node
        self._drain = drain
        self._access = Access(secrets.token_urlsafe(24))
        self._secret = secrets.token_bytes(16)
        self.observer: Final = Observer()
        self.watchdog: Final = Watchdog(options.stall_threshold)
        self._listener: socket.socket | None = open_socket(options.host, options.port)
        self.port: Final[int] = 0 if options.host.startswith("/") else self._listener.getsockname()[1]
        self.url: Final = url_of(options.host, self.port)

    def report(self, event: SupervisorEvent) -> None:
        """Note what supervisors report, in the log and for who watches."""
        report(event)
        if event.kind in _ENDS:
            why = event.kind.value if event.delay is None else f"{event.kind.value} for {event.delay:.3g} s"
            failed = None if event.error is None else failure(event.error)
            name = f"{event.supervisor}/{event.child}" if "/" not in event.child else event.child
            self.observer.ended.append(Ended(time.time(), "actor", name, why, failed))

    @property
    def token(self) -> str:
        return self._access.token

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Reports as started when connections are accepted."""
        crossing = Crossing(patience=PATIENCE)
        app = self._app(crossing)
        listener = self._take_listener()
        stop_watching = self.watchdog.start()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(crossing.run)
                thread = _Thread(listener, app)
                await nursery.start(thread.run)
                with self._beacon() as file:
                    _log.info("management", url=self.url, token=self._access.token, file=file, page=self._page_link())
                    task_status.started()
                    await trio.sleep_forever()
        finally:
            stop_watching()
            if self._options.host.startswith("/"):
                with contextlib.suppress(OSError):
                    os.unlink(self._options.host)

    def _page_link(self) -> str | None:
        """The web page with the token, which the page takes out of the address; None where no browser gets."""
        return f"{self.url}/#token={self._access.token}" if self.port else None

    def close(self) -> None:
        """Of use when it was never run."""
        if self._listener is not None:
            self._listener.close()

    def _app(self, crossing: Crossing) -> ManagementApp:
        """Made in the node's loop, for the thread."""
        sources = self._node().sources()
        root = trio.lowlevel.current_root_task()
        assert root is not None
        names = Names(self._secret)
        facts = LoopFacts(root, threading.get_ident(), trio.lowlevel.current_clock().current_time)
        inspector = Inspector(
            sources,
            self.observer,
            self.watchdog,
            url=self.url,
            read_only=self._options.read_only,
            repl=self._options.repl is not None,
            names=names,
        )
        actions = Actions(
            sources,
            inspector.look,
            self._drain,
            self._options.data_dir or Path(),
            read_only=self._options.read_only,
        )

        async def read() -> NodeFigures:
            return self._node().figures()

        async def scrape() -> NodeFigures:
            try:
                return await crossing.call(read, timeout=_SCRAPE_TIMEOUT)
            except LoopBlockedError:
                raise unavailable("The event loop is blocked") from None

        follow = partial(following, crossing, sources.tracer, names)
        limits = self._options.repl
        known = {"node": self._node(), "sources": sources}
        repl = None if limits is None else partial(Repl, crossing, limits, known)
        console = Console(crossing, inspector, self.observer, actions, facts, follow, repl)
        return ManagementApp(Metrics(scrape), console, self._access)

    def _beacon(self) -> contextlib.AbstractContextManager[str | None]:
        options = self._options
        if options.data_dir is None:
            return contextlib.nullcontext()
        beacon = Beacon(os.getpid(), options.host, self.port, self._access.token, time.time(), self._node().url)
        return _lit_if_possible(options.data_dir, beacon)

    def _take_listener(self) -> socket.socket:
        listener, self._listener = self._listener, None
        return open_socket(self._options.host, self.port) if listener is None else listener


@contextlib.contextmanager
def _lit_if_possible(data_dir: Path, beacon: Beacon) -> Generator[str | None]:
    with contextlib.ExitStack() as stack:
        try:
            path = str(stack.enter_context(lit(data_dir, beacon)))
        except OSError as error:
            _log.warning("no console finds this node by itself", reason=str(error))
            path = None
        yield path


def _repl_limits(settings: Settings) -> ReplLimits | None:
    """None where it may not be had."""
    allowed = settings.profile != "production" or settings.console_repl_in_production
    if not settings.console_repl or settings.console_read_only or not allowed:
        return None
    return ReplLimits(settings.console_repl_timeout, settings.console_repl_output)


class _Thread:
    """The thread and its loop. `run` is in the node's loop."""

    def __init__(self, listener: socket.socket, app: ManagementApp) -> None:
        self._listener = listener
        self._app = app
        self._scope = trio.CancelScope()
        self._token: trio.lowlevel.TrioToken | None = None
        self._error: BaseException | None = None

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Raises what ended it."""
        node = trio.lowlevel.current_trio_token()
        started, ended = trio.Event(), trio.Event()

        def tell(event: trio.Event) -> None:
            with contextlib.suppress(trio.RunFinishedError):
                node.run_sync_soon(event.set)

        def live() -> None:
            try:
                trio.run(self._serve, partial(tell, started))
            except BaseException as error:
                self._error = error
            finally:
                tell(ended)

        threading.Thread(target=live, name="management", daemon=True).start()
        try:
            async with trio.open_nursery() as first:
                first.start_soon(self._wait_for, started, first)
                first.start_soon(self._wait_for, ended, first)
            if started.is_set():
                task_status.started()
                await ended.wait()
            raise RuntimeError("the management thread ended") from self._error
        finally:
            if self._token is not None:
                with contextlib.suppress(trio.RunFinishedError):
                    self._token.run_sync_soon(self._scope.cancel)
            with trio.move_on_after(END_SECONDS, shield=True):
                await ended.wait()

    @staticmethod
    async def _wait_for(event: trio.Event, nursery: trio.Nursery) -> None:
        await event.wait()
        nursery.cancel_scope.cancel()

    async def _serve(self, started: Callable[[], None]) -> None:
        self._token = trio.lowlevel.current_trio_token()
        http = HttpServer(self._app, _LIMITS)
        places = trio.Semaphore(CONNECTIONS)
        try:
            with self._scope:
                async with trio.open_nursery() as connections:
                    started()
                    while True:
                        await places.acquire()
                        sock = await self._accept()
                        connections.start_soon(self._connection, http, sock, connections, places)
        finally:
            self._listener.close()

    async def _accept(self) -> socket.socket:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._listener)
            except OSError as error:
                if self._listener.fileno() < 0:
                    raise
                _log.warning("cannot accept", reason=str(error))
                await trio.sleep(1.0)
            else:
                sock.setblocking(False)
                return sock

    async def _connection(
        self, http: HttpServer, sock: socket.socket, nursery: trio.Nursery, places: trio.Semaphore
    ) -> None:
        def write(outbox: Outbox) -> None:
            nursery.start_soon(outbox.run_writer)

        outbox = Outbox(sock, limit=_LIMITS.outbox_limit_bytes, start_writer=write, write_timeout=_LIMITS.write_timeout)
        try:
            await http.serve(PrefixedStream(sock, b"", outbox), peer_of(sock), Peer("", 0))
            with trio.move_on_after(_LIMITS.write_timeout):
                await outbox.wait_drained()
        except* Exception:
            _log.exception("connection failed")
        finally:
            outbox.retire()
            trio.lowlevel.notify_closing(sock)
            sock.close()
            places.release()
