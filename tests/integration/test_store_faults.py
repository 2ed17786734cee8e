"""The store when connections, or all of PostgreSQL, die or freeze under it."""

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
import trio
import trio.testing

from actors.adapters.postgres.database import Database
from actors.adapters.postgres.lane import LaneStatus
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Appended, NewMessage
from tests.kit.chat import Chat, appended, database_for_tests, postgres_chat, running
from tests.kit.pglocks import holding_lock, terminate, until_blocked
from tests.kit.pgproxy import PostgresProxy, postgres_proxy
from tests.kit.postgres import PostgresServer


async def until(database: Database, status: LaneStatus) -> None:
    with trio.fail_after(20):
        while True:
            if database.state.status is status:
                return
            await trio.sleep(0.02)


@asynccontextmanager
async def lone_node(proxy: PostgresProxy) -> AsyncGenerator[Database]:
    """One connection for queries and one for appends, both there already."""
    async with running(database_for_tests(proxy.url, pool_size=1)) as database:
        await until(database, LaneStatus.UP)
        yield database


async def refused(database: Database) -> ErrorCode:
    with pytest.raises(ChatError) as refusal:
        await database.fetchval("SELECT 1")
    return refusal.value.code


async def texts(chat: Chat, room: UUID) -> list[str]:
    stored = await chat.history.oldest(room, after_seq=0, limit=100_000)
    assert [each.seq for each in stored] == list(range(1, len(stored) + 1))
    return [each.text for each in stored]


async def test_a_connection_killed_during_an_append_costs_nothing(database_url: str) -> None:
    async with running(database_for_tests(database_url)) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        room = await chat.group(ann)
        outcomes: list[Appended] = []

        async def send() -> None:
            outcomes.extend(await chat.say(room, ann, "one", "two"))

        async with trio.open_nursery() as nursery:
            with holding_lock(database_url, room):
                nursery.start_soon(send)
                terminate(database_url, await until_blocked(database_url))
                await until_blocked(database_url)
        assert [(each.seq, each.was_new) for each in outcomes] == [(1, True), (2, True)]
        assert await texts(chat, room) == ["one", "two"]


@pytest.mark.parametrize("client_message_id", [None, "mine"])
@pytest.mark.parametrize("count", [1, 9])
async def test_an_append_whose_answer_is_lost_after_the_commit_is_answered_from_the_database(
    database_url: str, client_message_id: str | None, count: int
) -> None:
    async with postgres_proxy(database_url) as proxy, lone_node(proxy) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        room = await chat.group(ann)
        for _ in range(2):
            await chat.say(room, ann, *["before"] * count)
        messages = [
            chat.message(room, ann, "lost", client_message_id and f"{client_message_id}-{i}") for i in range(count)
        ]
        proxy.cut_answer_after(1)
        outcomes = await chat.post(*messages)
        assert proxy.cuts == 1
        assert [(each.seq, each.rev, each.was_new) for each in outcomes] == [
            (2 * count + i, 2 * count + i, True) for i in range(1, count + 1)
        ]
        assert await texts(chat, room) == ["before"] * 2 * count + ["lost"] * count


async def test_an_edit_whose_answer_is_lost_has_an_unknown_outcome(database_url: str) -> None:
    async with postgres_proxy(database_url) as proxy, lone_node(proxy) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        room = await chat.group(ann)
        [first] = await chat.say(room, ann, "before")
        proxy.cut_answer_after(3)
        with pytest.raises(ChatError) as refusal:
            await chat.log.edit(room, first.id, ann, "after")
        assert refusal.value.code is ErrorCode.UNAVAILABLE
        assert proxy.cuts == 1
        await chat.say(room, ann, "and on")


async def test_a_query_on_a_dying_connection_is_asked_again(database_url: str) -> None:
    async with postgres_proxy(database_url) as proxy, lone_node(proxy) as database:
        for number in range(5):
            proxy.cut_answer_after(1)
            assert await database.fetchval("SELECT 7") == 7
            assert proxy.cuts == number + 1


async def test_connections_that_cannot_be_had_take_no_work_from_one_that_can(database_url: str) -> None:
    async with postgres_proxy(database_url) as proxy, running(database_for_tests(proxy.url, pool_size=3)) as database:

        async def pids() -> list[int]:
            found: set[int] = set()

            async def ask() -> None:
                found.add(await database.fetchval("SELECT pg_backend_pid() FROM pg_sleep(0.2)"))

            with trio.fail_after(20):
                while len(found) < 3:
                    found.clear()
                    async with trio.open_nursery() as nursery:
                        for _ in range(3):
                            nursery.start_soon(ask)
            return sorted(found)

        for kept in range(3):
            proxy.limit = None
            others = await pids()
            others.pop(kept)
            proxy.limit = 0
            for pid in others:
                terminate(database_url, pid)
            await trio.sleep(0.1)
            for _ in range(30):
                with trio.fail_after(1):
                    assert await database.fetchval("SELECT 1") == 1
                    await trio.testing.wait_all_tasks_blocked()


async def test_random_kills_lose_and_double_no_message(database_url: str) -> None:
    async with running(database_for_tests(database_url)) as database:
        chat = postgres_chat(database)
        people = await chat.people(10)
        room = await chat.group(*people)
        acknowledged: dict[UUID, int] = {}
        unknown: set[UUID] = set()
        codes: set[ErrorCode] = set()
        rng = random.Random(5)
        done = trio.Event()

        async def send(sender: UUID) -> None:
            for _ in range(60):
                message = chat.message(room, sender)
                try:
                    [outcome] = appended(await chat.log.append([message]))
                except ChatError as refusal:
                    codes.add(refusal.code)
                    unknown.add(message.id)
                else:
                    assert (outcome.id, outcome.was_new) == (message.id, True)
                    acknowledged[message.id] = outcome.seq

        async def kill() -> None:
            while not done.is_set():
                terminate(database_url)
                await trio.sleep(0.02 + rng.random() / 20)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(kill)
            async with trio.open_nursery() as senders:
                for each in people:
                    senders.start_soon(send, each)
            done.set()
        await until(database, LaneStatus.UP)
        stored = {each.id: each.seq for each in await chat.history.oldest(room, after_seq=0, limit=10_000)}
        assert sorted(stored.values()) == list(range(1, len(stored) + 1))
        assert acknowledged.items() <= stored.items()
        assert stored.keys() <= acknowledged.keys() | unknown
        assert codes <= {ErrorCode.UNAVAILABLE}
        assert len(acknowledged) > 300


async def test_a_killed_server_is_refused_at_once_and_heals(own_server: PostgresServer) -> None:
    url = own_server.fresh_database()
    async with running(database_for_tests(url)) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        room = await chat.group(ann)
        await chat.say(room, ann, "before")
        await trio.to_thread.run_sync(own_server.kill)
        await until(database, LaneStatus.DOWN)
        assert database.state.error is not None
        start = trio.current_time()
        assert await refused(database) is ErrorCode.UNAVAILABLE
        with pytest.raises(ChatError) as refusal:
            await chat.say(room, ann, "lost")
        assert refusal.value.code is ErrorCode.UNAVAILABLE
        with pytest.raises(ChatError):
            await database.ping(5)
        assert trio.current_time() - start < 0.5
        await trio.to_thread.run_sync(own_server.start)
        await until(database, LaneStatus.UP)
        assert database.state.error is None
        assert await database.ping(5) < 5
        await chat.say(room, ann, "after")
        assert await texts(chat, room) == ["before", "after"]


async def test_it_starts_without_a_server_and_finds_it_later(own_server: PostgresServer) -> None:
    url = own_server.fresh_database()
    await trio.to_thread.run_sync(own_server.stop)
    async with running(database_for_tests(url)) as database:
        await until(database, LaneStatus.DOWN)
        assert await refused(database) is ErrorCode.UNAVAILABLE
        await trio.to_thread.run_sync(own_server.start)
        await until(database, LaneStatus.UP)
        assert await database.fetchval("SELECT 1") == 1


async def test_a_frozen_server_is_given_up_in_time_and_heals(own_server: PostgresServer) -> None:
    url = own_server.fresh_database()
    async with running(database_for_tests(url, statement_timeout=0.5, connect_timeout=0.5)) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        room = await chat.group(ann)
        mine = [chat.message(room, ann, "frozen") for _ in range(3)]
        unknown: list[NewMessage] = []

        async def send(message: NewMessage) -> None:
            start = trio.current_time()
            with pytest.raises(ChatError) as refusal:
                await chat.log.append([message])
            assert refusal.value.code is ErrorCode.UNAVAILABLE
            assert trio.current_time() - start < 2
            unknown.append(message)

        own_server.freeze()
        try:
            start = trio.current_time()
            async with trio.open_nursery() as nursery:
                for each in mine:
                    nursery.start_soon(send, each)
                assert await refused(database) is ErrorCode.UNAVAILABLE
            assert trio.current_time() - start < 2
            await until(database, LaneStatus.DOWN)
            start = trio.current_time()
            assert await refused(database) is ErrorCode.UNAVAILABLE
            assert trio.current_time() - start < 0.2
        finally:
            own_server.thaw()
        await until(database, LaneStatus.UP)
        assert unknown
        repeated = appended(await chat.log.append([chat.message(room, ann, "after")]))
        stored = await texts(chat, room)
        assert stored[-1] == "after"
        assert repeated[0].seq == len(stored) <= 4


async def test_a_pause_shorter_than_the_time_out_only_delays(own_server: PostgresServer) -> None:
    url = own_server.fresh_database()
    async with running(database_for_tests(url)) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        room = await chat.group(ann)
        async with trio.open_nursery() as nursery:
            own_server.freeze()
            nursery.start_soon(chat.say, room, ann, "delayed")
            await trio.sleep(3)
            own_server.thaw()
        assert await texts(chat, room) == ["delayed"]
        assert database.state.status is LaneStatus.UP


async def test_a_statement_over_its_time_is_ended_by_the_server(database_url: str) -> None:
    async with running(database_for_tests(database_url, statement_timeout=0.3)) as database:
        pid = await database.transaction(lambda connection: connection.fetchval("SELECT pg_backend_pid()"))
        start = trio.current_time()
        with pytest.raises(ChatError) as refusal:
            await database.execute("SELECT pg_sleep(30)")
        assert refusal.value.code is ErrorCode.UNAVAILABLE
        assert trio.current_time() - start < 1
        assert database.state.status is LaneStatus.UP
        alive = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"
        assert await database.fetchval(alive, pid) == 1


async def test_an_append_that_cannot_get_its_lock_is_unavailable_and_leaves_nothing(database_url: str) -> None:
    async with running(database_for_tests(database_url, statement_timeout=0.3)) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        room = await chat.group(ann)
        with holding_lock(database_url, room), pytest.raises(ChatError) as refusal:
            await chat.say(room, ann, "blocked")
        assert refusal.value.code is ErrorCode.UNAVAILABLE
        await chat.say(room, ann, "free")
        assert await texts(chat, room) == ["free"]


async def test_a_full_queue_of_queries_refuses_and_counts(database_url: str) -> None:
    database = Database(database_url, rng=random.Random(1), pool_size=1, queue_limit=2)
    async with running(database):
        await database.fetchval("SELECT 1")
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(database.fetchval, "SELECT pg_sleep(0.3)")
                await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(ChatError) as refusal:
                await database.fetchval("SELECT 1")
            assert refusal.value.code is ErrorCode.OVERLOADED
        assert database.overloads == 1
        assert await database.fetchval("SELECT 1") == 1


async def test_what_is_under_way_at_a_stop_is_finished(database_url: str) -> None:
    database = database_for_tests(database_url)
    async with running(database):
        chat = postgres_chat(database)
        ann = await chat.user()
        room = await chat.group(ann)
    async with trio.open_nursery() as callers, trio.open_nursery() as owner:
        await owner.start(database.run)
        with holding_lock(database_url, room):
            callers.start_soon(chat.say, room, ann, "under way")
            await until_blocked(database_url)
            owner.cancel_scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(ChatError) as refusal:
        await chat.say(room, ann, "too late")
    assert refusal.value.code is ErrorCode.UNAVAILABLE
    async with running(database):
        assert await texts(chat, room) == ["under way"]
