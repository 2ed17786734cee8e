"""The checker passes every history that keeps the guarantees, and finds every departure that is planted in one."""

import random
from collections.abc import Callable

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.checker import CREATED, Kind, check
from tests.faults.history import (
    Acked,
    Connected,
    Edited,
    Ended,
    Entry,
    History,
    Log,
    MarkSample,
    MarksSeen,
    Read,
    Received,
    Removed,
    Resumption,
    Sent,
    Stored,
    StoredMessage,
    Trouble,
    TypingSeen,
)

ROOM = "room"
REMOVED = "eve"


@attrs.define
class Run:
    """A history that keeps every guarantee, and the database that goes with it."""

    history: History
    stored: Stored

    @property
    def found(self) -> set[Kind]:
        return {violation.kind for violation in check(self.history, [self.stored])}

    def log(self, by: Resumption) -> Log:
        return next(each for each in self.history.logs if each.by is by and each.user != REMOVED)

    def replace(self, seq: int, **changes: object) -> None:
        """Change one row of the database."""
        rows = [attrs.evolve(row, **changes) if row.seq == seq else row for row in self.stored.messages]
        self.stored = attrs.evolve(self.stored, messages=rows)


def received(row: StoredMessage, *, at: float = 0.0) -> Received:
    """Its creation, with its present text as a replay has it."""
    return Received(CREATED, row.seq, row.created_rev, row.id, row.client_message_id, row.text or "", at)


def changed(row: StoredMessage) -> Received:
    event = "message.deleted" if row.text is None else "message.updated"
    return Received(event, row.seq, row.rev, row.id, row.client_message_id, row.text or "", 0.0)


def good_run(rng: random.Random, count: int) -> Run:
    """`count` messages, some changed; a removal amid them; two subscribers that break off and resume, and who left."""
    history = History()
    rows: list[StoredMessage] = []
    events: list[Received] = []
    rev, removal_rev = 0, 0
    for seq in range(1, count + 1):
        rev += 1
        key = f"c{seq}"
        history.sent[key] = Sent(key, ROOM, "ann", f"text {seq}", "A", float(seq))
        rows.append(StoredMessage(f"m{seq}", seq, rev, rev, "ann", key, f"text {seq}", seq // 2))
        events.append(received(rows[-1]))
        if rng.random() < 0.9 or seq == 1:
            history.acked.append(Acked(key, f"m{seq}", seq, float(seq)))
        at = rng.randrange(len(rows))
        if rng.random() < 0.3 and rows[at].id not in history.edited:
            rev += 1
            text = rng.choice([None, "edited"])
            rows[at] = attrs.evolve(rows[at], rev=rev, text=text)
            history.edited[rows[at].id] = Edited(rows[at].id, text, 0.0, rng.random() < 0.5)
            events.append(changed(rows[at]))
        if seq == count // 2:
            rev += 1
            removal_rev = rev
    history.removed.append(Removed(ROOM, REMOVED, removal_rev, 100.0, 1.0))
    history.reads.append(Read(ROOM, "bob", count // 2, 0.0))
    history.logs += [_log(rng, by, events, rows) for by in Resumption]
    before: list[Entry] = [event for event in events if event.rev < removal_rev]
    entries = [Connected("A", 0, 0.0), *before, TypingSeen("ann", 100.9)]
    history.logs.append(Log("eve's", REMOVED, ROOM, Resumption.SEQ, entries))
    samples = [MarkSample("bob", mark, mark) for mark in range(count // 2 + 1)]
    stored = Stored(ROOM, count, rev, rows, {"ann": count, "bob": count // 2}, samples)
    return Run(history, stored)


def _log(rng: random.Random, by: Resumption, events: list[Received], rows: list[StoredMessage]) -> Log:
    """Sees a part live, is away for a part, and is given that as a replay of the kind it asked for."""
    first, second = sorted(rng.randrange(len(events) + 1) for _ in range(2))
    live, missed, rest = events[:first], events[first:second], events[second:]
    live_seq = max((each.seq for each in live), default=0)
    replay = missed if by is Resumption.REV else [each for each in missed if each.event == CREATED]
    at = live[-1].rev if by is Resumption.REV and live else live_seq
    entries = [Connected("A", 0, 0.0), *live, Ended("1006", 0.0), Connected("B", at, 0.0), *replay]
    marks = [MarksSeen("bob", mark, mark + 1, 0.0) for mark in (1, 3)]
    return Log(f"by {by}", f"user {by}", ROOM, by, [*entries, marks[0], *rest, marks[1]])


def at_received(rng: random.Random, log: Log, event: str = CREATED) -> int:
    """The place of an event that has both a predecessor and a successor of the kind."""
    places = [at for at, each in enumerate(log.entries) if isinstance(each, Received) and each.event == event]
    return rng.choice(places[1:-1])


def lose_acknowledged(run: Run, rng: random.Random) -> None:
    acked = rng.choice(run.history.acked)
    run.stored = attrs.evolve(run.stored, messages=[each for each in run.stored.messages if each.seq != acked.seq])


def acknowledge_with_another_number(run: Run, rng: random.Random) -> None:
    run.history.acked[0] = attrs.evolve(run.history.acked[0], seq=run.history.acked[0].seq + 1)


def lose_text(run: Run, rng: random.Random) -> None:
    run.replace(rng.randint(1, run.stored.last_seq), text="of another")


def lose_acknowledged_edit(run: Run, rng: random.Random) -> None:
    run.history.edited["m2"] = Edited("m2", "acknowledged", 0.0, acked=True)


def store_twice(run: Run, rng: random.Random) -> None:
    last = run.stored.last_seq + 1
    again = attrs.evolve(run.stored.messages[0], seq=last, id="other", created_rev=run.stored.rev + 1)
    run.stored = attrs.evolve(run.stored, messages=[*run.stored.messages, again], last_seq=last)


def deliver_twice(run: Run, rng: random.Random) -> None:
    log = run.log(rng.choice(list(Resumption)))
    at = at_received(rng, log)
    log.entries.insert(rng.randint(at + 1, len(log.entries)), log.entries[at])


def deliver_change_twice(run: Run, rng: random.Random) -> None:
    log = run.log(Resumption.REV)
    row = run.stored.messages[0]
    log.entries += [attrs.evolve(changed(row), rev=run.stored.rev)] * 2


def swap(run: Run, rng: random.Random) -> None:
    log = run.log(rng.choice(list(Resumption)))
    at = at_received(rng, log)
    following = next(n for n in range(at + 1, len(log.entries)) if isinstance(log.entries[n], Received))
    log.entries[at], log.entries[following] = log.entries[following], log.entries[at]


def store_misordered(run: Run, rng: random.Random) -> None:
    seq = rng.randint(2, run.stored.last_seq)
    run.replace(seq, timestamp=-1.0)


def skip(run: Run, rng: random.Random) -> None:
    log = run.log(rng.choice(list(Resumption)))
    del log.entries[at_received(rng, log)]


def leave_out_the_last(run: Run, rng: random.Random) -> None:
    log = run.log(rng.choice(list(Resumption)))
    last = run.stored.last_seq
    log.entries = [each for each in log.entries if not (isinstance(each, Received) and each.seq == last)]


def leave_a_hole_in_the_database(run: Run, rng: random.Random) -> None:
    run.stored = attrs.evolve(run.stored, last_seq=run.stored.last_seq + 1)


def deliver_what_is_not_stored(run: Run, rng: random.Random) -> None:
    log = run.log(rng.choice(list(Resumption)))
    at = at_received(rng, log)
    entry = log.entries[at]
    assert isinstance(entry, Received)
    log.entries[at] = attrs.evolve(entry, message_id="nobody's")


def acknowledge_what_nobody_sent(run: Run, rng: random.Random) -> None:
    run.history.acked.append(Acked("nobody's", "m1", 1, 0.0))


def store_what_nobody_sent(run: Run, rng: random.Random) -> None:
    run.replace(rng.randint(1, run.stored.last_seq), client_message_id="nobody's")


def leave_stale(run: Run, rng: random.Random) -> None:
    log = run.log(Resumption.REV)
    seq = rng.randint(1, run.stored.last_seq)
    entries = [
        attrs.evolve(each, text="stale") if isinstance(each, Received) and each.seq == seq else each
        for each in log.entries
    ]
    log.entries = entries


def let_a_mark_fall_in_events(run: Run, rng: random.Random) -> None:
    log = run.log(rng.choice(list(Resumption)))
    log.entries += [MarksSeen("bob", 9, 9, 0.0), MarksSeen("bob", *rng.choice([(8, 9), (9, 8)]), 0.0)]


def let_a_mark_fall_in_the_database(run: Run, rng: random.Random) -> None:
    samples = [MarkSample("bob", 5, 0.0), MarkSample("ann", 3, 1.0), MarkSample("bob", 4, 2.0)]
    run.stored = attrs.evolve(run.stored, samples=samples)


def lose_a_mark(run: Run, rng: random.Random) -> None:
    run.stored = attrs.evolve(run.stored, marks={"ann": run.stored.last_seq, "bob": run.stored.last_seq // 2 - 1})


def deliver_after_removal(run: Run, rng: random.Random) -> None:
    (log,) = (each for each in run.history.logs if each.user == REMOVED)
    log.entries.append(received(run.stored.messages[-1]))


def cut_off_late(run: Run, rng: random.Random) -> None:
    (log,) = (each for each in run.history.logs if each.user == REMOVED)
    log.entries.append(TypingSeen("ann", 101.1))


def refuse(run: Run, rng: random.Random) -> None:
    run.history.troubles.append(Trouble("ann", "FORBIDDEN", "A", 0.0))


PLANTED: dict[Callable[[Run, random.Random], None], Kind] = {
    lose_acknowledged: Kind.LOST,
    acknowledge_with_another_number: Kind.LOST,
    lose_text: Kind.LOST,
    lose_acknowledged_edit: Kind.LOST,
    store_twice: Kind.DOUBLED,
    deliver_twice: Kind.DOUBLED,
    deliver_change_twice: Kind.DOUBLED,
    swap: Kind.MISORDERED,
    store_misordered: Kind.MISORDERED,
    skip: Kind.GAP,
    leave_a_hole_in_the_database: Kind.GAP,
    leave_out_the_last: Kind.MISSED,
    deliver_what_is_not_stored: Kind.PHANTOM,
    acknowledge_what_nobody_sent: Kind.PHANTOM,
    store_what_nobody_sent: Kind.PHANTOM,
    leave_stale: Kind.STALE,
    let_a_mark_fall_in_events: Kind.MARK_FELL,
    let_a_mark_fall_in_the_database: Kind.MARK_FELL,
    lose_a_mark: Kind.MARK_LOST,
    deliver_after_removal: Kind.AFTER_REMOVAL,
    cut_off_late: Kind.AFTER_REMOVAL,
    refuse: Kind.REFUSED,
}


def test_every_kind_of_violation_is_planted() -> None:
    """Those of who acknowledges deliveries, in their own tests."""
    assert set(PLANTED.values()) == set(Kind) - {Kind.NOT_AGAIN, Kind.MARK_AHEAD}


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(6, 40))
def test_what_keeps_the_guarantees_passes(seed: int, count: int) -> None:
    run = good_run(random.Random(seed), count)
    assert check(run.history, [run.stored]) == []


@pytest.mark.parametrize(("plant", "kind"), PLANTED.items(), ids=lambda each: getattr(each, "__name__", ""))
@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), count=st.integers(6, 40))
def test_every_planted_violation_is_found(
    plant: Callable[[Run, random.Random], None], kind: Kind, seed: int, count: int
) -> None:
    rng = random.Random(seed)
    run = good_run(rng, count)
    plant(run, rng)
    assert kind in run.found


def test_only_the_first_event_of_a_cut_replay_may_leave_a_gap() -> None:
    run = good_run(random.Random(1), 20)
    log = run.log(Resumption.SEQ)
    rows = run.stored.messages
    log.entries = [Connected("A", 0, 0.0), attrs.evolve(received(rows[10]), truncated=True)]
    log.entries += [received(row) for row in rows[11:]]
    assert run.found == set()
    del log.entries[2]
    assert run.found == {Kind.GAP}


def test_a_mark_may_be_lower_on_another_connection_whose_first_events_come_before_its_receipt() -> None:
    run = good_run(random.Random(1), 20)
    log = run.log(Resumption.REV)
    log.entries += [MarksSeen("bob", 9, 9, 0.0), Ended("1006", 0.0), MarksSeen("bob", 8, 8, 0.0)]
    log.entries += [Connected("B", run.stored.rev, 0.0), MarksSeen("bob", 9, 9, 0.0)]
    assert run.found == set()
    log.entries.append(MarksSeen("bob", 8, 8, 0.0))
    assert run.found == {Kind.MARK_FELL}


def test_what_a_failed_run_prints_names_the_offending_entries() -> None:
    run = good_run(random.Random(1), 20)
    lose_acknowledged(run, random.Random(1))
    text = "\n".join(str(each) for each in check(run.history, [run.stored]))
    assert "lost: ann: acknowledged, not in the database" in text
    assert "Sent(client_message_id=" in text
