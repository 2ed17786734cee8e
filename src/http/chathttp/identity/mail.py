"""How one-time codes reach people."""

import logging
import re
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTPUTF8
from pathlib import Path
from typing import Protocol

import trio

_log = logging.getLogger(__name__)


class Mailer(Protocol):
    async def send(self, to: str, subject: str, text: str, now: datetime) -> None:
        """Errors: `OSError` when it cannot be handed over."""
        ...


class FileMailer:
    """Writes every mail as a file `<unix ms>-<address>.eml` for a person, or a test, to open."""

    def __init__(self, directory: Path, sender: str = "no-reply@stackmentor.local") -> None:
        self._directory = directory
        self._sender = sender

    async def send(self, to: str, subject: str, text: str, now: datetime) -> None:
        mail = EmailMessage(policy=SMTPUTF8)
        mail["From"], mail["To"], mail["Subject"], mail["Date"] = self._sender, to, subject, now
        mail.set_content(text)
        name = f"{int(now.timestamp() * 1000)}-{re.sub(r'[^A-Za-z0-9.@_+-]', '_', to)[:150]}.eml"
        path = self._directory / name
        await trio.to_thread.run_sync(self._write, path, mail.as_bytes())
        _log.info("mail to %s written: %s", to, path)

    def _write(self, path: Path, data: bytes) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(data)
