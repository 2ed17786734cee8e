"""What a node gives to be looked at, put together from its parts."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

import trio
from attrs import frozen

from actors.attachments.desk import AttachmentFigures
from actors.bridge.actor import Bridge
from actors.caching.cache import CacheFigures
from actors.conversation.directory import Conversations
from actors.presence.actor import Presence
from actors.runtime.snapshot import ActorSnapshot, ActorState, SupervisorSnapshot
from actors.tracing.tracer import Tracer
from actors.users.actor import Users
from chatconsole.api.parts import Backend
from chatcore.errors import ChatError
from chathttp.edge.server import EdgeServer
from chathttp.management.metrics import NodeFigures
from chathttp.management.outbox_metrics import OutboxFigures
from chathttp.management.privacy_metrics import PrivacyFigures
from chathttp.management.read_metrics import ReplicaFigures
from chathttp.management.sources import Actors, Sources
from chathttp.management.storage_metrics import PurgeFigures, TransferFigures
from chathttp.session.inspection import Inspectable

PING_TIMEOUT = 1.0
"""Seconds that a look waits for the store's answer."""

_UP = "up"


class LinkState(Protocol):
    @property
    def status(self) -> str: ...

    @property
    def since(self) -> float: ...

    @property
    def error(self) -> str | None: ...


class AppendCounts(Protocol):
    """`round_trip` is of the last batch, seconds."""

    @property
    def batches(self) -> int: ...

    @property
    def reconnects(self) -> int: ...

    @property
    def round_trip(self) -> float | None: ...


class Appends(Protocol):
    """The connection that writes messages; `waiting` of them wait."""

    @property
    def state(self) -> LinkState: ...

    @property
    def waiting(self) -> int: ...

    @property
    def overloads(self) -> int: ...

    @property
    def counts(self) -> AppendCounts: ...


class Store(Protocol):
    """The database, as the console sees it."""

    @property
    def state(self) -> LinkState: ...

    async def ping(self, timeout: float) -> float:
        """Seconds that it takes to answer. Raises `ChatError`."""
        ...

    @property
    def writer(self) -> Appends: ...

    @property
    def figures(self) -> Mapping[str, float]:
        """Counts by name, `appendWaiting` and `appendOverloads` among them."""
        ...


@frozen(kw_only=True)
class Parts:
    """Of a node; `bridge` is None when it is alone, `edge` while it does not serve. Implements `Node`."""

    url: str
    supervision: Callable[[], SupervisorSnapshot]
    conversations: Conversations
    users: Users
    presence: Presence
    store: Store
    edge: EdgeServer | None
    bridge: Bridge | None
    revs: Callable[[Collection[UUID]], Awaitable[dict[UUID, int]]]
    sessions: Collection[Inspectable]
    outbox_limit: int
    tracer: Tracer
    caches: Callable[[], Sequence[CacheFigures]]
    replica: Callable[[], ReplicaFigures | None]
    attachments: AttachmentFigures
    transfers: Callable[[], TransferFigures | None]
    purge: Callable[[], PurgeFigures]
    privacy: Callable[[], PrivacyFigures]
    outboxes: Callable[[], OutboxFigures]

    def sources(self) -> Sources:
        return Sources(
            supervision=self.supervision,
            actors=Actors(
                dynamic=self.conversations.snapshot_in_steps,
                singles=self._singles,
                restart=self.conversations.restart,
                passivate=self.conversations.passivate,
            ),
            rooms=self.conversations.rooms,
            revs=self.revs,
            sessions=lambda: self.sessions,
            backends=self._backends,
            outbox_limit=self.outbox_limit,
            tracer=self.tracer,
        )

    def figures(self) -> NodeFigures:
        edge, store = self.edge, self.store.figures
        return NodeFigures(
            connections=0 if edge is None else edge.connections,
            websockets=0 if edge is None else edge.sessions,
            sessions={} if edge is None else dict(edge.sessions_by_transport),
            connects_refused=0 if edge is None else edge.refused,
            conversations=self.conversations.snapshot(limit=0),
            append_waiting=int(store["appendWaiting"]),
            append_overloads=int(store["appendOverloads"]),
            notifications_dropped=self.users.dropped,
            users_online=self.presence.online_here,
            users_watched=self.presence.watched,
            presence_delayed=self.presence.delayed,
            database_up=self.store.state.status == _UP,
            bridge=None if self.bridge is None else self.bridge.figures(),
            caches=self.caches(),
            replica=self.replica(),
            attachments=self.attachments,
            transfers=self.transfers(),
            purge=self.purge(),
            privacy=self.privacy(),
            outboxes=self.outboxes(),
        )

    def _singles(self) -> list[tuple[ActorSnapshot, str, int]]:
        mailbox = self.users.mailbox
        told = ActorSnapshot(
            name=mailbox.name,
            state=ActorState.RUNNING,
            mailbox_depth=mailbox.depth,
            mailbox_capacity=mailbox.capacity,
            oldest_age=mailbox.oldest_age,
            handled=mailbox.handled_total,
            refused=mailbox.refused_total,
            time_in_handler=mailbox.busy_seconds,
            busy_since=mailbox.busy_since,
        )
        return [(told, "drop notifications and count", self.users.dropped)]

    async def _backends(self) -> Sequence[Backend]:
        try:
            round_trip = await self.store.ping(PING_TIMEOUT)
        except ChatError:
            round_trip = None
        backends = [_backend("store", self.store.state, round_trip, self.store.figures), self._appends()]
        if self.bridge is not None:
            figures = self.bridge.figures()
            counts: dict[str, float] = {
                "peers": figures.peers,
                "reconnects": figures.broker.reconnects,
                "outbox": figures.broker.outbox,
                "outboxBytes": figures.broker.outbox_bytes,
                "inbox": figures.broker.inbox,
                "published": figures.broker.published,
                "received": figures.broker.received,
                "refused": figures.broker.refused,
                "lost": figures.broker.lost,
                "coalesced": figures.coalesced,
                "overdue": figures.overdue,
                "droppedOut": figures.dropped_out.total(),
                "droppedIn": figures.dropped_in.total(),
                "sweeps": figures.sweeps,
                "foundBySweeps": figures.found,
            }
            backends.append(_backend("bridge", figures.broker, figures.broker.round_trip, counts))
        return backends

    def _appends(self) -> Backend:
        writer = self.store.writer
        counts = {
            "waiting": writer.waiting,
            "overloads": writer.overloads,
            "batches": writer.counts.batches,
            "reconnects": writer.counts.reconnects,
        }
        return _backend("appends", writer.state, writer.counts.round_trip, counts)


def _backend(name: str, state: LinkState, round_trip: float | None, figures: Mapping[str, float]) -> Backend:
    since = round(trio.current_time() - state.since, 3)
    return Backend(name, str(state.status), since, state.error, round_trip, dict(figures))
