"""One node: its parts as the tree of tasks that the architecture names, its readiness and its end."""

import random
import socket
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Final
from uuid import UUID

import structlog
import trio

from actors.adapters.postgres.lane import LaneStatus
from actors.adapters.postgres.migrations import SchemaError
from actors.runtime.spec import ChildContext, ChildSpec, Restart, Strategy
from actors.runtime.supervisor import Supervisor
from chathttp import collector
from chathttp.edge.lifespan import Lifespan
from chathttp.edge.listener import open_listener
from chathttp.edge.server import EdgeServer
from chathttp.edge.share import ListenerShare
from chathttp.edge.timer_wheel import Timers
from chathttp.identity.keys import await_signing_keys
from chathttp.identity.verifier import unauthorized
from chathttp.ids import IdSource
from chathttp.management.gathering import Parts
from chathttp.management.read_metrics import ReplicaFigures
from chathttp.management.server import ManagementOptions, ManagementServer
from chathttp.management.storage_metrics import PurgeFigures, TransferFigures
from chathttp.node_log import response_headers, url_of
from chathttp.policies import edge_limits
from chathttp.rest.app import create_starting_app
from chathttp.rest.services import Health, HealthState
from chathttp.session.inspection import RunningSession, end_sessions
from chathttp.session.session import serve_session
from chathttp.settings import Settings, SettingsError
from chathttp.sockjs.desk import SockjsDesk
from chathttp.wiring.attachments import Attachments
from chathttp.wiring.entrance import Entrance
from chathttp.wiring.front import Front
from chathttp.wiring.house import INTENSITY, House
from chathttp.wiring.outboxes import Outboxes
from chathttp.wiring.stores import Stores

CONVERSATIONS_STOP_SECONDS: Final = 5.0

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chathttp.node")


async def run_node(
    settings: Settings,
    *,
    on_ready: Callable[[str], None],
    drain: trio.Event | None = None,
    share: ListenerShare | None = None,
    until_usable: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve until `drain` is set, then end in good order. `on_ready` is told the URL once it serves. With `share` the
    node is one of several processes on one port, whose listener it takes in place of one of its own. Until
    `until_usable` of a database that is away returns, it serves its health only.

    Raises `OSError` when the port cannot be had, `IntensityExceeded` when a part of it fails again and again, and
    `SettingsError` and `SchemaError` of `until_usable`.
    """
    await _Node(settings, on_ready, share, until_usable).run(trio.Event() if drain is None else drain)


class _Node:
    def __init__(
        self,
        settings: Settings,
        on_ready: Callable[[str], None],
        share: ListenerShare | None,
        until_usable: Callable[[], Awaitable[None]] | None,
    ) -> None:
        rng = random.Random()  # noqa: S311  # jitter of back-offs
        self._until_usable = until_usable
        self._unusable: Exception | None = None
        self._settings = settings
        self._on_ready = on_ready
        self._drain = trio.Event()
        self._sessions: set[RunningSession] = set()
        self._management = ManagementServer(ManagementOptions.of(settings), self._parts, lambda: self._drain.set())
        self._share = share
        try:
            self._listener: socket.socket | None = self._open_listener(settings.port)
        except OSError:
            self._management.close()
            raise
        self._port: int = self._listener.getsockname()[1]
        self._new_id = IdSource()
        self._stores = Stores.of(settings, rng)
        self._house = House(settings, self._stores, self._new_id, rng, self._management.report)
        self._attachments = Attachments.of(settings, self._stores, self._house.caches.members, self._new_id, rng)
        self._outboxes = Outboxes(settings, self._stores, self._house.presence, self._house.tracer.node_id, rng)
        self._timers = Timers()
        self._edge: EdgeServer | None = None
        self._ready = False
        bridge, replica, mails = self._house.bridge, self._stores.replica, self._outboxes.mails
        privacy = self._house.privacy
        privacy.erased.closers.append(self._end_sessions_of)
        self._root = Supervisor(
            "node",
            [
                # The first, so that it is stopped last and tells of a start that waits for the database.
                ChildSpec("management", partial(_serve, self._management.run)),
                ChildSpec("store", partial(_serve, self._stores.database.run)),
                *([] if replica is None else [ChildSpec("replica", partial(_serve, replica.run))]),
                *([] if bridge is None else [ChildSpec("bridge", partial(_serve, bridge.run))]),
                ChildSpec("users", partial(_run, self._house.users.run)),
                ChildSpec("presence", partial(_run, self._house.presence.run)),
                self._house.conversations.spec(),
                ChildSpec("purger", partial(_run, self._house.purger.run)),
                ChildSpec("erased", partial(_run, privacy.erased.run)),
                ChildSpec("erasures", partial(_run, privacy.erasures.run)),
                ChildSpec("retention", partial(_run, privacy.retention.run)),
                ChildSpec("attachments", partial(_run, self._attachments.desk.run)),
                ChildSpec("features", partial(_run, self._house.features.run)),
                ChildSpec("push-finder", partial(_run, self._outboxes.finder.run)),
                ChildSpec("pushes", partial(_run, self._outboxes.pushes.run)),
                *([] if mails is None else [ChildSpec("mails", partial(_run, mails.run))]),
                ChildSpec("timers", partial(_run, self._timers.run)),
                ChildSpec("edge", self._run_edge, Restart.TRANSIENT),
            ],
            Strategy.ONE_FOR_ONE,
            INTENSITY,
            rng,
            self._management.report,
        )

    async def run(self, drain: trio.Event) -> None:
        self._drain = drain
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._end_when, drain)
                await self._root.run()
                nursery.cancel_scope.cancel()
            if self._unusable is not None:
                raise self._unusable
        finally:
            self._management.close()
            if self._listener is not None:
                self._listener.close()

    async def _end_when(self, drain: trio.Event) -> None:
        """The orderly end: no new connections, sockets closed over the drain time, mailboxes and marks flushed."""
        await drain.wait()
        self._ready = False
        _log.info("draining", seconds=self._settings.drain_time)
        if self._edge is not None:
            await self._edge.drain(self._settings.drain_time)
        await self._house.conversations.stop(CONVERSATIONS_STOP_SECONDS)
        self._root.stop()

    async def _run_edge(self, context: ChildContext) -> None:
        settings = self._settings
        health = Health(components=self._health_components(), ready=lambda: self._ready, alive=lambda: True)
        entrance = Entrance(create_starting_app(settings, health))
        edge = EdgeServer(
            [self._take_listener()],
            entrance,
            entrance.on_session,
            is_open=lambda: entrance.is_open,
            limits=edge_limits(settings),
            allowed_origins=settings.cors_origins,
            response_headers=partial(response_headers, settings),
            share=self._share,
        )
        async with trio.open_nursery() as outer:
            async with trio.open_nursery() as nursery:
                await nursery.start(edge.run)
                self._edge = edge
                front = await self._open_front(edge, health)
                if front is None:
                    return
                lifespan = Lifespan(front.app)
                await outer.start(lifespan.run)
                entrance.open(front.app, partial(serve_session, front.sessions))
                self._ready = not self._drain.is_set()
                context.started()
                collector.settle()
                if self._ready:
                    self._on_ready(url_of(settings.host, self._port))
            await lifespan.stop()

    async def _open_front(self, edge: EdgeServer, health: Health) -> Front | None:
        """Once the database is there; None when it never can be used."""
        if self._until_usable is not None:
            try:
                await self._until_usable()
            except (SettingsError, SchemaError) as error:
                self._unusable = error
                self._root.stop()
                return None
        # Until they are known nobody's token may be believed.
        await self._house.privacy.erased.loaded()
        return Front.of(
            self._settings,
            self._stores,
            self._house,
            self._attachments,
            await await_signing_keys(self._stores.identity),
            self._outboxes.mailer,
            sockjs=SockjsDesk(edge_limits(self._settings).sockjs, edge.open_session),
            timers=self._timers,
            running=self._sessions,
            health=health,
            new_id=self._new_id,
        )

    def _end_sessions_of(self, user_ids: Collection[UUID]) -> None:
        end_sessions(self._sessions, user_ids, unauthorized("The account was deleted"))

    def _take_listener(self) -> socket.socket:
        """The one that was opened at the start, or a new one for an edge that was restarted."""
        listener, self._listener = self._listener, None
        return self._open_listener(self._port) if listener is None else listener

    def _open_listener(self, port: int) -> socket.socket:
        return open_listener(self._settings.host, port) if self._share is None else self._share.listener()

    def _health_components(self) -> dict[str, Callable[[], HealthState]]:
        """Without `redis` when the node is alone, without `replica` where none is set."""
        house, database, replica = self._house, self._stores.database, self._stores.replica

        def database_health() -> HealthState:
            return HealthState.UP if database.state.status is LaneStatus.UP else HealthState.DOWN

        def redis_health() -> HealthState:
            return HealthState.UP if house.redis_is_up else HealthState.DOWN

        def replica_health() -> HealthState:
            return HealthState.UP if replica is not None and replica.refusal is None else HealthState.DOWN

        return {
            "database": database_health,
            **({} if replica is None else {"replica": replica_health}),
            **({} if house.bridge is None else {"redis": redis_health}),
        }

    def _parts(self) -> Parts:
        return Parts(
            url=url_of(self._settings.host, self._port),
            supervision=self._root.snapshot,
            conversations=self._house.conversations,
            users=self._house.users,
            presence=self._house.presence,
            store=self._stores.database,
            edge=self._edge,
            bridge=self._house.bridge,
            revs=self._stores.standings.revs,
            sessions=self._sessions,
            outbox_limit=self._settings.outbox_limit_bytes,
            tracer=self._house.tracer,
            caches=self._house.caches.figures,
            replica=self._replica_figures,
            attachments=self._attachments.desk.figures,
            transfers=self._transfer_figures,
            purge=self._purge_figures,
            privacy=self._house.privacy.figures,
            outboxes=self._outboxes.figures,
        )

    def _transfer_figures(self) -> TransferFigures | None:
        served = self._attachments.served
        if served is None:
            return None
        return TransferFigures(active=served.transfers.active, refused=served.transfers.refused)

    def _purge_figures(self) -> PurgeFigures:
        purger = self._house.purger
        return PurgeFigures(pending=purger.pending, purged=purger.purged, failures=purger.failures)

    def _replica_figures(self) -> ReplicaFigures | None:
        reads = self._stores.reads
        if reads.replica is None:
            return None
        state = reads.replica.state
        return ReplicaFigures(
            up=state.status is LaneStatus.UP,
            lag=state.lag,
            on_replica=reads.on_replica,
            on_primary={str(reason): count for reason, count in reads.on_primary.items()},
        )


async def _serve(run: Callable[..., Awaitable[None]], context: ChildContext) -> None:
    """Of what says itself when it has started."""
    async with trio.open_nursery() as nursery:
        await nursery.start(run)
        context.started()


async def _run(run: Callable[[], Awaitable[None]], context: ChildContext) -> None:
    """Of what serves from its first step on."""
    context.started()
    await run()
