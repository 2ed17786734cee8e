"""The append on a real PostgreSQL: races between nodes, merged batches, refusals within a batch."""

import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

import psycopg
import pytest
import trio
import trio.testing

from actors.adapters.postgres.database import Database
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Appended, Mark
from tests.kit.chat import Chat, appended, database_for_tests, postgres_chat, running
from tests.kit.pglocks import holding_lock, until_blocked


@pytest.fixture
async def nodes(database_url: str) -> AsyncGenerator[tuple[Chat, Chat]]:
    """Two nodes on one database."""
    one, two = (database_for_tests(database_url) for _ in range(2))
    async with running(one), running(two):
        other = postgres_chat(two)
        other.ids = random.Random(8)
        yield postgres_chat(one), other


async def assert_gapless(chat: Chat, room: UUID, acknowledged: Sequence[Appended]) -> None:
    """All that was acknowledged is stored once, at its seq, and nothing else."""
    stored = await chat.history.oldest(room, after_seq=0, limit=100_000)
    assert [each.seq for each in stored] == list(range(1, len(stored) + 1))
    assert [each.created_rev for each in stored] == sorted({each.created_rev for each in stored})
    times = [each.created_at for each in stored]
    assert times == sorted(times)
    assert {each.id: each.seq for each in stored} == {each.id: each.seq for each in acknowledged}
    assert len({each.id for each in acknowledged}) == len(stored)


async def test_two_writers_race_without_deadlock_violation_or_gap(nodes: tuple[Chat, Chat], database_url: str) -> None:
    ann, bob = await nodes[0].people(2)
    rooms = [await nodes[0].group(ann, bob) for _ in range(8)]
    acknowledged: dict[UUID, list[Appended]] = defaultdict(list)

    async def write(chat: Chat, sender: UUID, seed: int) -> None:
        rng = random.Random(seed)
        for number in range(115):
            targets = [rng.choice(rooms) for _ in range(12)]
            client_ids = [f"{number}-{i}" if rng.random() < 0.5 else None for i in range(12)]
            batch = [
                chat.message(room, sender, client_message_id=each)
                for room, each in zip(targets, client_ids, strict=True)
            ]
            revs: dict[UUID, list[int]] = defaultdict(list)
            for room, outcome in zip(targets, await chat.post(*batch), strict=True):
                assert outcome.was_new
                acknowledged[room].append(outcome)
                revs[room].append(outcome.rev)
            for each in revs.values():
                assert each == list(range(each[0], each[0] + len(each)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write, nodes[0], ann, 1)
        nursery.start_soon(write, nodes[1], bob, 2)
    for room in rooms:
        await assert_gapless(nodes[0], room, acknowledged[room])
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert row == (0,)


async def test_one_client_message_id_on_two_nodes_at_once_is_one_message(nodes: tuple[Chat, Chat]) -> None:
    ann = await nodes[0].user()
    room = await nodes[0].group(ann)
    for number in range(40):
        outcomes: list[Appended] = []

        async def send(chat: Chat, client_id: str, outcomes: list[Appended] = outcomes) -> None:
            outcomes.extend(await chat.post(chat.message(room, ann, client_message_id=client_id)))

        async with trio.open_nursery() as nursery:
            for chat in nodes:
                nursery.start_soon(send, chat, f"m{number}")
        one, other = outcomes
        assert (one.id, one.seq, one.rev) == (other.id, other.seq, other.rev)
        assert sorted([one.was_new, other.was_new]) == [False, True]
        assert one.seq == number + 1


async def test_all_kinds_of_changes_race_and_each_has_a_rev_of_its_own(nodes: tuple[Chat, Chat]) -> None:
    ann, bob, *others = await nodes[0].people(12)
    room = await nodes[0].group(ann, bob)
    seeds = await nodes[0].say(room, ann, *["seed"] * 20)
    revs: list[int] = []

    async def write(chat: Chat) -> None:
        for _ in range(30):
            revs.extend(each.rev for each in await chat.say(room, bob, "a", "b"))

    async def edit(chat: Chat, half: int) -> None:
        for number, seed in enumerate(seeds[half::2]):
            revs.append((await chat.log.edit(room, seed.id, ann, f"edit {number}")).rev)

    async def invite(chat: Chat, half: int) -> None:
        for user in others[half::2]:
            roster = await chat.conversations.add_members(room, ann, [user], max_members=99)
            revs.append(roster.conversation.rev)

    async def mark(chat: Chat) -> None:
        for seq in range(40):
            await chat.conversations.save_marks(room, [Mark(bob, seq, seq), Mark(ann, seq, seq)])

    async with trio.open_nursery() as nursery:
        for half, chat in enumerate(nodes):
            nursery.start_soon(write, chat)
            nursery.start_soon(edit, chat, half)
            nursery.start_soon(invite, chat, half)
            nursery.start_soon(mark, chat)
    assert sorted(revs) == list(range(21, 21 + 120 + 20 + 10))
    final = await nodes[0].load(room)
    assert (final.rev, final.last_seq) == (170, 140)
    assert len(final.participants) == 12


async def test_a_poisoned_conversation_is_refused_alone_and_others_keep_their_order(
    database_url: str,
) -> None:
    async with running(database_for_tests(database_url)) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        poisoned, sound = await chat.group(ann), await chat.group(ann)
        await chat.say(poisoned, ann, "one", "two")
        await database.execute("UPDATE conversations SET last_seq = 1, rev = 5 WHERE id = $1", poisoned)
        where = [sound, poisoned, sound, sound, poisoned, sound, sound]
        outcomes = await chat.log.append([chat.message(room, ann, str(i)) for i, room in enumerate(where)])
        codes = [each.code if isinstance(each, ChatError) else None for each in outcomes]
        assert codes == [ErrorCode.INTERNAL_ERROR if room == poisoned else None for room in where]
        good = appended([each for each in outcomes if isinstance(each, Appended)])
        assert [(each.seq, each.rev) for each in good] == [(i, i) for i in range(1, 6)]
        stored = await chat.history.oldest(sound, after_seq=0, limit=9)
        assert [each.text for each in stored] == ["0", "2", "3", "5", "6"]


async def test_others_run_while_the_callers_of_a_careful_batch_are_answered_and_the_next_is_under_way(
    database_url: str,
) -> None:
    database = database_for_tests(database_url, append_batch_limit=61)
    async with running(database):
        chat = postgres_chat(database)
        ann = await chat.user()
        rooms = [await chat.group(ann) for _ in range(60)]
        await chat.say(rooms[0], ann, "first")
        turns = 0
        answered_at: list[int] = []
        waiting: list[int] = []
        later: list[Sequence[object] | Exception] = []

        def answered(outcomes: Sequence[object] | Exception) -> None:
            assert not isinstance(outcomes, Exception), outcomes
            answered_at.append(turns)
            waiting.append(database.writer.waiting)
            until = time.perf_counter() + 0.001
            while time.perf_counter() < until:
                pass

        with holding_lock(database_url, rooms[0]):
            # The one that is held up lets the others gather to one batch, in which one message is refused.
            assert chat.log.append_at_once([chat.message(rooms[0], ann)], later.append)
            await trio.testing.wait_all_tasks_blocked(0.05)
            for room in rooms[1:]:
                assert chat.log.append_at_once([chat.message(room, ann)], answered)
            assert chat.log.append_at_once([chat.message(chat.new_id(), ann)], later.append)
            assert chat.log.append_at_once([chat.message(rooms[1], ann)], later.append)
            assert chat.log.append_at_once([chat.message(rooms[1], ann)], later.append)
        with trio.fail_after(10):
            while len(later) < 4:
                await trio.lowlevel.checkpoint()
                turns += 1
        assert len(answered_at) == 59
        assert max(Counter(answered_at).values()) <= 10
        assert set(waiting) == {0}


@pytest.mark.contract("timestamps never fall")
async def test_times_do_not_fall_when_the_clock_does(database_url: str) -> None:
    async with running(database_for_tests(database_url)) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        room = await chat.group(ann)
        await database.execute("UPDATE conversations SET active_at = active_at + interval '1 hour'")
        ahead = await database.fetchval("SELECT active_at FROM conversations")
        assert [each.created_at for each in await chat.say(room, ann, "one", "two")] == [ahead, ahead]


async def test_what_waits_while_a_batch_is_under_way_becomes_the_next_batch(database_url: str) -> None:
    async with running(database_for_tests(database_url)) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        rooms = [await chat.group(ann) for _ in range(40)]
        async with trio.open_nursery() as nursery:
            with holding_lock(database_url, rooms[0]):
                nursery.start_soon(chat.say, rooms[0], ann, "blocked")
                await until_blocked(database_url)
                for room in rooms[1:]:
                    nursery.start_soon(chat.say, room, ann, "next")
                await trio.testing.wait_all_tasks_blocked()
                assert database.writer.waiting == 39
        assert await database.fetchval("SELECT count(DISTINCT xmin::text) FROM messages") == 2
        assert await database.fetchval("SELECT count(*) FROM messages") == 40


@pytest.mark.parametrize(("callers", "batches"), [(12, 1), (40, 2)])
async def test_while_it_is_busy_what_comes_together_is_one_batch_or_two_halves(
    database_url: str, callers: int, batches: int
) -> None:
    async with running(database_for_tests(database_url)) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        rooms = [await chat.group(ann) for _ in range(callers)]
        for text in ("busy from here on", "together"):
            async with trio.open_nursery() as nursery:
                for room in rooms:
                    nursery.start_soon(chat.say, room, ann, text)
        together = "SELECT count(DISTINCT xmin::text) FROM messages WHERE body = 'together'"
        assert await database.fetchval(together) == batches
        assert await database.fetchval("SELECT count(*) FROM messages") == 2 * callers


async def test_a_full_queue_refuses_and_counts(database_url: str) -> None:
    database = Database(database_url, rng=random.Random(1), append_queue_limit=3)
    async with running(database):
        chat = postgres_chat(database)
        ann = await chat.user()
        room = await chat.group(ann)
        async with trio.open_nursery() as nursery:
            with holding_lock(database_url, room):
                nursery.start_soon(chat.say, room, ann, "blocked")
                await until_blocked(database_url)
                nursery.start_soon(chat.say, room, ann, "waits", "too")
                await trio.testing.wait_all_tasks_blocked()
                with pytest.raises(ChatError) as refusal:
                    await chat.say(room, ann, "one", "too many")
                assert refusal.value.code is ErrorCode.OVERLOADED
                nursery.start_soon(chat.say, room, ann, "fits")
                await trio.testing.wait_all_tasks_blocked()
        assert database.overloads == 1
        assert (await chat.load(room)).last_seq == 4


async def test_who_gives_up_abandons_the_answer_not_the_message(database_url: str) -> None:
    async with running(database_for_tests(database_url)) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        room = await chat.group(ann)
        with holding_lock(database_url, room):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(chat.say, room, ann, "under way")
                await until_blocked(database_url)
                nursery.start_soon(chat.say, room, ann, "waiting")
                await trio.testing.wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
        await chat.say(room, ann, "later")
        stored = await chat.history.oldest(room, after_seq=0, limit=9)
        assert [each.text for each in stored] == ["under way", "waiting", "later"]


async def test_a_batch_holds_whole_calls_up_to_its_limits(database_url: str) -> None:
    database = Database(database_url, rng=random.Random(1), append_batch_limit=10, append_batch_bytes=1000)
    async with running(database):
        chat = postgres_chat(database)
        ann = await chat.user()
        room = await chat.group(ann)
        async with trio.open_nursery() as nursery:
            with holding_lock(database_url, room):
                nursery.start_soon(chat.say, room, ann, "blocked")
                await until_blocked(database_url)
                for size, text in ((6, "a"), (4, "b"), (1, "c"), (1, "d" * 999), (1, "e"), (15, "f")):
                    nursery.start_soon(chat.say, room, ann, *[text] * size)
                    await trio.testing.wait_all_tasks_blocked()
        batches = await database.fetch(
            "SELECT string_agg(left(body, 1), '' ORDER BY seq) AS texts FROM messages"
            " GROUP BY xmin::text ORDER BY min(seq)"
        )
        assert [row["texts"] for row in batches] == ["b", "aaaaaabbbb", "cd", "e", "f" * 15]


async def test_history_begins_where_retention_left_it(database_url: str) -> None:
    async with running(database_for_tests(database_url)) as database:
        chat = postgres_chat(database)
        ann = await chat.user()
        room = await chat.group(ann)
        sent = await chat.say(room, ann, *"abcdefghij")
        await chat.log.edit(room, sent[7].id, ann, "edited")
        await database.execute("DELETE FROM messages WHERE seq < 7")
        await database.execute("UPDATE conversations SET first_seq = 7")
        assert [each.seq for each in await chat.history.oldest(room, after_seq=2, limit=2)] == [7, 8]
        assert [each.seq for each in await chat.history.newest(room, before_seq=9, limit=9)] == [8, 7]
        assert [each.seq for each in await chat.history.changed(room, after_rev=0, limit=9)] == [7, 9, 10, 8]
        events = await chat.history.events(room, after_rev=3, upto_rev=99, limit=9)
        assert [(each.rev, each.message.seq) for each in events] == [(7, 7), (8, 8), (9, 9), (10, 10), (11, 8)]
        assert await chat.history.event_floor(room, after_rev=0, upto_rev=99, limit=5) is None
        assert await chat.history.event_floor(room, after_rev=0, upto_rev=99, limit=4) == 7
