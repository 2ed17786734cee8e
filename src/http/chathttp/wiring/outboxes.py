"""The outboxes of a node: pushes to devices, and mails."""

import random
from uuid import UUID

from actors.adapters.push.log import LogSender
from actors.adapters.push.webhook import WebhookSender
from actors.mail import MailPolicy, MailRelay, OutboxMailer
from actors.presence.ports import PresenceLookup
from actors.push.finder import FinderPolicy, PushFinder
from actors.push.ports import PushSender
from actors.push.relay import PushRelay, RelayPolicy
from chathttp.identity.mail import FileMailer, Mailer
from chathttp.identity.smtp import SmtpMailer, SmtpServer
from chathttp.management.outbox_metrics import OutboxFigures
from chathttp.policies import doubt_seconds
from chathttp.settings import Settings
from chathttp.wiring.stores import Stores


class Outboxes:
    """Built, not yet running. `mails` is None where mails are files, which need no second try.

    `mailer` is what a code is given to: done when it is stored.
    """

    def __init__(
        self, settings: Settings, stores: Stores, presence: PresenceLookup, holder: UUID, rng: random.Random
    ) -> None:
        self.finder = PushFinder(stores.pushes, stores.claims, presence, finder_policy(settings), holder)
        self.pushes = PushRelay(stores.pushes, _sender(settings), relay_policy(settings), rng)
        self.mailer: Mailer = FileMailer(settings.data_dir / "mail")
        self.mails: MailRelay | None = None
        if settings.smtp_url:
            transport = SmtpMailer(
                SmtpServer.of(settings.smtp_url),
                sender=settings.mail_from,
                timeout=settings.smtp_timeout,
                concurrency=settings.smtp_concurrency,
            )
            self.mails = MailRelay(stores.mails, transport, mail_policy(settings), rng)
            self.mailer = OutboxMailer(stores.mails, lifetime=settings.code_lifetime)

    def figures(self) -> OutboxFigures:
        return OutboxFigures(
            finder=self.finder.figures,
            relay=self.pushes.figures,
            mails=None if self.mails is None else self.mails.figures,
        )


def finder_policy(settings: Settings) -> FinderPolicy:
    return FinderPolicy(
        interval=settings.push_interval,
        delay=settings.push_delay,
        settle=doubt_seconds(settings) + settings.push_clock_skew,
        lease=settings.push_claim_lease,
    )


def relay_policy(settings: Settings) -> RelayPolicy:
    return RelayPolicy(
        interval=settings.push_interval,
        delay=settings.push_delay,
        concurrency=settings.push_concurrency,
        attempts=settings.push_attempts,
        backoff=settings.push_backoff,
        backoff_max=settings.push_backoff_max,
        lease=settings.push_lease,
    )


def mail_policy(settings: Settings) -> MailPolicy:
    # A mail has three times the time of one exchange, and comes to nobody else before that.
    return MailPolicy(concurrency=settings.smtp_concurrency, lease=4 * settings.smtp_timeout)


def _sender(settings: Settings) -> PushSender:
    if not settings.push_url:
        return LogSender()
    return WebhookSender(
        settings.push_url,
        secret=settings.push_secret,
        timeout=settings.push_timeout,
        concurrency=settings.push_concurrency,
    )
