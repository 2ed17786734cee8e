"""The bridge's metrics."""

from collections.abc import Mapping

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from actors.bridge.actor import BridgeFigures
from actors.bridge.broker import BrokerStatus


def bridge_families(figures: BridgeFigures) -> list[Metric]:
    broker = figures.broker
    is_up = broker.status is BrokerStatus.UP
    round_trip = [] if broker.round_trip is None else [broker.round_trip]
    return [
        GaugeMetricFamily("stackmentor_redis_up", "1 while Redis gives back what is published, else 0.", is_up),
        CounterMetricFamily("stackmentor_redis_connects_total", "Times that Redis came up.", broker.reconnects),
        *(
            GaugeMetricFamily("stackmentor_redis_round_trip_seconds", "Of the last probe through Redis.", each)
            for each in round_trip
        ),
        GaugeMetricFamily("stackmentor_bridge_outbox", "Publishes that Redis has not answered yet.", broker.outbox),
        GaugeMetricFamily("stackmentor_bridge_outbox_bytes", "The same in bytes.", broker.outbox_bytes),
        GaugeMetricFamily("stackmentor_bridge_inbox", "Messages from Redis that wait for this node.", broker.inbox),
        CounterMetricFamily("stackmentor_bridge_published_total", "Publishes given to Redis.", broker.published),
        CounterMetricFamily(
            "stackmentor_bridge_received_total", "Messages from Redis, this node's own included.", broker.received
        ),
        CounterMetricFamily(
            "stackmentor_bridge_lost_total", "Publishes that may not have arrived when Redis was lost.", broker.lost
        ),
        CounterMetricFamily(
            "stackmentor_bridge_coalesced_total",
            "Commits that the other nodes were only told of: too big, or Redis was away or behind.",
            figures.coalesced,
        ),
        GaugeMetricFamily(
            "stackmentor_bridge_overdue", "Conversations that the other nodes are still to be told of.", figures.overdue
        ),
        _by_kind("stackmentor_bridge_dropped_out_total", "News for other nodes that was dropped.", figures.dropped_out),
        _by_kind("stackmentor_bridge_dropped_in_total", "News of other nodes that was dropped.", figures.dropped_in),
        CounterMetricFamily(
            "stackmentor_bridge_unknown_total",
            "Messages of a version or kind that is not known here.",
            figures.unknown,
        ),
        CounterMetricFamily(
            "stackmentor_bridge_malformed_total", "Messages that no node can have sent.", figures.malformed
        ),
        GaugeMetricFamily("stackmentor_bridge_peers", "Other nodes heard of.", figures.peers),
        CounterMetricFamily("stackmentor_sweeps_total", "Comparisons of all live conversations.", figures.sweeps),
        CounterMetricFamily(
            "stackmentor_sweep_failures_total", "Comparisons that the database did not answer.", figures.sweep_failures
        ),
        CounterMetricFamily(
            "stackmentor_sweep_moved_total",
            "Conversations that had moved on in the database since the last comparison.",
            figures.found,
        ),
    ]


def _by_kind(name: str, documentation: str, counts: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, documentation, labels=["kind"])
    for kind, count in sorted(counts.items()):
        family.add_metric([kind], count)
    return family
