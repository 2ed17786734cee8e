"""One merged append: the statements, and what is done when they fail."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

from attrs import define
from psycopg.pq.abc import PGresult

from actors.adapters.postgres.binary import TEXT_ARRAY, UUID_ARRAY, array, bigint, timestamptz
from actors.adapters.postgres.driver import is_away, is_retryable, refusal, sqlstate
from actors.adapters.postgres.libpq import LibpqConnection, Query, ServerError
from actors.adapters.postgres.ticket import Ticket
from actors.adapters.rules import no_attachment
from actors.tracing.hops import Hop, Tracing
from chatcore.errors import ChatError, ErrorCode, forbidden, invalid, not_found, silenced, unavailable
from chatcore.model import Appended, NewMessage

_log = logging.getLogger(__name__)

Outcome = Appended | ChatError

_ONE: Final = """
WITH raised AS (
    UPDATE conversations c SET last_seq = c.last_seq + 1, rev = c.rev + 1,
        active_at = greatest(clock_timestamp(), c.active_at), updated_at = greatest(clock_timestamp(), c.active_at)
    WHERE c.id = $1 RETURNING c.last_seq, c.rev, c.active_at
), marked AS (
    UPDATE participants p SET last_read_seq = greatest(p.last_read_seq, raised.last_seq),
        last_delivered_seq = greatest(p.last_delivered_seq, raised.last_seq)
    FROM raised WHERE p.conversation_id = $1 AND p.user_id = $2 AND NOT p.silenced RETURNING p.user_id
)
INSERT INTO messages (conversation_id, seq, id, sender_id, created_rev, rev, created_at, client_message_id, body)
SELECT $1, raised.last_seq, $3, marked.user_id, raised.rev, raised.rev, raised.active_at, $4, $5
FROM raised LEFT JOIN marked ON true
RETURNING 1::bigint AS ord, seq, rev, created_at
"""
"""One message with which nothing is wrong. All else fails as a whole: who is no member or silenced leaves `sender_id`
null, what is stored already breaks a unique index, and for no such conversation no row comes back.
"""
_ARRAYS: Final = "($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::uuid[])"
STATEMENTS: Final[Mapping[bytes, str]] = {
    b"one": _ONE,
    b"sound": f"SELECT ord, seq, rev, created_at FROM append_sound{_ARRAYS}",
    b"careful": f"SELECT ord, outcome, id, seq, rev, created_at FROM append_batch{_ARRAYS}",
    b"attached": f"SELECT ord, outcome, id, seq, rev, created_at FROM append_attached{_ARRAYS[:-1]}, $7::text[])",
}
"""What the connection prepares. The first two serve only messages that are new and right, alone or together; the third
serves all without attachments, and tells what is wrong, for twice the time; the last also binds attachments.
"""

_LOCK: Final = "SELECT FROM conversations WHERE id IN ({}) ORDER BY id FOR NO KEY UPDATE"

_ATTEMPTS: Final = 5
_FAULTS_OF_AN_ITEM: Final = ("22", "23")


@define
class Entry:
    """One caller's messages, and where the outcomes go, in the same order."""

    messages: Sequence[NewMessage]
    ticket: Ticket[list[Outcome]]


@define
class AppendCounts:
    """`reconnects` is how often the connection came up again after it had been down; `round_trip`, in seconds, of the
    last batch, what had to be done for it after a failure included; None before the first.
    """

    batches: int = 0
    reconnects: int = 0
    round_trip: float | None = None


class Batch:
    """Appends the messages of several callers in one statement, all of them in order.

    It goes by a statement that serves sound messages only, unless `careful`, and by the careful one when that fails; an
    item that fails the latter, too, is refused alone. After a lost connection the batch is sent again: the database
    looks the ids up under the row locks, so whether the first one was committed, or not, or is only then about to be,
    each message is there once.
    """

    def __init__(self, entries: Sequence[Entry], *, careful: bool) -> None:
        self._entries = entries
        self._items = [message for entry in entries for message in entry.messages]
        self.careful = careful or any(item.attachment_ids for item in self._items)
        self.deadline = entries[-1].ticket.deadline

    def query(self) -> Query:
        """What to send first."""
        if Tracing.by is not None:
            self._trace(Hop.BATCH_SENT, f"{len(self._items)} in it")
        if self.careful:
            return _careful_query(self._items)
        if len(self._items) > 1 or self._items[0].reply_to is not None:
            return Query(b"sound", _arrays(self._items))
        return Query(b"one", _values(self._items[0]))

    def outcomes(self, result: PGresult) -> list[Outcome] | None:
        """What came back, for `answers`; None if it tells the callers nothing, for `recover`."""
        if Tracing.by is not None:
            self._trace(Hop.COMMIT_ANSWERED, "")
        if self.careful:
            return _outcomes(result, len(self._items))
        if result.ntuples < len(self._items):
            return None
        return _all_new(result, self._items)

    def answers(self, outcomes: list[Outcome]) -> Iterator[None]:
        """Answer the callers, one at each step."""
        start = 0
        for entry in self._entries:
            end = start + len(entry.messages)
            entry.ticket.succeed(outcomes[start:end])
            start = end
            yield

    def again(self) -> None:
        """After a lost connection: it may have been stored."""
        self.careful = True

    async def recover(self, connection: LibpqConnection, failure: ServerError | None) -> list[Outcome] | None:
        """Do what the query did not, after its `failure`. What came of it, for `answers`; None when nothing did, which
        the callers have been told. Raises `LostError`.
        """
        try:
            return await self._carefully(connection, failure)
        except ServerError as error:
            if is_away(error):
                self.fail(error)
            else:
                _log.exception("an append of %d messages failed", len(self._items))
                self.fail(error, ErrorCode.INTERNAL_ERROR)
            return None

    def _trace(self, hop: Hop, says: str) -> None:
        if Tracing.by is not None:
            Tracing.by.pass_by([item.id for item in self._items], hop, says)

    def fail(self, error: Exception, code: ErrorCode = ErrorCode.UNAVAILABLE) -> None:
        for entry in self._entries:
            if code is ErrorCode.UNAVAILABLE:
                entry.ticket.fail(refusal(error))
            else:
                entry.ticket.fail(ChatError(code, "The message could not be stored"))

    async def _carefully(self, connection: LibpqConnection, failure: ServerError | None) -> list[Outcome]:
        self._trace(Hop.COMMIT_ANSWERED, "not as one: the careful way follows")
        for attempt in range(2, _ATTEMPTS + 1):
            try:
                if failure is not None and self.careful and _is_an_items_fault(failure):
                    return await self._one_by_one(connection)
                if failure is None or is_retryable(failure) or _is_an_items_fault(failure):
                    self.careful = True
                    return _outcomes(await connection.run(self.query()), len(self._items))
                raise failure
            except ServerError as error:
                if attempt == _ATTEMPTS or not (is_retryable(error) or _is_an_items_fault(error)):
                    raise
                failure = error
        raise AssertionError("the last attempt returns or raises")

    async def _one_by_one(self, connection: LibpqConnection) -> list[Outcome]:
        # One transaction, with the locks from before the first savepoint, which keep what is rolled back to it from
        # releasing them: nobody comes between the revs of one caller's messages.
        ids = ", ".join(f"'{item.conversation_id}'" for item in self._items)
        await connection.execute(b"BEGIN")
        try:
            await connection.execute(_LOCK.format(ids).encode())
            outcomes = await self._bisect(connection, self._items)
        except ServerError:
            await connection.execute(b"ROLLBACK")
            raise
        await connection.execute(b"COMMIT")
        return outcomes

    async def _bisect(self, connection: LibpqConnection, items: Sequence[NewMessage]) -> list[Outcome]:
        await connection.execute(b"SAVEPOINT item")
        try:
            outcomes = _outcomes(await connection.run(_careful_query(items)), len(items))
        except ServerError as error:
            await connection.execute(b"ROLLBACK TO SAVEPOINT item; RELEASE SAVEPOINT item")
            if not _is_an_items_fault(error):
                raise
            if len(items) == 1:
                return [_refused(items[0], error)]
        else:
            await connection.execute(b"RELEASE SAVEPOINT item")
            return outcomes
        middle = len(items) // 2
        left = await self._bisect(connection, items[:middle])
        return left + await self._bisect(connection, items[middle:])


def _text(value: str | None) -> bytes | None:
    return None if value is None else value.encode()


def _uuid(value: UUID | None) -> bytes | None:
    return None if value is None else value.bytes


def _values(item: NewMessage) -> Sequence[bytes | None]:
    values = (item.conversation_id.bytes, item.sender_id.bytes, item.id.bytes)
    return (*values, _text(item.client_message_id), item.text.encode())


def _arrays(items: Sequence[NewMessage]) -> Sequence[bytes | None]:
    return (
        array(UUID_ARRAY, [item.conversation_id.bytes for item in items]),
        array(UUID_ARRAY, [item.sender_id.bytes for item in items]),
        array(TEXT_ARRAY, [_text(item.client_message_id) for item in items]),
        array(UUID_ARRAY, [item.id.bytes for item in items]),
        array(TEXT_ARRAY, [item.text.encode() for item in items]),
        array(UUID_ARRAY, [_uuid(item.reply_to) for item in items]),
    )


def _careful_query(items: Sequence[NewMessage]) -> Query:
    if not any(item.attachment_ids for item in items):
        return Query(b"careful", _arrays(items))
    attachments = array(TEXT_ARRAY, [_uuid_list(item.attachment_ids) for item in items])
    return Query(b"attached", (*_arrays(items), attachments))


def _uuid_list(ids: Sequence[UUID]) -> bytes | None:
    return f"{{{','.join(map(str, ids))}}}".encode() if ids else None


def _all_new(result: PGresult, items: Sequence[NewMessage]) -> list[Outcome]:
    outcomes: list[Outcome | None] = [None] * len(items)
    value = result.get_value
    for row in range(result.ntuples):
        place = bigint(value(row, 0) or b"") - 1
        seq, rev = bigint(value(row, 1) or b""), bigint(value(row, 2) or b"")
        outcomes[place] = Appended(items[place].id, seq, rev, timestamptz(value(row, 3) or b""), True)
    return [outcome or unavailable() for outcome in outcomes]


def _outcomes(result: PGresult, count: int) -> list[Outcome]:
    outcomes: list[Outcome | None] = [None] * count
    for row in range(result.ntuples):
        order, verdict, *values = (result.get_value(row, column) or b"" for column in range(6))
        outcomes[bigint(order) - 1] = _outcome(verdict, values)
    return [outcome or unavailable() for outcome in outcomes]


def _outcome(verdict: bytes, values: Sequence[bytes]) -> Outcome:
    match verdict:
        case b"new" | b"repeated":
            message_id, seq, rev, created_at = values
            return Appended(
                UUID(bytes=message_id), bigint(seq), bigint(rev), timestamptz(created_at), verdict == b"new"
            )
        case b"no conversation":
            return not_found("The conversation")
        case b"no member":
            return forbidden()
        case b"silenced":
            return silenced()
        case b"no reply target":
            return invalid("replyTo", "is no message of this conversation")
        case b"no attachment":
            return no_attachment()
        case other:
            raise ValueError(f"append_batch answered {other!r}")


def _is_an_items_fault(error: Exception) -> bool:
    return sqlstate(error).startswith(_FAULTS_OF_AN_ITEM)


def _refused(item: NewMessage, error: Exception) -> ChatError:
    state = sqlstate(error)
    if state.startswith("22"):
        return invalid("text", "cannot be stored")
    _log.error("message %s to conversation %s breaks a constraint: %s", item.id, item.conversation_id, state)
    return ChatError(ErrorCode.INTERNAL_ERROR, "The message could not be stored")
