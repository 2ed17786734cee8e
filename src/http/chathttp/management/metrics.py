"""The node's metrics, in Prometheus's text format (prometheus.io, "Exposition formats")."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

import trio
from attrs import frozen
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from actors.attachments.desk import AttachmentFigures
from actors.bridge.actor import BridgeFigures
from actors.caching.cache import CacheFigures
from actors.runtime.snapshot import DynamicSnapshot
from chathttp.management.bridge_metrics import bridge_families
from chathttp.management.outbox_metrics import OutboxFigures, outbox_families
from chathttp.management.privacy_metrics import PrivacyFigures, privacy_families
from chathttp.management.read_metrics import ReplicaFigures, cache_families, replica_families
from chathttp.management.storage_metrics import PurgeFigures, TransferFigures, attachment_families, purge_families

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


@frozen(kw_only=True)
class NodeFigures:
    """One moment of a node. Totals are since it started."""

    connections: int
    websockets: int
    sessions: Mapping[str, int]
    """By transport."""
    connects_refused: int
    conversations: DynamicSnapshot
    append_waiting: int
    append_overloads: int
    notifications_dropped: int
    users_online: int
    users_watched: int
    presence_delayed: int
    database_up: bool
    bridge: BridgeFigures | None
    caches: Sequence[CacheFigures]
    replica: ReplicaFigures | None
    attachments: AttachmentFigures
    transfers: TransferFigures | None
    """None where clients go to S3."""
    purge: PurgeFigures
    privacy: PrivacyFigures
    outboxes: OutboxFigures


class Metrics:
    """The page of one node. Its registry is its own, so that nodes of one process do not clash.

    Nothing is counted here: `read` gives what the node's parts know anyway, once a scrape.
    """

    def __init__(self, read: Callable[[], Awaitable[NodeFigures]]) -> None:
        self._read = read
        self._process = CollectorRegistry()
        self._one_at_a_time = trio.CapacityLimiter(1)
        ProcessCollector(registry=self._process)
        GCCollector(self._process)

    async def page(self) -> bytes:
        """The text of one scrape. Scrapes wait for each other; a cancelled one holds nobody up."""
        scrape = _Scrape(self._process, _families(await self._read()))
        # In a thread, because listing open files takes a microsecond each: too long a step with many connections.
        return await trio.to_thread.run_sync(
            generate_latest, scrape, abandon_on_cancel=True, limiter=self._one_at_a_time
        )


@frozen
class _Scrape(Collector):
    process: CollectorRegistry
    node: Sequence[Metric]

    def collect(self) -> Iterable[Metric]:
        yield from self.process.collect()
        yield from self.node


def _sessions(by_transport: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily("stackmentor_sessions", "Open sessions by transport.", labels=["transport"])
    for transport, count in by_transport.items():
        family.add_metric([transport], count)
    return family


def _families(figures: NodeFigures) -> list[Metric]:
    conversations = figures.conversations
    return [
        GaugeMetricFamily("stackmentor_connections", "Open TCP connections.", figures.connections),
        GaugeMetricFamily(
            "stackmentor_websockets", "Open WebSockets, and SockJS sessions over HTTP.", figures.websockets
        ),
        _sessions(figures.sessions),
        CounterMetricFamily(
            "stackmentor_connects_refused_total",
            "WebSockets that were refused because too many came at once.",
            figures.connects_refused,
        ),
        GaugeMetricFamily("stackmentor_conversations_live", "Conversations held in memory.", conversations.live),
        CounterMetricFamily(
            "stackmentor_conversations_crashes_total", "Crashes of conversations.", conversations.crashes
        ),
        CounterMetricFamily(
            "stackmentor_conversations_quarantines_total",
            "Conversations that crashed too often and refused all for a while.",
            conversations.quarantines,
        ),
        CounterMetricFamily(
            "stackmentor_conversations_refused_total",
            "Messages to conversations that were refused or given back unhandled.",
            conversations.refused,
        ),
        CounterMetricFamily(
            "stackmentor_conversations_handled_total", "Messages that conversations handled.", conversations.handled
        ),
        GaugeMetricFamily("stackmentor_append_waiting", "Messages that wait for the database.", figures.append_waiting),
        CounterMetricFamily(
            "stackmentor_append_overloads_total",
            "Appends that were refused because too many messages waited.",
            figures.append_overloads,
        ),
        CounterMetricFamily(
            "stackmentor_notifications_dropped_total",
            "Notifications of users that were dropped because too many waited.",
            figures.notifications_dropped,
        ),
        GaugeMetricFamily("stackmentor_users_online", "Users with a connection to this node.", figures.users_online),
        GaugeMetricFamily(
            "stackmentor_users_watched", "Users whose presence conversations here watch.", figures.users_watched
        ),
        CounterMetricFamily(
            "stackmentor_presence_delayed_total",
            "Times that a conversation was too busy to be told who is online, and was told later.",
            figures.presence_delayed,
        ),
        GaugeMetricFamily("stackmentor_database_up", "1 while the database can be had, else 0.", figures.database_up),
        *attachment_families(figures.attachments, figures.transfers),
        *purge_families(figures.purge),
        *privacy_families(figures.privacy),
        *outbox_families(figures.outboxes),
        *cache_families(figures.caches),
        *([] if figures.replica is None else replica_families(figures.replica)),
        *([] if figures.bridge is None else bridge_families(figures.bridge)),
    ]
