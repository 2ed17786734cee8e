"""The metrics of retention, erasure and export."""

from attrs import frozen
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric


@frozen(kw_only=True)
class PrivacyFigures:
    """Totals are since the start. Of retention the age is that of the oldest message that is left, in seconds, and
    `since_pass` the time since this node's last whole pass; both are None before it has made one.
    """

    retention_deleted: int
    retention_passes: int
    retention_failures: int
    oldest_age: float | None
    since_pass: float | None
    erasures_accepted: int
    erasures_finished: int
    erasures_delayed: int
    erasures_waiting: int
    tombstones: int
    erased: int
    exports_running: int
    exports_begun: int
    exports_broken_off: int


def privacy_families(figures: PrivacyFigures) -> list[Metric]:
    counters = (
        ("retention_deleted_messages_total", "Messages deleted for their age.", figures.retention_deleted),
        ("retention_passes_total", "Whole passes over all conversations.", figures.retention_passes),
        ("retention_failures_total", "Passes that the database refused.", figures.retention_failures),
        ("erasures_accepted_total", "Accounts that were erased by way of this node.", figures.erasures_accepted),
        ("erasures_finished_total", "Erasures that this node has finished.", figures.erasures_finished),
        ("erasures_delayed_total", "Times that an erasure could not go on.", figures.erasures_delayed),
        ("erasure_tombstones_total", "Messages of erased accounts made tombstones.", figures.tombstones),
        ("exports_total", "Exports that began.", figures.exports_begun),
        ("exports_broken_off_total", "Exports that were not read to their end.", figures.exports_broken_off),
    )
    gauges = (
        ("retention_oldest_message_seconds", "Age of the oldest message that is left.", figures.oldest_age),
        ("retention_since_pass_seconds", "Time since this node's last whole pass.", figures.since_pass),
        ("erasures_waiting", "Erasures that are not finished, of all nodes.", figures.erasures_waiting),
        ("erased_accounts", "Erased accounts that this node refuses.", figures.erased),
        ("exports", "Exports that are written just now.", figures.exports_running),
    )
    return [
        *(CounterMetricFamily(f"stackmentor_{name}", doc, value) for name, doc, value in counters),
        *(GaugeMetricFamily(f"stackmentor_{name}", doc, value) for name, doc, value in gauges if value is not None),
    ]
