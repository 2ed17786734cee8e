"""Many messages in many conversations, by `COPY`: a few long ones, very many short ones, written in turns."""

import random
from collections.abc import Iterator
from itertools import accumulate
from typing import Final
from uuid import UUID

import psycopg
from attrs import frozen
from psycopg import sql

DEEP_SHARE: Final = 0.06
"""Of all messages, in one conversation: page 10,000 of 50 is 500,000 messages deep."""
MEMBERS: Final = 4
DEEP_MEMBERS: Final = 1000
BUSY_CONVERSATIONS: Final = 2000
"""Conversations of one user."""
CHANGED: Final = 1000
"""Messages of the deep conversation that were edited."""
REACTIONS: Final = 50_000
_WORDS: Final = 20_000
_CHUNK: Final = 20_000
_START: Final = "2026-01-01T00:00:00Z"


@frozen
class Data:
    """What was made. User 0 is in the first conversations and owns the deep one, which is conversation 0."""

    users: int
    conversations: int
    deep_seq: int
    """`last_seq` of the deep conversation."""

    @property
    def deep(self) -> UUID:
        return conversation_id(0)


def user_id(number: int) -> UUID:
    return UUID(f"00000001-0000-4000-8000-{number:012x}")


def conversation_id(number: int) -> UUID:
    return UUID(f"{(number * 2654435761) % 2**32:08x}-0000-4000-8000-{number:012x}")


def message_id(number: int) -> UUID:
    """They rise with time, as UUIDv7 does."""
    text = f"{0x019000000000 + number:012x}"
    return UUID(f"{text[:8]}-{text[8:]}-7000-8000-000000000000")


def word(number: int) -> str:
    return f"w{number}"


def fill(url: str, messages: int, conversations: int, users: int) -> Data:
    """Into an empty database with the schema. `users` are at least 2,000; analyzed at the end."""
    rng = random.Random(5)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET maintenance_work_mem = '1GB'")
        _copy(connection, "users", ("id", "email", "name"), _users(users))
        _copy(
            connection,
            "conversations",
            ("id", "type", "active_at", "created_at", "updated_at"),
            (f"{conversation_id(each)}\tGROUP\t{_START}\t{_START}\t{_START}" for each in range(conversations)),
        )
        indexes = _without_indexes(connection)
        seqs = [0] * conversations
        columns = ("conversation_id", "seq", "id", "sender_id", "created_rev", "rev", "created_at", "body")
        _copy(connection, "messages", columns, _messages(rng, messages, seqs, users))
        for statement in indexes:
            connection.execute(statement.encode())
        _copy(
            connection,
            "participants",
            ("conversation_id", "user_id", "role", "joined_at", "last_read_seq", "last_delivered_seq"),
            _participants(conversations, users),
        )
        _settle(connection)
        connection.execute("VACUUM ANALYZE")
    return Data(users, conversations, seqs[0])


def _copy(
    connection: psycopg.Connection[tuple[object, ...]], table: str, columns: tuple[str, ...], rows: Iterator[str]
) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        chunk: list[str] = []
        for row in rows:
            chunk.append(row)
            if len(chunk) == _CHUNK:
                copy.write("\n".join(chunk) + "\n")
                chunk = []
        if chunk:
            copy.write("\n".join(chunk) + "\n")


def _users(count: int) -> Iterator[str]:
    for each in range(count):
        yield f"{user_id(each)}\tuser{each}@example.com\tName{each % 977} Family{each % 3001}"


def _messages(rng: random.Random, count: int, seqs: list[int], users: int) -> Iterator[str]:
    weights = [1 / (1 + each) ** 0.5 for each in range(len(seqs))]
    weights[0] = DEEP_SHARE * sum(weights) / (1 - DEEP_SHARE)
    bounds = list(accumulate(weights))
    numbers = range(len(seqs))
    names = [word(each) for each in range(_WORDS)]
    conversations = [str(conversation_id(each)) for each in numbers]
    made = 0
    while made < count:
        for conversation in rng.choices(numbers, cum_weights=bounds, k=min(100_000, count - made)):
            seqs[conversation] = seq = seqs[conversation] + 1
            body = " ".join([names[int(_WORDS * rng.random() ** 3)] for _ in range(8)])
            sender = user_id(_member(conversation, made % MEMBERS, users))
            yield f"{conversations[conversation]}\t{seq}\t{message_id(made)}\t{sender}\t{seq}\t{seq}\t{_START}\t{body}"
            made += 1


def _member(conversation: int, place: int, users: int) -> int:
    if place == 0 and conversation < BUSY_CONVERSATIONS:
        return 0
    return (conversation * 7919 + place * 104_729) % users


def _participants(conversations: int, users: int) -> Iterator[str]:
    for conversation in range(conversations):
        members = {_member(conversation, place, users) for place in range(MEMBERS)}
        if conversation == 0:
            members |= set(range(DEEP_MEMBERS))
        for each in members:
            role = "owner" if each == _member(conversation, 0, users) else "member"
            yield f"{conversation_id(conversation)}\t{user_id(each)}\t{role}\t{_START}\t0\t0"


def _without_indexes(connection: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    """Drops those of messages that keep nothing unique that `COPY` needs; what makes them again."""
    found = connection.execute(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i"
        " WHERE i.indrelid = 'messages'::regclass AND NOT i.indisprimary"
    ).fetchall()
    for name, _ in found:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(str(name))))
    return [str(statement).replace(" ON ONLY ", " ON ") for _, statement in found]


def _settle(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Numbers of the conversations, and changes to some messages of the deep one."""
    deep = conversation_id(0)
    connection.execute(
        "UPDATE conversations c SET last_seq = x.seq, rev = x.seq, active_at = active_at + x.seq * interval '1 ms'"
        " FROM (SELECT conversation_id, max(seq) AS seq FROM messages GROUP BY conversation_id) x"
        " WHERE x.conversation_id = c.id"
    )
    connection.execute(
        "UPDATE messages m SET rev = c.rev + m.seq / greatest(c.last_seq / %(n)s, 1), edited_at = now()"
        " FROM conversations c WHERE c.id = %(deep)s AND m.conversation_id = c.id"
        " AND m.seq %% greatest(c.last_seq / %(n)s, 1) = 0",
        {"deep": deep, "n": CHANGED},
    )
    connection.execute(
        "UPDATE conversations SET rev = (SELECT max(rev) FROM messages WHERE conversation_id = %(deep)s)"
        " WHERE id = %(deep)s",
        {"deep": deep},
    )
    connection.execute(
        "INSERT INTO reactions (conversation_id, seq, emoji, user_id, rev)"
        " SELECT %(deep)s, m.seq, '👍', u.id, m.rev FROM messages m"
        " CROSS JOIN (SELECT id FROM users ORDER BY id LIMIT 50) u"
        " WHERE m.conversation_id = %(deep)s AND m.rev > m.created_rev LIMIT %(n)s",
        {"deep": deep, "n": REACTIONS},
    )
