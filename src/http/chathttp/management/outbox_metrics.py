"""The metrics of pushes and mails."""

from attrs import frozen
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from actors.mail import MailFigures
from actors.push.finder import FinderFigures
from actors.push.relay import RelayFigures


@frozen(kw_only=True)
class OutboxFigures:
    """`mails` is None where mails are files."""

    finder: FinderFigures
    relay: RelayFigures
    mails: MailFigures | None


def outbox_families(figures: OutboxFigures) -> list[Metric]:
    finder, relay, mails = figures.finder, figures.relay, figures.mails
    counters = [
        ("push_queued_total", "Messages for which this node has queued or renewed a push.", finder.queued),
        ("push_sent_total", "Pushes that a provider has taken, one a device.", relay.sent),
        ("push_failed_total", "Tries to send a push to a device that failed.", relay.failed),
        ("push_tokens_gone_total", "Devices deleted, as the provider knows them no more.", relay.gone),
        ("push_dropped_total", "Pushes given up after the last attempt.", relay.dropped),
        ("push_void_total", "Pushes that had nothing to tell any more.", relay.void),
        (
            "push_outbox_failures_total",
            "Times that the database, or presence, failed the outbox of pushes.",
            finder.rounds.failed + relay.rounds.failed,
        ),
    ]
    gauges = [
        ("push_pending", "Pushes of all nodes that are not sent yet.", float(finder.waiting.pending)),
        ("push_oldest_seconds", "Age of the oldest of them.", finder.waiting.oldest_age),
    ]
    if mails is not None:
        counters += [
            ("mail_sent_total", "Mails that the server has taken.", mails.sent),
            ("mail_failed_total", "Tries to send a mail that failed.", mails.failed),
            ("mail_expired_total", "Mails whose code expired before they could be sent.", mails.expired),
            ("mail_outbox_failures_total", "Times that the database failed the outbox of mails.", mails.rounds.failed),
        ]
        gauges.append(("mail_pending", "Mails of all nodes that are not sent yet.", float(mails.waiting)))
    return [
        *(CounterMetricFamily(f"stackmentor_{name}", doc, value) for name, doc, value in counters),
        *(GaugeMetricFamily(f"stackmentor_{name}", doc, value) for name, doc, value in gauges),
    ]
