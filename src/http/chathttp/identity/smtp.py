"""Mail by SMTP (RFC 5321)."""

import logging
import smtplib
import ssl
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTPUTF8
from typing import Self
from urllib.parse import unquote, urlsplit

import trio
from attrs import field, frozen

_log = logging.getLogger(__name__)


@frozen
class SmtpServer:
    """`tls` is from the first byte on (RFC 8314); otherwise by STARTTLS, which a password demands."""

    host: str
    port: int
    tls: bool
    user: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, url: str) -> Self:
        """`smtp://user:password@host:587` or `smtps://…:465`; user and password are percent-encoded."""
        parts = urlsplit(url)
        tls = parts.scheme == "smtps"
        return cls(
            parts.hostname or "",
            parts.port or (465 if tls else 587),
            tls,
            unquote(parts.username or ""),
            unquote(parts.password or ""),
        )


class SmtpMailer:
    """Sends each mail over a connection of its own, in a thread, at most `concurrency` at once.

    `timeout`, in seconds, is of each exchange with the server; a mail as a whole has three times as long. `context`
    tells which certificates are believed.
    """

    def __init__(
        self,
        server: SmtpServer,
        *,
        sender: str,
        timeout: float,
        concurrency: int,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._sender = sender
        self._timeout = timeout
        self._limiter = trio.CapacityLimiter(concurrency)
        self._context = context or ssl.create_default_context()

    async def send(self, to: str, subject: str, text: str, now: datetime) -> None:
        """Errors: `OSError`, which smtplib's are, when the server has not taken it."""
        mail = EmailMessage(policy=SMTPUTF8)
        mail["From"], mail["To"], mail["Subject"], mail["Date"] = self._sender, to, subject, now
        mail.set_content(text)
        with trio.move_on_after(3 * self._timeout):
            try:
                # A thread that is left behind ends with its socket's time-out, and holds its place until then.
                await trio.to_thread.run_sync(self._send, mail, limiter=self._limiter, abandon_on_cancel=True)
            except OSError as error:
                _log.warning("a mail was not sent: %s", type(error).__name__)
                raise
            return
        _log.warning("a mail was not sent within %g s", 3 * self._timeout)
        raise TimeoutError("the mail server is too slow")

    def _send(self, mail: EmailMessage) -> None:
        server = self._server
        with self._connect() as smtp:
            if not server.tls:
                smtp.ehlo()
                if server.user or smtp.has_extn("starttls"):
                    smtp.starttls(context=self._context)
            if server.user:
                smtp.login(server.user, server.password)
            smtp.send_message(mail)

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        if server.tls:
            return smtplib.SMTP_SSL(server.host, server.port, timeout=self._timeout, context=self._context)
        return smtplib.SMTP(server.host, server.port, timeout=self._timeout)
