"""The metrics of caches and of the read replica."""

from collections.abc import Mapping, Sequence

from attrs import frozen
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from actors.caching.cache import CacheFigures


@frozen(kw_only=True)
class ReplicaFigures:
    """`lag` in seconds, None while it is not known; `on_primary` counts by reason. Totals are since the start."""

    up: bool
    lag: float | None
    on_replica: int
    on_primary: Mapping[str, int]


def cache_families(caches: Sequence[CacheFigures]) -> list[Metric]:
    hits = _by_cache(CounterMetricFamily, "stackmentor_cache_hits_total", "Answers from copies.")
    misses = _by_cache(CounterMetricFamily, "stackmentor_cache_misses_total", "Answers that had to be loaded.")
    joined = _by_cache(
        CounterMetricFamily, "stackmentor_cache_joined_total", "Times that somebody waited for another's load."
    )
    evicted = _by_cache(CounterMetricFamily, "stackmentor_cache_evictions_total", "Copies that made room for others.")
    invalidated = _by_cache(
        CounterMetricFamily, "stackmentor_cache_invalidations_total", "Copies and loads that a change outdated."
    )
    weight = _by_cache(GaugeMetricFamily, "stackmentor_cache_weight", "What is kept, in the unit of the cache's size.")
    for each in caches:
        for family, value in (
            (hits, each.hits),
            (misses, each.misses),
            (joined, each.joined),
            (evicted, each.evicted),
            (invalidated, each.invalidated),
            (weight, each.weight),
        ):
            family.add_metric([each.name], value)
    return [hits, misses, joined, evicted, invalidated, weight]


def replica_families(figures: ReplicaFigures) -> list[Metric]:
    on_primary = CounterMetricFamily(
        "stackmentor_replica_refused_reads_total",
        "Reads for the replica that went to the primary, by reason.",
        labels=["reason"],
    )
    for reason, count in figures.on_primary.items():
        on_primary.add_metric([reason], count)
    lag = [] if figures.lag is None else [figures.lag]
    return [
        GaugeMetricFamily("stackmentor_replica_up", "1 while the replica answers its probes, else 0.", figures.up),
        *(
            GaugeMetricFamily(
                "stackmentor_replica_lag_seconds", "The replica has all that was committed so long ago.", each
            )
            for each in lag
        ),
        CounterMetricFamily("stackmentor_replica_reads_total", "Reads on the replica.", figures.on_replica),
        on_primary,
    ]


def _by_cache(
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily], name: str, doc: str
) -> CounterMetricFamily | GaugeMetricFamily:
    return kind(name, doc, labels=["cache"])
