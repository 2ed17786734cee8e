"""The relay of mails, over a store in memory and a transport that can fail."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import trio
import trio.testing
from attrs import define, evolve, field

from actors.mail import Mail, MailPolicy, MailRelay, OutboxMailer

AT = datetime(2026, 1, 1, tzinfo=UTC)


@define
class _Row:
    mail: Mail
    due_at: float
    expires_at: float


@define
class _Store:
    """`MailStore` by the clock of Trio; the time 0 is `AT`."""

    rows: dict[UUID, _Row] = field(factory=dict[UUID, _Row])

    async def add(self, to: str, subject: str, text: str, *, written_at: datetime, expires_at: datetime) -> None:
        mail = Mail(uuid4(), to, subject, text, written_at, 0)
        self.rows[mail.id] = _Row(mail, 0.0, (expires_at - AT).total_seconds())

    async def take(self, *, limit: int, lease: float) -> Sequence[Mail]:
        now = trio.current_time()
        due = [row for row in self.rows.values() if row.due_at <= now < row.expires_at][:limit]
        for row in due:
            row.mail, row.due_at = evolve(row.mail, attempt=row.mail.attempt + 1), now + lease
        return [row.mail for row in due]

    async def delete(self, mail: Mail) -> None:
        del self.rows[mail.id]

    async def put_off(self, mail: Mail, *, delay: float) -> None:
        self.rows[mail.id].due_at = trio.current_time() + delay

    async def expire(self) -> int:
        now = trio.current_time()
        dead = [key for key, row in self.rows.items() if row.due_at <= now and row.expires_at <= now]
        for key in dead:
            del self.rows[key]
        return len(dead)

    async def waiting(self) -> int:
        return len(self.rows)


@define
class _Transport:
    refuse: bool = False
    tries: list[float] = field(factory=list[float])
    sent: list[str] = field(factory=list[str])

    async def send(self, to: str, subject: str, text: str, now: datetime) -> None:
        self.tries.append(trio.current_time())
        if self.refuse:
            raise ConnectionRefusedError
        self.sent.append(to)


POLICY = MailPolicy(interval=1.0, concurrency=2, backoff=2.0, backoff_max=8.0, lease=60.0)


def relay(store: _Store, transport: _Transport) -> MailRelay:
    return MailRelay(store, transport, POLICY, random.Random(1))


async def test_a_mail_is_sent_once_and_no_more(autojump_clock: trio.testing.MockClock, nursery: trio.Nursery) -> None:
    store, transport = _Store(), _Transport()
    for number in range(5):
        await OutboxMailer(store, lifetime=900).send(f"{number}@example.com", "Hello", "text", AT)
    actor = relay(store, transport)
    nursery.start_soon(actor.run)
    await trio.sleep(30)
    assert sorted(transport.sent) == [f"{number}@example.com" for number in range(5)]
    assert (actor.figures.sent, actor.figures.waiting, store.rows) == (5, 0, {})


async def test_a_mail_is_tried_again_less_and_less_often_and_arrives_when_the_server_is_back(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    store, transport = _Store(), _Transport(refuse=True)
    await OutboxMailer(store, lifetime=900).send("jan@example.com", "Hello", "text", AT)
    actor = relay(store, transport)
    nursery.start_soon(actor.run)
    await trio.sleep(60)
    waits = [later - earlier for earlier, later in zip(transport.tries, transport.tries[1:], strict=False)]
    # The look after half the wait to the whole of it, and a second at most between looks.
    assert all(low / 2 <= wait <= low + 1 for wait, low in zip(waits, (2.0, 4.0, *([8.0] * 20)), strict=False))
    assert actor.figures.failed == len(transport.tries) > 5
    transport.refuse = False
    await trio.sleep(10)
    assert (transport.sent, store.rows) == (["jan@example.com"], {})


async def test_a_mail_whose_code_has_expired_is_not_sent_any_more(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    store, transport = _Store(), _Transport(refuse=True)
    await OutboxMailer(store, lifetime=timedelta(seconds=20).total_seconds()).send("jan@example.com", "Hello", "x", AT)
    actor = relay(store, transport)
    nursery.start_soon(actor.run)
    await trio.sleep(30)
    transport.refuse = False
    await trio.sleep(30)
    assert (transport.sent, actor.figures.expired, store.rows) == ([], 1, {})
    assert max(transport.tries) < 20
