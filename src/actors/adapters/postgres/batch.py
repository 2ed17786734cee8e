"""One merged append: the statement, and what is done when it fails."""

import logging
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from actors.adapters.postgres.driver import Connection, Row, drop_if_lost, is_away, is_retryable, refusal, sqlstate
from actors.adapters.postgres.ticket import Ticket
from chatcore.errors import ChatError, ErrorCode, forbidden, invalid, not_found, unavailable
from chatcore.model import Appended, NewMessage

_log = logging.getLogger(__name__)

Outcome = Appended | ChatError

_APPEND_MANY: Final = """
SELECT ord, outcome, id, seq, rev, created_at
FROM append_batch($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::uuid[])
"""
_APPEND_FEW: Final = _APPEND_MANY.replace("append_batch", "append_each")
_FEW: Final = 3
"""The two forms of the append cost the same at four to five messages; one alone takes half of the time."""

_LOCK: Final = "SELECT FROM conversations WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"

_ATTEMPTS: Final = 5
_FAULTS_OF_AN_ITEM: Final = ("22", "23")


@frozen
class Entry:
    """One caller's messages, and where the outcomes go, in the same order."""

    messages: Sequence[NewMessage]
    ticket: Ticket[list[Outcome]]


class Batch:
    """Appends the messages of several callers in one statement, all of them in order.

    An item that fails the statement is refused alone. After a lost connection the batch is sent again: the database
    looks the ids up under the row locks, so whether the first one was committed, or not, or is only then about to be,
    each message is there once.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._items = [message for entry in entries for message in entry.messages]
        self._deadline = max(entry.ticket.deadline for entry in entries)
        self._lost: Exception | None = None

    async def perform(self, connection: Connection) -> None:
        self._lost = None
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._settle(await self._append(connection))
            # Not handled here but carried to the callers, on the other side.
            except Exception as error:
                if drop_if_lost(error, connection):
                    self._lost = error
                elif is_retryable(error) and attempt < _ATTEMPTS:
                    continue
                elif is_away(error):
                    self._fail(error)
                else:
                    _log.exception("an append of %d messages failed", len(self._items))
                    self._fail(error, ErrorCode.INTERNAL_ERROR)
            return

    def keep(self, now: float, _down: bool, /) -> bool:
        if self._lost is None:
            return False
        if now < self._deadline:
            return True
        self._fail(self._lost)
        return False

    async def _append(self, connection: Connection) -> list[Outcome]:
        try:
            return await _call(connection, self._items)
        except Exception as error:
            if drop_if_lost(error, connection) or not _is_an_items_fault(error):
                raise
        # One transaction, with the locks from before the first savepoint, which keep what is rolled back to it from
        # releasing them: nobody comes between the revs of one caller's messages.
        async with connection.transaction():
            await connection.execute(_LOCK, [item.conversation_id for item in self._items])
            return await self._bisect(connection, self._items)

    async def _bisect(self, connection: Connection, items: Sequence[NewMessage]) -> list[Outcome]:
        try:
            async with connection.transaction():
                return await _call(connection, items)
        except Exception as error:
            if drop_if_lost(error, connection) or not _is_an_items_fault(error):
                raise
            if len(items) == 1:
                return [_refused(items[0], error)]
        middle = len(items) // 2
        left = await self._bisect(connection, items[:middle])
        return left + await self._bisect(connection, items[middle:])

    def _settle(self, outcomes: list[Outcome]) -> None:
        start = 0
        for entry in self._entries:
            end = start + len(entry.messages)
            entry.ticket.succeed(outcomes[start:end])
            start = end

    def _fail(self, error: Exception, code: ErrorCode = ErrorCode.UNAVAILABLE) -> None:
        for entry in self._entries:
            if code is ErrorCode.UNAVAILABLE:
                entry.ticket.fail(refusal(error))
            else:
                entry.ticket.fail(ChatError(code, "The message could not be stored"))


async def _call(connection: Connection, items: Sequence[NewMessage]) -> list[Outcome]:
    rows = await connection.fetch(
        _APPEND_FEW if len(items) <= _FEW else _APPEND_MANY,
        [item.conversation_id for item in items],
        [item.sender_id for item in items],
        [item.client_message_id for item in items],
        [item.id for item in items],
        [item.text for item in items],
        [item.reply_to for item in items],
    )
    outcomes: list[Outcome | None] = [None] * len(items)
    for row in rows:
        outcomes[row["ord"] - 1] = _outcome(row)
    return [outcome or unavailable() for outcome in outcomes]


def _outcome(row: Row) -> Outcome:
    match row["outcome"]:
        case "new" | "repeated" as verdict:
            return Appended(row["id"], row["seq"], row["rev"], row["created_at"], verdict == "new")
        case "no conversation":
            return not_found("The conversation")
        case "no member":
            return forbidden()
        case "no reply target":
            return invalid("replyTo", "is no message of this conversation")
        case other:
            raise ValueError(f"append_batch answered {other}")


def _is_an_items_fault(error: Exception) -> bool:
    return sqlstate(error).startswith(_FAULTS_OF_AN_ITEM)


def _refused(item: NewMessage, error: Exception) -> ChatError:
    state = sqlstate(error)
    if state.startswith("22"):
        return invalid("text", "cannot be stored")
    _log.error("message %s to conversation %s breaks a constraint: %s", item.id, item.conversation_id, state)
    return ChatError(ErrorCode.INTERNAL_ERROR, "The message could not be stored")
