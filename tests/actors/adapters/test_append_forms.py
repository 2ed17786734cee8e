"""Which statement an append takes, told by the server's count of rollbacks, and what the schema refuses."""

from uuid import UUID

import psycopg
import pytest
import trio
import trio.testing
from psycopg import errors

from chatcore.model import NewMessage
from tests.kit.chat import appended, database_for_tests, postgres_chat, running
from tests.kit.pglocks import holding_lock, until_blocked


def rollbacks(url: str) -> int:
    """Of sessions that ended or are idle for long enough to have reported."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return row[0]


async def test_a_swarm_of_repeats_is_tried_the_short_way_once(database_url: str) -> None:
    async with running(database_for_tests(database_url)) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        room = await chat.group(ann)
        first = await chat.post(*(chat.message(room, ann, client_message_id=f"m{n}") for n in range(10)))
        for n, original in enumerate(first):
            [repeat] = await chat.post(chat.message(room, ann, client_message_id=f"m{n}"))
            assert (repeat.id, repeat.was_new) == (original.id, False)
    assert rollbacks(database_url) == 1


async def test_sound_messages_are_never_rolled_back(database_url: str) -> None:
    async with running(database_for_tests(database_url)) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        room = await chat.group(ann)
        [first] = await chat.say(room, ann, "alone")
        await chat.say(room, ann, "one", "two", "three")
        await chat.post(chat.message(room, ann, "answer", reply_to=first.id), chat.message(room, ann))
        await chat.post(chat.message(room, ann, "answer", reply_to=first.id))
        assert (await chat.load(room)).last_seq == 7
    assert rollbacks(database_url) == 0


async def test_who_was_removed_while_his_message_waited_for_the_lock_may_not_write(database_url: str) -> None:
    async with running(database_for_tests(database_url)) as database:
        chat = postgres_chat(database)
        ann, bob = await chat.people(2)
        room = await chat.group(ann, bob)
        outcomes: list[object] = []

        async def send() -> None:
            outcomes.extend(await chat.log.append([chat.message(room, bob)]))

        with psycopg.connect(database_url) as other:
            other.execute("SELECT FROM conversations WHERE id = %s FOR UPDATE", (room,))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                await until_blocked(database_url)
                other.execute("UPDATE conversations SET rev = rev + 1 WHERE id = %s", (room,))
                other.execute("DELETE FROM participants WHERE user_id = %s", (bob,))
                other.commit()
        assert [str(getattr(each, "code", each)) for each in outcomes] == ["FORBIDDEN"]
        after = await chat.load(room)
        assert (after.last_seq, after.rev) == (0, 1)


async def test_a_message_that_waited_for_the_lock_is_numbered_after_what_came_before_it(database_url: str) -> None:
    async with running(database_for_tests(database_url)) as one, running(database_for_tests(database_url)) as two:
        first, second = postgres_chat(one), postgres_chat(two)
        ann = await first.user()
        room = await first.group(ann)
        ids = [UUID(int=n, version=4) for n in (1, 2)]
        numbers: list[int] = []

        async def send(number: int) -> None:
            chat = (first, second)[number]
            message = NewMessage(ids[number], room, ann, "text")
            numbers.extend(each.seq for each in appended(await chat.log.append([message])))

        async with trio.open_nursery() as nursery:
            with holding_lock(database_url, room):
                nursery.start_soon(send, 0)
                nursery.start_soon(send, 1)
                await until_blocked(database_url)
                await trio.testing.wait_all_tasks_blocked()
        assert sorted(numbers) == [1, 2]
    the_holders_of_the_lock = 1
    assert rollbacks(database_url) == the_holders_of_the_lock


USER = "00000000-0000-0000-0000-00000000000"
CONVERSATION = "INSERT INTO conversations (id, type, direct_low, direct_high, active_at, created_at, updated_at)"


@pytest.mark.parametrize(
    "statement",
    [
        f"{CONVERSATION} VALUES (gen_random_uuid(), 'OTHER', NULL, NULL, now(), now(), now())",
        f"{CONVERSATION} VALUES (gen_random_uuid(), 'GROUP', '{USER}1', NULL, now(), now(), now())",
        f"{CONVERSATION} VALUES (gen_random_uuid(), 'DIRECT', '{USER}1', NULL, now(), now(), now())",
        f"{CONVERSATION} VALUES (gen_random_uuid(), 'DIRECT', '{USER}2', '{USER}1', now(), now(), now())",
        "UPDATE conversations SET type = 'GROUP'",
        "UPDATE conversations SET direct_high = direct_low",
        "UPDATE participants SET role = 'king'",
        "UPDATE messages SET body = repeat('x', 10001)",
    ],
)
def test_the_schema_refuses_what_the_store_never_writes(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            f"INSERT INTO users (id, email, name) VALUES ('{USER}1', 'a@b', 'A'), ('{USER}2', 'b@b', 'B')"
        )
        connection.execute(f"{CONVERSATION} VALUES ('{USER}9', 'DIRECT', '{USER}1', '{USER}2', now(), now(), now())")
        connection.execute(f"INSERT INTO participants VALUES ('{USER}9', '{USER}1', 'owner', now(), 0, 0)")
        connection.execute(
            "INSERT INTO messages (conversation_id, seq, id, sender_id, created_rev, rev, created_at, body)"
            f" VALUES ('{USER}9', 1, gen_random_uuid(), '{USER}1', 1, 1, now(), 'x')"
        )
        with pytest.raises(errors.CheckViolation):
            connection.execute(statement.encode())
