"""No statement of the store reads a table from end to end, and a page deep down costs what the newest one does.

PostgreSQL's own counters tell, so that what functions do inside counts too.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from actors.adapters.postgres.replica import HAS_SEEN
from actors.adapters.postgres.routed import REACH
from actors.adapters.postgres.users import PostgresUserDirectory
from actors.ports import ConversationCursor
from chatcore.model import Conversation, ConversationType, Mark
from tests.kit.chat import Chat, database_for_tests, postgres_chat, running

BIG_ROOM = UUID(int=1)
"""A conversation of 20,000 messages, each 100th edited and each 1,000th deleted, among 3,000 small ones."""
ANN = UUID("00000000-0000-0000-0000-000000000001")
BOB = UUID("00000000-0000-0000-0000-000000000002")
NOW = 2_000_000_000_000_000

FILL = """
INSERT INTO users (id, email, name)
    SELECT lpad(to_hex(n), 32, '0')::uuid, n || '@example.com', 'User ' || md5(n::text) FROM generate_series(1, 8000) n;
INSERT INTO conversations (id, type, active_at, created_at, updated_at)
    SELECT lpad(to_hex(n), 32, '0')::uuid, 'GROUP', now(), now(), now() FROM generate_series(1, 3000) n;
INSERT INTO participants
    SELECT lpad(to_hex(n), 32, '0')::uuid, lpad(to_hex((n + k) % 8000 + 1), 32, '0')::uuid, 'member', now(), 0, 0
    FROM generate_series(2, 3000) n, generate_series(1, 4) k;
INSERT INTO participants
    SELECT lpad(to_hex(1), 32, '0')::uuid, lpad(to_hex(n), 32, '0')::uuid, 'owner', now(), 0, 0
    FROM generate_series(1, 3) n;
INSERT INTO messages (conversation_id, seq, id, sender_id, created_rev, rev, created_at, body)
    SELECT lpad(to_hex(1), 32, '0')::uuid, n, md5(n::text)::uuid, lpad(to_hex(n % 3 + 1), 32, '0')::uuid, n, n, now(),
        'message ' || n FROM generate_series(1, 20000) n;
INSERT INTO messages (conversation_id, seq, id, sender_id, created_rev, rev, created_at, body)
    SELECT lpad(to_hex(c), 32, '0')::uuid, n, md5(c || '/' || n)::uuid, lpad(to_hex(c % 8000 + 1), 32, '0')::uuid, n, n,
        now(), 'message ' || n FROM generate_series(2, 3000) c, generate_series(1, 4) n;
UPDATE messages SET rev = 20000 + seq / 100, body = CASE WHEN seq % 1000 = 0 THEN '' ELSE 'edited' END,
    edited_at = now(), deleted_at = CASE WHEN seq % 1000 = 0 THEN now() END
    WHERE conversation_id = lpad(to_hex(1), 32, '0')::uuid AND seq % 100 = 0;
UPDATE conversations SET last_seq = 20000, rev = 20200 WHERE id = lpad(to_hex(1), 32, '0')::uuid;
UPDATE conversations SET last_seq = 4, rev = 4 WHERE id <> lpad(to_hex(1), 32, '0')::uuid;
"""


@pytest.fixture
def filled_url(database_url: str) -> str:
    """A database with `BIG_ROOM`, as autovacuum would leave it."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(FILL)
        connection.execute("VACUUM ANALYZE")
    return database_url


def counters(url: str, column: str) -> dict[str, int]:
    """A counter of `pg_stat_user_tables`, for each table; sessions that ended have reported theirs."""
    query = sql.SQL("SELECT relname, {} FROM pg_stat_user_tables").format(sql.Identifier(column))
    with psycopg.connect(url) as connection:
        return dict(connection.execute(query).fetchall())


READS: list[Callable[[Chat], Awaitable[object]]] = [
    lambda chat: chat.history.newest(BIG_ROOM, before_seq=2**62, limit=50),
    lambda chat: chat.history.newest(BIG_ROOM, before_seq=3000, limit=50),
    lambda chat: chat.history.oldest(BIG_ROOM, after_seq=0, limit=50),
    lambda chat: chat.history.oldest(BIG_ROOM, after_seq=12_000, limit=50),
    lambda chat: chat.history.changed(BIG_ROOM, after_rev=100, limit=50),
    lambda chat: chat.history.changed(BIG_ROOM, after_rev=20_050, limit=50),
    lambda chat: chat.history.events(BIG_ROOM, after_rev=5000, upto_rev=20_200, limit=50),
    lambda chat: chat.history.events(BIG_ROOM, after_rev=20_100, upto_rev=20_200, limit=50),
    lambda chat: chat.history.event_floor(BIG_ROOM, after_rev=0, upto_rev=20_200, limit=1000),
    lambda chat: chat.history.find([chat.new_id(), chat.new_id()]),
    lambda chat: chat.history.find([chat.new_id(), chat.new_id()], BIG_ROOM),
    lambda chat: chat.conversations.load(BIG_ROOM),
    lambda chat: chat.users.get([ANN, BOB]),
    lambda chat: chat.users.search("kowalski", offset=0, limit=20),
    lambda chat: chat.users.conversations(ANN, before=None, limit=50),
    lambda chat: chat.users.conversations(ANN, before=ConversationCursor(NOW, BIG_ROOM), limit=50),
    lambda chat: chat.users.conversation_ids(ANN),
    lambda chat: chat.standings.companions(ANN, [BOB, chat.new_id()]),
    lambda chat: chat.standings.standing(BIG_ROOM, ANN),
    lambda chat: chat.standings.members(BIG_ROOM),
    lambda chat: chat.standings.companions(ANN, [UUID(int=number) for number in range(1, 101)]),
]
"""More often than the five times after which PostgreSQL may change to a plan for all values."""
REPETITIONS = 8


async def write(chat: Chat, room: UUID) -> None:
    """Each write there is."""
    message, other = await chat.say(room, ANN, "one", "two")
    await chat.say(room, ANN, *["many"] * 9)
    await chat.post(chat.message(room, ANN, "three", client_message_id=str(chat.new_id()), reply_to=message.id))
    await chat.log.edit(room, message.id, ANN, "edited")
    await chat.log.delete(room, other.id, ANN, moderator=False)
    await chat.conversations.save_marks(room, [Mark(ANN, 1, 1), Mark(BOB, 2, 2)])
    await chat.conversations.change_details(room, ANN, name=str(chat.new_id()), avatar_url=None)
    guest = await chat.user()
    await chat.conversations.add_members(room, ANN, [guest], max_members=100)
    await chat.conversations.remove_member(room, ANN, guest)
    await chat.conversations.create(chat.new_id(), ConversationType.DIRECT, ANN, [guest], None, None)
    await chat.users.update(guest, name="Guest", profile_picture_url=None)


async def test_nothing_reads_a_whole_table(filled_url: str) -> None:
    before = counters(filled_url, "seq_scan")
    async with running(database_for_tests(filled_url)) as database:
        chat = postgres_chat(database)
        for _ in range(REPETITIONS):
            for read in READS:
                await read(chat)
            await write(chat, BIG_ROOM)
    after = counters(filled_url, "seq_scan")
    assert {table: count - before[table] for table, count in after.items() if count != before[table]} == {}
    assert counters(filled_url, "idx_scan")["users"] > 0


async def test_what_goes_before_a_read_of_the_replica_reads_no_whole_table(filled_url: str) -> None:
    before = counters(filled_url, "seq_scan")
    rooms = [BIG_ROOM, *(UUID(f"{number:032x}") for number in range(2, 60))]
    has_seen = HAS_SEEN.replace("pg_is_in_recovery()", "true")
    async with running(database_for_tests(filled_url)) as database:
        users = PostgresUserDirectory(database)
        for _ in range(REPETITIONS):
            assert len(await users.listed(ANN, before=None, limit=50)) == 1
            assert len(await users.shown(rooms)) == len(rooms)
            assert await database.fetch(REACH, ANN, None)
            assert await database.fetch(REACH, ANN, BIG_ROOM)
            assert await database.fetchval(has_seen, rooms, [0] * len(rooms), [0] * len(rooms)) is True
            assert await database.fetchval(has_seen, [BIG_ROOM], [20_200], [1]) is False
            assert await database.fetchval(has_seen, rooms, [10**9] * len(rooms), [0] * len(rooms)) is False
    after = counters(filled_url, "seq_scan")
    assert {table: count - before[table] for table, count in after.items() if count != before[table]} == {}


async def test_an_append_planned_over_empty_tables_serves_full_ones(database_url: str) -> None:
    async with running(database_for_tests(database_url)) as database:
        chat = postgres_chat(database)
        early = await chat.user()
        room = await chat.group(early)
        for _ in range(REPETITIONS):
            await chat.say(room, early, "planned")
            await chat.say(room, early, *["planned"] * 9)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(FILL.replace("INSERT INTO users", "DELETE FROM users WHERE false; INSERT INTO users"))
        # Not analysed: the plan of the open connection is the one from before.
        before = counters(database_url, "seq_scan")
        for _ in range(REPETITIONS):
            await chat.say(BIG_ROOM, ANN, "one")
            await chat.say(BIG_ROOM, ANN, *["many"] * 9)
    after = counters(database_url, "seq_scan")
    assert {table: count - before[table] for table, count in after.items() if count != before[table]} == {}


async def test_a_page_costs_the_same_at_any_depth(filled_url: str) -> None:
    async def rows_read(read: Callable[[Chat], Awaitable[object]]) -> int:
        before = sum(counters(filled_url, "idx_tup_fetch").values())
        async with running(database_for_tests(filled_url, pool_size=1)) as database:
            await read(postgres_chat(database))
        return sum(counters(filled_url, "idx_tup_fetch").values()) - before

    for read in READS[:8]:
        assert 0 < await rows_read(read) < 250


async def test_almost_all_updates_of_conversations_and_marks_are_heap_only(database_url: str) -> None:
    async with running(database_for_tests(database_url)) as database:
        chat = postgres_chat(database)
        people = await chat.people(5)
        rooms: list[Conversation] = [await chat.load(await chat.group(*people)) for _ in range(20)]
        for _ in range(30):
            await chat.post(*(chat.message(room.id, sender) for room in rooms for sender in people))
    for table in ("conversations", "participants"):
        updates = counters(database_url, "n_tup_upd")[table]
        assert updates >= 600
        assert counters(database_url, "n_tup_hot_upd")[table] > 0.98 * updates
