"""One node: builds everything from the settings and runs it as the tree of tasks that the architecture names."""

import random
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

import structlog
import trio

from actors.adapters.memory.presence import MemoryPresenceStore
from actors.adapters.postgres.conversations import PostgresConversationStore
from actors.adapters.postgres.database import Database
from actors.adapters.postgres.history import PostgresMessageHistory
from actors.adapters.postgres.identity import PostgresIdentity
from actors.adapters.postgres.lane import LaneStatus
from actors.adapters.postgres.messages import PostgresMessageLog
from actors.adapters.postgres.standings import PostgresStandings
from actors.adapters.postgres.users import PostgresUserDirectory
from actors.adapters.redis.broker import RedisBroker, RedisOptions
from actors.adapters.redis.presence import RedisPresenceStore
from actors.bridge.actor import Bridge
from actors.bridge.alone import Alone
from actors.bridge.broker import BrokerStatus
from actors.conversation.directory import supervise_conversations
from actors.conversation.room import ConversationServices
from actors.presence.actor import Presence
from actors.presence.ports import PresenceRelay
from actors.runtime.spec import ChildContext, ChildSpec, Restart, RestartIntensity, Strategy
from actors.runtime.supervisor import Supervisor
from actors.users.actor import Users
from chathttp import collector
from chathttp.edge.listener import open_listener
from chathttp.edge.server import EdgeServer
from chathttp.edge.share import ListenerShare
from chathttp.edge.timer_wheel import Timers
from chathttp.identity.config import IdentityConfig
from chathttp.identity.keys import SigningKeys, await_signing_keys
from chathttp.identity.mail import FileMailer
from chathttp.identity.passwords import Passwords
from chathttp.identity.service import IdentityService
from chathttp.identity.verifier import TokenVerifier
from chathttp.ids import IdSource
from chathttp.management.gathering import Parts
from chathttp.management.server import ManagementOptions, ManagementServer
from chathttp.node_log import response_headers, url_of
from chathttp.policies import bridge_policy, conversation_policy, edge_limits, presence_policy, session_policy
from chathttp.rate import RateLimiter
from chathttp.rest.app import create_app
from chathttp.rest.services import Health, HealthState, Services
from chathttp.session.inspection import Inspectable
from chathttp.session.services import SessionServices
from chathttp.session.session import serve_session
from chathttp.settings import Settings
from chathttp.wire import JsonBodyEncoder

CONVERSATIONS_STOP_SECONDS: Final = 5.0
_INTENSITY: Final = RestartIntensity(max_restarts=5, within=30.0)

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chathttp.node")


async def run_node(
    settings: Settings,
    *,
    on_ready: Callable[[str], None],
    drain: trio.Event | None = None,
    share: ListenerShare | None = None,
) -> None:
    """Serve until `drain` is set, then end in good order. `on_ready` is told the URL once it serves. With `share` the
    node is one of several processes on one port, whose listener it takes in place of one of its own.

    Raises `OSError` when the port cannot be had, and `IntensityExceeded` when a part of it fails again and again.
    """
    await _Node(settings, on_ready, share).run(trio.Event() if drain is None else drain)


class _Node:
    def __init__(self, settings: Settings, on_ready: Callable[[str], None], share: ListenerShare | None) -> None:
        rng = random.Random()  # noqa: S311  # jitter of back-offs
        self._settings = settings
        self._on_ready = on_ready
        self._drain = trio.Event()
        self._sessions: set[Inspectable] = set()
        self._management = ManagementServer(ManagementOptions.of(settings), self._parts, lambda: self._drain.set())
        self._share = share
        try:
            self._listener: socket.socket | None = self._open_listener(settings.port)
        except OSError:
            self._management.close()
            raise
        self._port: int = self._listener.getsockname()[1]
        self._database = Database(
            settings.database_url,
            rng=rng,
            pool_size=settings.database_pool_size,
            statement_timeout=settings.statement_timeout,
            connect_timeout=settings.database_connect_timeout,
            queue_limit=settings.database_queue,
            append_batch_limit=settings.append_batch_limit,
            append_batch_bytes=settings.append_batch_bytes,
            append_queue_limit=settings.append_queue,
        )
        self._new_id = IdSource()
        self._redis = _make_redis(settings, self._new_id(), rng) if settings.redis_url else None
        self._bridge = None if self._redis is None else self._make_bridge(self._redis)
        relay = Alone() if self._bridge is None else self._bridge
        self._users = Users(settings.notification_mailbox, relay, memory=settings.notification_memory)
        self._presence = self._make_presence(relay)
        self._timers = Timers()
        self._history = PostgresMessageHistory(self._database)
        self._store = PostgresConversationStore(self._database)
        self._directory = PostgresUserDirectory(self._database)
        self._conversations = supervise_conversations(
            ConversationServices(
                PostgresMessageLog(self._database),
                self._history,
                self._store,
                self._users,
                JsonBodyEncoder(),
                conversation_policy(settings),
                relay,
                self._presence,
            ),
            max_conversations=settings.max_conversations,
            intensity=_INTENSITY,
            rng=rng,
            on_event=self._management.report,
        )
        self._edge: EdgeServer | None = None
        self._ready = False
        self._root = Supervisor(
            "node",
            [
                # The first, so that it is stopped last and tells of a start that waits for the database.
                ChildSpec("management", partial(_serve, self._management.run)),
                ChildSpec("store", partial(_serve, self._database.run)),
                *([] if self._bridge is None else [ChildSpec("bridge", partial(_serve, self._bridge.run))]),
                ChildSpec("users", partial(_run, self._users.run)),
                ChildSpec("presence", partial(_run, self._presence.run)),
                self._conversations.spec(),
                ChildSpec("timers", partial(_run, self._timers.run)),
                ChildSpec("edge", self._run_edge, Restart.TRANSIENT),
            ],
            Strategy.ONE_FOR_ONE,
            _INTENSITY,
            rng,
            self._management.report,
        )

    def _make_bridge(self, redis: RedisBroker) -> Bridge:
        return Bridge(
            self._new_id(),
            redis,
            PostgresStandings(self._database),
            conversations=lambda: self._conversations,
            marks_watched=lambda: self._conversations.marks_watched(),
            tell_users=lambda notify: self._users.tell(notify),
            policy=bridge_policy(self._settings),
        )

    def _make_presence(self, relay: PresenceRelay) -> Presence:
        lifetime = self._settings.presence_lifetime
        presence = Presence(
            MemoryPresenceStore(lifetime) if self._redis is None else RedisPresenceStore(self._redis, lifetime),
            relay,
            lambda conversation_id: self._conversations.live(conversation_id),
            new_id=self._new_id,
            now=_utc_now,
            policy=presence_policy(self._settings),
        )
        if self._bridge is not None:
            self._bridge.give_presence_to(presence)
        return presence

    async def run(self, drain: trio.Event) -> None:
        self._drain = drain
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._end_when, drain)
                await self._root.run()
                nursery.cancel_scope.cancel()
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
        await self._conversations.stop(CONVERSATIONS_STOP_SECONDS)
        self._root.stop()

    async def _run_edge(self, context: ChildContext) -> None:
        settings = self._settings
        identity_store = PostgresIdentity(self._database)
        keys = await await_signing_keys(identity_store)
        edge = self._make_edge(identity_store, keys)
        async with trio.open_nursery() as nursery:
            await nursery.start(edge.run)
            self._edge = edge
            self._ready = True
            context.started()
            collector.settle()
            self._on_ready(url_of(settings.host, self._port))

    def _take_listener(self) -> socket.socket:
        """The one that was opened at the start, or a new one for an edge that was restarted."""
        listener, self._listener = self._listener, None
        return self._open_listener(self._port) if listener is None else listener

    def _open_listener(self, port: int) -> socket.socket:
        return open_listener(self._settings.host, port) if self._share is None else self._share.listener()

    def _make_edge(self, store: PostgresIdentity, keys: SigningKeys) -> EdgeServer:
        settings = self._settings
        config = IdentityConfig.from_settings(settings)
        identity = IdentityService(
            store,
            store,
            keys,
            Passwords(threads=config.hash_threads, queue=config.hash_queue),
            FileMailer(settings.data_dir / "mail"),
            config,
            _utc_now,
        )
        verifier = TokenVerifier(
            keys,
            issuer=settings.jwt_issuer,
            client_id=settings.jwt_audience,
            cache_size=settings.token_cache_size,
        )
        new_id = self._new_id
        limiter = RateLimiter[UUID](settings.send_rate, settings.send_burst)
        app = create_app(
            Services(
                settings=settings,
                verifier=verifier,
                identity=identity,
                history=self._history,
                store=self._store,
                users=self._directory,
                standings=PostgresStandings(self._database),
                conversations=self._conversations,
                tell_users=self._users.tell_everywhere,
                presence=self._presence,
                send_limiter=limiter,
                health=Health(
                    components=self._health_components(),
                    ready=lambda: self._ready,
                    alive=lambda: True,
                ),
                now=time.time,
                new_id=new_id,
            )
        )
        services = SessionServices(
            conversations=self._conversations,
            users=self._users,
            presence=self._presence,
            history=self._history,
            encoder=JsonBodyEncoder(),
            verifier=verifier,
            send_limiter=limiter,
            timers=self._timers,
            replay_readers=trio.CapacityLimiter(settings.replay_readers),
            now=time.time,
            new_id=new_id,
            policy=session_policy(settings),
            running=self._sessions,
        )

        return EdgeServer(
            [self._take_listener()],
            app,
            partial(serve_session, services),
            limits=edge_limits(settings),
            allowed_origins=settings.cors_origins,
            response_headers=partial(response_headers, settings),
            share=self._share,
        )

    def _database_health(self) -> HealthState:
        return HealthState.UP if self._database.state.status is LaneStatus.UP else HealthState.DOWN

    def _health_components(self) -> dict[str, Callable[[], HealthState]]:
        """Without `redis` when the node is alone."""
        bridge = self._bridge
        if bridge is None:
            return {"database": self._database_health}

        def redis() -> HealthState:
            return HealthState.UP if bridge.state.status is BrokerStatus.UP else HealthState.DOWN

        return {"database": self._database_health, "redis": redis}

    def _parts(self) -> Parts:
        return Parts(
            url=url_of(self._settings.host, self._port),
            supervision=self._root.snapshot,
            conversations=self._conversations,
            users=self._users,
            presence=self._presence,
            store=self._database,
            edge=self._edge,
            bridge=self._bridge,
            revs=PostgresStandings(self._database).revs,
            sessions=self._sessions,
            outbox_limit=self._settings.outbox_limit_bytes,
        )


def _make_redis(settings: Settings, node_id: UUID, rng: random.Random) -> RedisBroker:
    options = RedisOptions(
        url=settings.redis_url,
        node=str(node_id),
        cluster=settings.redis_cluster,
        timeout=settings.redis_timeout,
        probe_interval=settings.bridge_probe_interval,
        outbox=settings.bridge_outbox,
        outbox_bytes=settings.bridge_outbox_bytes,
        inbox=settings.bridge_inbox,
        inbox_bytes=settings.bridge_inbox_bytes,
    )
    return RedisBroker(options, rng)


async def _serve(run: Callable[..., Awaitable[None]], context: ChildContext) -> None:
    """Of what says itself when it has started."""
    async with trio.open_nursery() as nursery:
        await nursery.start(run)
        context.started()


async def _run(run: Callable[[], Awaitable[None]], context: ChildContext) -> None:
    """Of what serves from its first step on."""
    context.started()
    await run()


def _utc_now() -> datetime:
    return datetime.now(UTC)
