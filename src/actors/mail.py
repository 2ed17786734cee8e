"""Mails that wait until they can be sent."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import trio
from attrs import define, field, frozen

from actors.rounds import RoundFigures, every
from chatcore.errors import ChatError


@frozen
class Mail:
    """Not sent at all after `expires_at`. `attempt` counts from 1."""

    id: UUID
    to: str
    subject: str
    text: str
    written_at: datetime
    attempt: int


class MailStore(Protocol):
    """All may raise `UNAVAILABLE` and `OVERLOADED`."""

    async def add(self, to: str, subject: str, text: str, *, written_at: datetime, expires_at: datetime) -> None: ...

    async def take(self, *, limit: int, lease: float) -> Sequence[Mail]:
        """Those due, by age. Each comes to one taker, until the lease is over."""
        ...

    async def delete(self, mail: Mail) -> None: ...

    async def put_off(self, mail: Mail, *, delay: float) -> None: ...

    async def expire(self) -> int:
        """Delete those whose time is over; their number."""
        ...

    async def waiting(self) -> int: ...


class MailTransport(Protocol):
    async def send(self, to: str, subject: str, text: str, now: datetime) -> None:
        """Errors: `OSError` when it cannot be handed over."""
        ...


@frozen
class MailPolicy:
    """In seconds. After each failure the wait doubles, from `backoff` to `backoff_max`, less up to half by chance."""

    interval: float = 1.0
    concurrency: int = 2
    backoff: float = 2.0
    backoff_max: float = 60.0
    lease: float = 60.0


@define
class MailFigures:
    """Of this node since its start; `waiting` is of all."""

    sent: int = 0
    failed: int = 0
    expired: int = 0
    waiting: int = 0
    rounds: RoundFigures = field(factory=RoundFigures)


class OutboxMailer:
    """A mailer that is done when the mail is stored. A mail is good for `lifetime` seconds."""

    def __init__(self, store: MailStore, *, lifetime: float) -> None:
        self._store = store
        self._lifetime = timedelta(seconds=lifetime)

    async def send(self, to: str, subject: str, text: str, now: datetime) -> None:
        await self._store.add(to, subject, text, written_at=now, expires_at=now + self._lifetime)


class MailRelay:
    """Permanent, on every node. It takes no more than it can send at once; the rest waits in the store."""

    def __init__(self, store: MailStore, transport: MailTransport, policy: MailPolicy, rng: random.Random) -> None:
        self._store = store
        self._transport = transport
        self._policy = policy
        self._rng = rng
        self.figures = MailFigures()

    async def run(self) -> None:
        await every(self._policy.interval, self._round, self.figures.rounds, trio.Event)

    async def _round(self) -> None:
        self.figures.expired += await self._store.expire()
        while mails := await self._store.take(limit=self._policy.concurrency, lease=self._policy.lease):
            async with trio.open_nursery() as nursery:
                for mail in mails:
                    nursery.start_soon(self._do, mail)
        self.figures.waiting = await self._store.waiting()

    async def _do(self, mail: Mail) -> None:
        policy = self._policy
        try:
            try:
                await self._transport.send(mail.to, mail.subject, mail.text, mail.written_at)
            except OSError:
                self.figures.failed += 1
                wait = min(policy.backoff_max, policy.backoff * 2.0 ** (mail.attempt - 1))
                await self._store.put_off(mail, delay=wait * (1 - self._rng.random() / 2))
            else:
                self.figures.sent += 1
                await self._store.delete(mail)
        except ChatError:
            # It is taken anew when the lease is over.
            self.figures.rounds.failed += 1
