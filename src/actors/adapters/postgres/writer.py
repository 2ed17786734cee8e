"""Group commit: all appends that wait while one is under way go into the next statement together."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

import trio

from actors.adapters.postgres.batch import Batch, Entry, Outcome
from actors.adapters.postgres.lane import Lane, LaneSettings
from actors.adapters.postgres.ticket import Ticket
from actors.adapters.rules import check_body
from chatcore.errors import ChatError, overloaded, unavailable
from chatcore.model import NewMessage

WRITER_SETTINGS: Final[Mapping[str, str]] = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""The append's plan is made once a connection, perhaps over empty tables: it must suit full ones all the same."""


class AppendWriter:
    """Collects appends on the trio side, and gives them as batches to the one link that writes.

    A batch holds whole calls, in the order of arrival, of together at most `batch_limit` messages and `batch_bytes`
    of text; a call that is larger goes alone. At most `queue_limit` messages wait: what comes then is refused as
    `OVERLOADED` and counted.
    """

    def __init__(self, settings: LaneSettings, *, batch_limit: int, batch_bytes: int, queue_limit: int) -> None:
        self.lane = Lane("appends", 1, settings, self)
        self._patience = settings.policy.guard
        self._batch_limit = batch_limit
        self._batch_bytes = batch_bytes
        self._queue_limit = queue_limit
        self._waiting: deque[tuple[Entry, int]] = deque()
        self.waiting = 0
        """Messages that wait."""
        self.overloads = 0
        """Calls that were refused because too many waited."""

    async def append(self, messages: Sequence[NewMessage]) -> list[Outcome]:
        """One outcome for each message, in order. Raises `UNAVAILABLE` (the outcome is unknown), `OVERLOADED`."""
        outcomes: list[Outcome | None] = [_screen(message) for message in messages]
        sound = [message for message, refusal in zip(messages, outcomes, strict=True) if refusal is None]
        if not sound:
            await trio.lowlevel.checkpoint()
            return [outcome for outcome in outcomes if outcome is not None]
        answers = iter(await self._enqueue(sound))
        return [next(answers) if refusal is None else refusal for refusal in outcomes]

    async def _enqueue(self, messages: Sequence[NewMessage]) -> list[Outcome]:
        self.lane.admit()
        if self.waiting + len(messages) > self._queue_limit:
            self.overloads += 1
            raise overloaded()
        ticket: Ticket[list[Outcome]] = Ticket(trio.current_time() + self._patience)
        size = sum(len(message.text) for message in messages)
        self._waiting.append((Entry(messages, ticket), size))
        self.waiting += len(messages)
        self.lane.wake()
        return await ticket.wait()

    def take(self) -> Batch | None:
        entries: list[Entry] = []
        count = size = 0
        while self._waiting:
            entry, entry_size = self._waiting[0]
            entry_count = len(entry.messages)
            if entries and (count + entry_count > self._batch_limit or size + entry_size > self._batch_bytes):
                break
            self._waiting.popleft()
            entries.append(entry)
            count += entry_count
            size += entry_size
        self.waiting -= count
        return Batch(entries) if entries else None

    def refuse_all(self) -> None:
        while self._waiting:
            entry, _ = self._waiting.popleft()
            entry.ticket.fail(unavailable("The database is away"))
        self.waiting = 0


def _screen(message: NewMessage) -> ChatError | None:
    """What would fail the whole statement, found before it is sent."""
    try:
        check_body(message.text, message.client_message_id)
    except ChatError as refusal:
        return refusal
    return None
