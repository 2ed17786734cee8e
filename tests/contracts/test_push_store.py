"""The outbox of pushes on PostgreSQL."""

from uuid import uuid4

from actors.adapters.postgres.push import PostgresPushes
from actors.push.ports import Wanted
from tests.kit.chat import database_for_tests, running


async def test_a_push_is_taken_by_one_tried_again_renewed_by_a_newer_message_and_given_up(database_url: str) -> None:
    async with running(database_for_tests(database_url)) as database:
        pushes, user_id, room = PostgresPushes(database), uuid4(), uuid4()
        assert await pushes.queue([Wanted(user_id, room, 1)], delay=0.0) == 1
        assert await pushes.queue([Wanted(user_id, room, 1)], delay=0.0) == 0
        (job,) = await pushes.take(limit=5, lease=60.0)
        assert (job.seq, job.attempt, job.push) == (1, 1, None)
        assert await pushes.take(limit=5, lease=60.0) == []
        await pushes.failed(job, ["phone"], delay=0.0)
        (job,) = await pushes.take(limit=5, lease=60.0)
        assert job.attempt == 2
        # A newer message is not given up with the older one.
        assert await pushes.queue([Wanted(user_id, room, 2)], delay=0.0) == 1
        await pushes.failed(job, ["phone"], delay=None)
        (job,) = await pushes.take(limit=5, lease=60.0)
        assert (job.seq, job.attempt) == (2, 1)
        await pushes.sent(job, delay=0.0)
        assert (await pushes.waiting()).pending == 0
        await pushes.sweep(older_than=0.0)
        assert await pushes.queue([Wanted(user_id, room, 2)], delay=0.0) == 1
