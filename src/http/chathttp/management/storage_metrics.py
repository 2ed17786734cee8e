"""The metrics of attachments, and of what deleted conversations leave."""

from attrs import frozen
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from actors.attachments.desk import AttachmentFigures


@frozen(kw_only=True)
class TransferFigures:
    """Files that go through the node; `refused` is since the start."""

    active: int
    refused: int


@frozen(kw_only=True)
class PurgeFigures:
    """Of deleted conversations' messages. Totals are since the start."""

    pending: bool
    purged: int
    failures: int


def attachment_families(figures: AttachmentFigures, transfers: TransferFigures | None) -> list[Metric]:
    """`transfers` is None where clients go to S3."""
    families: list[Metric] = [
        CounterMetricFamily("stackmentor_attachments_promised_total", "Uploads that were asked for.", figures.promised),
        CounterMetricFamily("stackmentor_attachments_stored_total", "Uploads that were seen whole.", figures.stored),
        CounterMetricFamily(
            "stackmentor_attachments_expired_total", "Attachments that no message bore in time.", figures.expired
        ),
        CounterMetricFamily("stackmentor_attachments_deleted_total", "Files that were deleted.", figures.deleted),
        CounterMetricFamily("stackmentor_attachment_sweeps_total", "Searches for files to delete.", figures.sweeps),
        CounterMetricFamily(
            "stackmentor_attachment_sweep_failures_total",
            "Searches that database or file storage refused.",
            figures.sweeps_failed,
        ),
    ]
    if transfers is None:
        return families
    return [
        *families,
        GaugeMetricFamily("stackmentor_transfers", "Files that go in or out just now.", transfers.active),
        CounterMetricFamily(
            "stackmentor_transfers_refused_total",
            "Files that were refused because too many went at once.",
            transfers.refused,
        ),
    ]


def purge_families(figures: PurgeFigures) -> list[Metric]:
    return [
        GaugeMetricFamily(
            "stackmentor_purge_pending", "1 while messages of deleted conversations are left.", figures.pending
        ),
        CounterMetricFamily(
            "stackmentor_purged_messages_total", "Messages of deleted conversations deleted.", figures.purged
        ),
        CounterMetricFamily("stackmentor_purge_failures_total", "Purges that the database refused.", figures.failures),
    ]
