"""Reads from a real streaming replica: what a user wrote he sees, whatever becomes of the replica."""

import random
import time
from collections.abc import Generator
from uuid import UUID

import pytest
import trio

from actors.adapters.postgres.replica import Reason, Replica, ReplicaPolicy
from actors.adapters.postgres.routed import ReadRouter, RoutedHistoryPages, RoutedUserDirectory
from chatcore.model import Mark
from tests.kit.chat import database_for_tests, postgres_chat, running
from tests.kit.postgres import own_postgres_server
from tests.kit.reading import PATIENT, Pair, backends, caught_up, eventually, reading
from tests.kit.replica import replica_of


@pytest.fixture(scope="module")
def servers() -> Generator[Pair]:
    with own_postgres_server() as primary, replica_of(primary) as replica:
        yield Pair(primary, replica)


@pytest.fixture
def pair(servers: Pair) -> Generator[Pair]:
    """The replica streams, and what a test did to it is undone."""
    yield servers
    servers.replica.start()
    servers.replica.resume()


async def test_what_was_written_is_read_from_the_replica(pair: Pair) -> None:
    async with reading(pair) as reader:
        chat = reader.chat
        ann, bob = await chat.people(2)
        group = await chat.group(ann, bob)
        await chat.say(group, ann, "tea one", "tea two")
        await caught_up(pair)
        assert await reader.newest(group, bob) == ["tea two", "tea one"]
        assert await reader.listed(bob) == [(group, "tea two", 0)]
        assert await reader.found(bob, "tea") == [("tea one", 0), ("tea two", 0)]
        assert await reader.found(ann, "tea", group) == [("tea one", 2), ("tea two", 2)]
        standing = await chat.standings.standing(group, ann)
        rev, pages = standing.rev, reader.pages
        later = await pages.oldest(group, after_seq=1, limit=5, user_id=ann, seen_rev=rev)
        changed = await pages.changed(group, after_rev=rev - 1, limit=5, user_id=ann, seen_rev=rev)
        assert [each.seq for each in later] == [each.seq for each in changed] == [2]
        assert (reader.router.on_replica, dict(reader.router.on_primary)) == (6, {})


async def test_a_user_sees_each_of_his_messages_at_once(pair: Pair) -> None:
    async with reading(pair) as reader:
        chat = reader.chat
        ann = await chat.user()
        group = await chat.group(ann)
        for number in range(60):
            await chat.say(group, ann, f"word {number}")
            match number % 3:
                case 0:
                    assert (await reader.newest(group, ann))[0] == f"word {number}"
                case 1:
                    assert await reader.listed(ann) == [(group, f"word {number}", number + 1)]
                case _:
                    assert (f"word {number}", number + 1) in await reader.found(ann, f"{number}")
        assert reader.router.on_replica > 0
        assert set(reader.router.on_primary) <= {Reason.STALE}


async def test_own_writes_are_seen_while_replay_is_paused(pair: Pair) -> None:
    async with reading(pair) as reader:
        chat = reader.chat
        ann, bob = await chat.people(2)
        group, other = await chat.group(ann, bob), await chat.group(ann, bob)
        (first, *_) = await chat.say(group, ann, "before")
        await chat.say(other, bob, "unchanged")
        await caught_up(pair)
        await trio.to_thread.run_sync(pair.replica.pause)
        await chat.say(group, ann, "after")
        await chat.log.edit(group, first.id, ann, "edited")
        new = await chat.group(ann)
        assert await reader.newest(group, ann) == ["after", "edited"]
        assert [each[:2] for each in await reader.listed(ann)] == [
            (new, None),
            *[(each, text) for each, text in ((group, "after"), (other, "unchanged"))],
        ]
        assert await reader.found(ann, "after") == [("after", 2)]
        assert await reader.found(ann, "edited", group) == [("edited", 2)]
        assert await reader.found(ann, "before") == []
        assert (reader.router.on_replica, dict(reader.router.on_primary)) == (0, {Reason.STALE: 5})
        # Where nothing has changed the replica serves on.
        assert await reader.newest(other, ann) == ["unchanged"]
        assert await reader.found(ann, "unchanged", other) == [("unchanged", 0)]
        assert reader.router.on_replica == 2
        await trio.to_thread.run_sync(pair.replica.resume)
        await caught_up(pair)
        assert await reader.newest(group, ann) == ["after", "edited"]
        assert reader.router.on_replica == 3


async def test_marks_and_memberships_are_the_primarys_while_replay_is_paused(pair: Pair) -> None:
    async with reading(pair) as reader:
        chat = reader.chat
        ann, bob = await chat.people(2)
        group, left = await chat.group(ann, bob), await chat.group(ann, bob)
        await chat.say(group, ann, "tea here", "tea again")
        await chat.say(left, ann, "tea there")
        await caught_up(pair)
        await trio.to_thread.run_sync(pair.replica.pause)
        await chat.conversations.remove_member(left, ann, bob)
        assert await reader.listed(bob) == [(group, "tea again", 0)]
        await chat.conversations.save_marks(group, [Mark(bob, 1, 2)])
        assert await reader.listed(bob) == [(group, "tea again", 1)]
        assert dict(reader.router.on_primary) == {Reason.STALE: 1}
        await chat.conversations.save_marks(group, [Mark(bob, 2, 2)])
        (mine, _) = (await reader.users.conversations(ann, before=None, limit=50))[-1]
        assert {each.user_id: each.last_read_seq for each in mine.participants} == {ann: 2, bob: 2}
        assert await reader.found(bob, "tea") == [("tea again", 2), ("tea here", 2)]
        assert await reader.found(bob, "tea", left) == []
        assert reader.router.on_replica == 3


async def test_what_is_on_its_way_is_waited_for(pair: Pair) -> None:
    patient = ReplicaPolicy(lag_limit=60.0, patience=30.0, probe_interval=0.05, probe_timeout=20.0)
    async with reading(pair, patient) as reader:
        chat = reader.chat
        ann = await chat.user()
        group = await chat.group(ann)
        await caught_up(pair)
        await trio.to_thread.run_sync(pair.replica.pause)
        await chat.say(group, ann, "one")

        async def read() -> None:
            assert await reader.newest(group, ann) == ["one"]

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.sleep(0.2)
            assert reader.router.on_replica == 0
            await trio.to_thread.run_sync(pair.replica.resume)
        assert (reader.router.on_replica, dict(reader.router.on_primary)) == (1, {})


async def test_a_replica_that_lags_too_far_is_not_read(pair: Pair) -> None:
    strict = ReplicaPolicy(lag_limit=1.5, patience=0.05, probe_interval=0.05, probe_timeout=20.0)
    async with reading(pair, strict) as reader:
        chat = reader.chat
        ann = await chat.user()
        group, other = await chat.group(ann), await chat.group(ann)
        await chat.say(other, ann, "unchanged")
        await caught_up(pair)
        await trio.to_thread.run_sync(pair.replica.pause)
        await chat.say(group, ann, "one")
        await reader.until(Reason.LAG)
        lag = reader.replica.state.lag
        assert lag is not None
        assert lag > 1.5
        assert await reader.newest(other, ann) == ["unchanged"]
        assert reader.router.on_primary[Reason.LAG] == 1
        await trio.to_thread.run_sync(pair.replica.resume)
        await reader.until(None)
        before = reader.router.on_replica
        assert await reader.newest(other, ann) == ["unchanged"]
        assert reader.router.on_replica == before + 1


async def test_a_replica_that_is_killed_is_missed_by_nobody_and_used_again(pair: Pair) -> None:
    async with reading(pair) as reader:
        chat = reader.chat
        ann = await chat.user()
        group = await chat.group(ann)
        await chat.say(group, ann, "tea")
        await caught_up(pair)
        reads = 0

        async def read_on(done: trio.Event) -> None:
            nonlocal reads
            while not done.is_set():
                assert await reader.newest(group, ann) == ["tea"]
                assert await reader.found(ann, "tea") == [("tea", 1)]
                assert await reader.listed(ann) == [(group, "tea", 1)]
                reads += 3

        done = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_on, done)
            await trio.sleep(0.1)
            await trio.to_thread.run_sync(pair.replica.kill)
            await reader.until(Reason.DOWN)
            refused = reader.router.on_primary.total()
            await trio.sleep(0.2)
            assert reader.router.on_primary.total() > refused
            await trio.to_thread.run_sync(pair.replica.start)
            await reader.until(None)
            before = reader.router.on_replica
            await eventually(lambda: reader.router.on_replica >= before + 5)
            done.set()
        assert reader.router.on_replica + reader.router.on_primary.total() == reads
        assert set(reader.router.on_primary) <= {Reason.DOWN, Reason.FAILED}


async def test_a_replica_that_freezes_holds_a_read_up_for_no_longer_than_a_probe(pair: Pair) -> None:
    quick = ReplicaPolicy(lag_limit=60.0, patience=0.05, probe_interval=0.05, probe_timeout=1.0)
    async with reading(pair, quick) as reader:
        chat = reader.chat
        ann = await chat.user()
        group = await chat.group(ann)
        await chat.say(group, ann, "tea")
        await caught_up(pair)
        before = backends(pair.replica)
        pair.replica.freeze()
        try:
            begun = time.monotonic()
            assert await reader.newest(group, ann) == ["tea"]
            # Without the probe it would be the time for a statement: 10 s and one more.
            assert time.monotonic() - begun < 9
            assert reader.router.on_primary[Reason.DOWN] == 1
            await reader.until(Reason.DOWN)
        finally:
            pair.replica.thaw()
        await reader.until(None)
        # Of a peer that fell silent no connection is trusted again, but perhaps the one that was answered.
        await eventually(lambda: len(before & backends(pair.replica)) <= 1)
        assert len(before) == 3


async def test_a_replica_that_was_promoted_is_not_read(servers: Pair) -> None:
    with replica_of(servers.primary) as replica:
        own = Pair(servers.primary, replica)
        async with reading(own) as reader:
            ann = await reader.chat.user()
            group = await reader.chat.group(ann)
            await reader.chat.say(group, ann, "tea")
            await trio.to_thread.run_sync(replica.await_caught_up, servers.primary)
            await trio.to_thread.run_sync(replica.promote)
            assert await reader.newest(group, ann) == ["tea"]
            assert reader.router.on_replica == 0
            await reader.until(Reason.DOWN)


async def test_a_replica_that_cannot_be_had_by_its_url_is_not_read(pair: Pair) -> None:
    url = pair.primary.fresh_database()
    replica = Replica("postgresql://nowhere:port/x", url, PATIENT, rng=random.Random(1))
    async with running(database_for_tests(url)) as database, trio.open_nursery() as nursery:
        await nursery.start(replica.run)
        await eventually(lambda: "port" in (replica.state.error or ""))
        router = ReadRouter(replica, lag_limit=1.0)
        assert await RoutedUserDirectory(database, router).conversations(UUID(int=1), before=None, limit=1) == []
        assert dict(router.on_primary) == {Reason.DOWN: 1}
        nursery.cancel_scope.cancel()


async def test_who_changed_his_name_reads_it_from_the_primary_for_a_moment(pair: Pair) -> None:
    short = ReplicaPolicy(lag_limit=2.0, patience=0.05, probe_interval=0.05, probe_timeout=20.0)
    async with reading(pair, short) as reader:
        chat = reader.chat
        ann, bob = await chat.user("Ann"), await chat.user("Bob")
        group = await chat.group(ann, bob)
        await chat.say(group, ann, "tea")
        await caught_up(pair)
        await reader.until(None)
        await trio.to_thread.run_sync(pair.replica.pause)
        await reader.users.update(ann, name="Anna", profile_picture_url=None)
        reader.router.profile_changed(ann)
        standing = await chat.standings.standing(group, ann)
        (message,) = await reader.pages.newest(group, before_seq=9, limit=5, user_id=ann, seen_rev=standing.rev)
        assert message.sender_name == "Anna"
        assert dict(reader.router.on_primary) == {Reason.OWN_CHANGE: 1}
        await trio.to_thread.run_sync(pair.replica.resume)
        await trio.sleep(2.0)
        await reader.until(None)
        assert await reader.newest(group, ann) == ["tea"]
        assert reader.router.on_replica == 1


async def test_without_a_replica_all_is_read_from_the_primary(pair: Pair) -> None:
    async with running(database_for_tests(pair.primary.fresh_database())) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        group = await chat.group(ann)
        await chat.say(group, ann, "tea")
        router = ReadRouter(None, lag_limit=1.0)
        router.profile_changed(ann)
        pages = RoutedHistoryPages(database, router)
        (message,) = await pages.newest(group, before_seq=9, limit=5, user_id=ann, seen_rev=0)
        assert message.text == "tea"
        assert (router.on_replica, dict(router.on_primary)) == (0, {})
