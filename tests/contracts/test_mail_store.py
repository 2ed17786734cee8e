"""The outbox of mails on PostgreSQL."""

from datetime import UTC, datetime, timedelta

from actors.adapters.postgres.mails import PostgresMails
from tests.kit.chat import database_for_tests, running


async def test_a_mail_is_taken_by_one_put_off_and_deleted_and_an_expired_one_is_never_taken(database_url: str) -> None:
    async with running(database_for_tests(database_url)) as database:
        mails, now = PostgresMails(database), datetime.now(UTC)
        await mails.add("jan@example.com", "Hello", "text", written_at=now, expires_at=now + timedelta(hours=1))
        await mails.add("eva@example.com", "Late", "text", written_at=now, expires_at=now - timedelta(seconds=1))
        (mail,) = await mails.take(limit=5, lease=60.0)
        assert (mail.to, mail.subject, mail.text, mail.written_at) == ("jan@example.com", "Hello", "text", now)
        assert mail.attempt == 1
        assert await mails.take(limit=5, lease=60.0) == []
        await mails.put_off(mail, delay=0.0)
        (again,) = await mails.take(limit=5, lease=60.0)
        assert (again.id, again.attempt) == (mail.id, 2)
        assert (await mails.waiting(), await mails.expire(), await mails.waiting()) == (2, 1, 1)
        await mails.delete(again)
        assert await mails.waiting() == 0
