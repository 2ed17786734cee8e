"""Holds what the clients saw against what the database has: every departure from the guarantees, one by one.

Pure, in the manner of Jepsen's checkers: it knows nothing of the fault, only of the history.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

import attrs

from tests.faults.history import (
    Connected,
    Ended,
    Entry,
    History,
    Log,
    MarksSeen,
    Received,
    Removed,
    Resumption,
    Stored,
    StoredMessage,
    TypingSeen,
)

CREATED = "message.created"


class Kind(StrEnum):
    LOST = "lost"  # acknowledged, and not in the database as it was acknowledged
    DOUBLED = "doubled"  # twice in the database, or twice to one subscriber
    MISORDERED = "misordered"  # later than one that comes after it
    GAP = "gap"  # a subscriber got the next but one
    MISSED = "missed"  # a subscriber never got the last ones
    PHANTOM = "phantom"  # seen or acknowledged by somebody, sent by nobody or stored nowhere
    STALE = "stale"  # a subscriber that resumes by rev ended with another text
    MARK_FELL = "mark fell"
    MARK_LOST = "mark lost"  # acknowledged, and lower in the database
    MARK_AHEAD = "mark ahead"  # delivered, says the database of what was not acknowledged
    NOT_AGAIN = "not again"  # not acknowledged, and left out of the next subscription
    AFTER_REMOVAL = "after removal"
    REFUSED = "refused"  # an answer that is not among those that mean: try again


@attrs.frozen
class Violation:
    """`entries` are the offending records."""

    kind: Kind
    who: str
    what: str
    entries: Sequence[object] = ()

    def __str__(self) -> str:
        return "\n    ".join([f"{self.kind}: {self.who}: {self.what}", *(str(each) for each in self.entries)])


def check(history: History, stored: Sequence[Stored]) -> list[Violation]:
    """All violations; none when the run kept every guarantee."""
    found = [Violation(Kind.REFUSED, each.who, each.what, [each]) for each in history.troubles]
    found += _check_acknowledged(history, stored)
    for each in stored:
        found += _check_texts(history, each)
        found += _check_stored(history, each)
        found += _check_marks(history, each)
        for log in history.logs:
            if log.conversation == each.conversation:
                found += _check_log(history, each, log)
    return found


def _check_acknowledged(history: History, stored: Sequence[Stored]) -> Iterator[Violation]:
    by_id = {message.id: (each, message) for each in stored for message in each.messages}
    for acked in history.acked:
        sent = history.sent.get(acked.client_message_id)
        if sent is None:
            yield Violation(Kind.PHANTOM, "acknowledged", "nobody sent it", [acked])
        elif acked.message_id not in by_id:
            yield Violation(Kind.LOST, sent.sender, "acknowledged, not in the database", [sent, acked])
        else:
            conversation, message = by_id[acked.message_id]
            as_sent = (sent.conversation, sent.sender, sent.client_message_id, acked.seq)
            if (conversation.conversation, message.sender, message.client_message_id, message.seq) != as_sent:
                yield Violation(Kind.LOST, sent.sender, "another is in its place", [sent, acked, message])


def _check_texts(history: History, stored: Stored) -> Iterator[Violation]:
    for message in stored.messages:
        sent, edited = history.sent.get(message.client_message_id or ""), history.edited.get(message.id)
        if sent is None:
            continue
        texts = {sent.text} if edited is None else {edited.text} if edited.acked else {sent.text, edited.text}
        if message.text not in texts:
            yield Violation(Kind.LOST, sent.sender, "another text is in the database", [sent, edited, message])


def _check_stored(history: History, stored: Stored) -> Iterator[Violation]:
    who = f"database, {stored.conversation}"
    keys = Counter((each.sender, each.client_message_id) for each in stored.messages)
    ids = Counter(each.id for each in stored.messages)
    for message in stored.messages:
        if ids[message.id] > 1 or keys[message.sender, message.client_message_id] > 1:
            yield Violation(Kind.DOUBLED, who, "stored twice", [message])
        if message.client_message_id not in history.sent:
            yield Violation(Kind.PHANTOM, who, "nobody sent it", [message])
    ordered = sorted(stored.messages, key=lambda each: each.seq)
    if [each.seq for each in ordered] != list(range(1, stored.last_seq + 1)):
        yield Violation(Kind.GAP, who, f"the numbers are not 1 to {stored.last_seq}")
    for before, after in itertools.pairwise(ordered):
        if after.created_rev <= before.created_rev or after.timestamp < before.timestamp:
            yield Violation(Kind.MISORDERED, who, "the numbers contradict each other", [before, after])
    if any(each.rev > stored.rev for each in ordered):
        yield Violation(Kind.MISORDERED, who, f"the conversation's rev is only {stored.rev}")


def _check_marks(history: History, stored: Stored) -> Iterator[Violation]:
    highest: dict[str, int] = {}
    for sample in stored.samples:
        if sample.read < highest.get(sample.user, 0):
            yield Violation(Kind.MARK_FELL, "database", f"it was {highest[sample.user]}", [sample])
        highest[sample.user] = max(sample.read, highest.get(sample.user, 0))
    for read in history.reads:
        mark = stored.marks.get(read.user)
        if read.conversation == stored.conversation and mark is not None and mark < read.seq:
            yield Violation(Kind.MARK_LOST, "database", f"it is {mark}", [read])


def _check_log(history: History, stored: Stored, log: Log) -> Iterator[Violation]:
    removal = next((each for each in history.removed if _is_of(each, log)), None)
    yield from _check_delivery(stored, log, removal)
    yield from _check_marks_seen(log.name, log.entries)
    if removal is not None:
        yield from _check_removal(log, removal)


def _check_delivery(stored: Stored, log: Log, removal: Removed | None) -> Iterator[Violation]:
    rows = {message.seq: message for message in stored.messages}
    last = _Position()
    texts: dict[int, Received] = {}
    for entry in log.entries:
        match entry:
            case Connected():
                last.begin_connection(keeps_rev=log.by is Resumption.REV)
            case Received():
                yield from _check_event(log.name, rows, last, entry)
                newest = texts.get(entry.seq)
                if newest is None or newest.rev < entry.rev:
                    texts[entry.seq] = entry
            case MarksSeen() | TypingSeen() | Ended():
                pass
    if removal is None and last.seq < stored.last_seq:
        yield Violation(Kind.MISSED, log.name, f"{last.seq + 1} to {stored.last_seq}", _tail(log.entries))
    if removal is None and log.by is Resumption.REV:
        yield from (
            Violation(Kind.STALE, log.name, "the database has another text", [entry, rows[seq]])
            for seq, entry in texts.items()
            if seq in rows and entry.text != (rows[seq].text or "")
        )


@attrs.define
class _Position:
    """What a subscriber has seen. `rev` is that of the present connection for one that resumes by seq."""

    seq: int = 0
    rev: int = 0
    seen: set[int] = attrs.field(factory=set[int])
    changes: set[int] = attrs.field(factory=set[int])
    """Revs of edits and deletions."""
    received: Received | None = None

    def begin_connection(self, *, keeps_rev: bool) -> None:
        if not keeps_rev:
            self.rev = 0


def _check_event(who: str, rows: dict[int, StoredMessage], last: _Position, entry: Received) -> Iterator[Violation]:
    before, last.received = last.received, entry
    row = rows.get(entry.seq)
    if row is None or row.id != entry.message_id or row.client_message_id != entry.client_message_id:
        yield Violation(Kind.PHANTOM, who, "the database has another", [entry, row])
    found = _misplaced(last, entry)
    if found is not None:
        yield Violation(found[0], who, found[1], [before, entry])
    elif row is not None and entry.event == CREATED and row.created_rev != entry.rev:
        yield Violation(Kind.MISORDERED, who, f"was created at rev {row.created_rev}", [entry])
    if entry.event == CREATED:
        last.seen.add(entry.seq)
        last.seq = max(last.seq, entry.seq)
    else:
        last.changes.add(entry.rev)
    last.rev = max(last.rev, entry.rev)


def _misplaced(last: _Position, entry: Received) -> tuple[Kind, str] | None:
    if entry.seq in last.seen if entry.event == CREATED else entry.rev in last.changes:
        return Kind.DOUBLED, "seen before"
    if entry.event == CREATED and entry.seq < last.seq:
        return Kind.MISORDERED, f"seq {entry.seq} after {last.seq}"
    if entry.event == CREATED and entry.seq > last.seq + 1 and not entry.truncated:
        return Kind.GAP, f"seq {entry.seq} after {last.seq}"
    if entry.event != CREATED and entry.seq > last.seq and not entry.truncated:
        return Kind.MISORDERED, "changed before it was created"
    if entry.rev <= last.rev:
        return Kind.MISORDERED, f"rev {entry.rev} after {last.rev}"
    return None


def _check_marks_seen(who: str, entries: Iterable[Entry]) -> Iterator[Violation]:
    """Within one connection; another node may learn of a mark later, and a client keeps the higher one."""
    marks: dict[str, MarksSeen] = {}
    for entry in entries:
        match entry:
            case Ended():
                marks.clear()
            case MarksSeen():
                before = marks.get(entry.user)
                if before is not None and (entry.read < before.read or entry.delivered < before.delivered):
                    yield Violation(Kind.MARK_FELL, who, "in events", [before, entry])
                marks[entry.user] = entry
            case Received() | TypingSeen() | Connected():
                pass


def _check_removal(log: Log, removal: Removed) -> Iterator[Violation]:
    for entry in log.entries:
        match entry:
            case Received() if entry.rev > removal.rev:
                yield Violation(Kind.AFTER_REMOVAL, log.name, "a later rev", [removal, entry])
            case MarksSeen() | TypingSeen() if entry.at > removal.at + removal.within:
                late = entry.at - removal.at
                yield Violation(Kind.AFTER_REMOVAL, log.name, f"{late:.2f} s after the removal", [removal, entry])
            case _:
                pass


def _is_of(removal: Removed, log: Log) -> bool:
    return (removal.user, removal.conversation) == (log.user, log.conversation)


def _tail(entries: Sequence[Entry]) -> Sequence[Entry]:
    return entries[-3:]
