"""The figures say what the runs' records say."""

from pathlib import Path

import attrs
import pytest

from tests.faults.checker import Kind, Violation
from tests.faults.faults import CALM
from tests.faults.history import Acked, Connected, Ended, Entry, History, Log, Received, Resumption, Sent
from tests.faults.report import BEGIN, END, CutOff, Tally, keep, kept, latencies, page, publish, row, swept
from tests.faults.run import Outcome


def received(seq: int, at: float) -> Received:
    return Received("message.created", seq, seq, f"m{seq}", f"c{seq}", "", at)


def history(*entries: Entry, repeated: bool = False) -> History:
    """Four messages, sent on node A at 0.0, 1.0, 2.0 and 3.0; one subscriber."""
    made = History()
    for seq in range(1, 5):
        made.sent[f"c{seq}"] = Sent(f"c{seq}", "room", "ann", "", "A", seq - 1.0)
        made.acked.append(Acked(f"c{seq}", f"m{seq}", seq, seq - 0.9, repeated and seq == 4))
    made.logs.append(Log("bob", "bob", "room", Resumption.SEQ, list(entries)))
    return made


def outcome(*entries: Entry, kinds: tuple[Kind, ...] = (), heal: float | None = 0.25) -> Outcome:
    """The fault lasted from 2.0 to 3.0."""
    violations = [Violation(kind, "bob", "what") for kind in kinds]
    return Outcome(CALM.name, 1, 2.0, 3.0, heal, [history(*entries)], violations, [], [])


STEADY = (Connected("A", 0, 0.0), received(1, 0.01), received(2, 1.01), received(3, 2.01), received(4, 3.2))


def test_row_counts_what_was_acknowledged_delivered_and_wrong() -> None:
    kinds = (Kind.LOST, Kind.GAP, Kind.MISSED, Kind.DOUBLED, Kind.MISORDERED, Kind.MISORDERED, Kind.STALE)
    found = row(outcome(*STEADY, kinds=kinds))
    assert (found.acknowledged, found.delivered) == (4, 4)
    assert (found.lost, found.doubled, found.misordered, found.other) == (3, 1, 2, 1)
    assert found.heal == 0.25


def test_silence_is_the_longest_pause_from_a_second_before_the_fault_until_it_has_healed() -> None:
    assert row(outcome(*STEADY)).silence == pytest.approx(1.19)
    assert row(outcome(Connected("A", 0, 0.0))).silence == pytest.approx(2.25)


def test_latencies_are_by_the_node_that_a_subscriber_is_on_and_leave_out_what_was_sent_twice() -> None:
    entries: list[Entry] = [Connected("A", 0, 0.0), received(1, 0.010), received(2, 1.012)]
    entries += [Ended("1006", 1.5), Connected("B", 2, 1.6), received(3, 2.030), received(4, 9.0)]
    again = history(*entries, repeated=True)
    same, cross = latencies([again, again])
    assert (same.deliveries, cross.deliveries) == (4, 2)
    assert same.p50 == pytest.approx(11, abs=1)
    assert (cross.p50, cross.p99) == (30.0, 30.0)


def test_runs_of_one_fault_are_one_row_with_the_longest_times() -> None:
    tally = Tally()
    for heal in (0.5, 0.25):
        tally.add(outcome(*STEADY, heal=heal))
    (found,) = tally.rows
    assert (found.runs, found.acknowledged, found.heal) == (2, 8, 0.5)
    tally.add(outcome(heal=None))
    assert tally.rows[0].heal is None
    for seconds in (0.5, 0.9, 0.1):
        tally.add_cut_off(CutOff("killed", 1, seconds, 3.0))
    assert tally.cut_offs == [CutOff("killed", 3, 0.9, 3.0)]


def test_what_was_not_run_anew_stays_as_it_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    first = Tally()
    first.add(outcome(Connected("A", 0, 0.0), received(1, 0.1), received(2, 1.1), received(3, 2.1), received(4, 3.1)))
    elsewhere = outcome(Connected("B", 0, 0.0), received(1, 0.1), received(2, 1.1), received(3, 2.1))
    first.add(elsewhere)
    first.add_cut_off(CutOff("up", 1, 0.1, 1.0))
    keep(first, path)
    second = Tally()
    second.add(attrs.evolve(elsewhere, fault="another"))
    keep(second, path)
    found = kept(path)
    assert [(each.fault, each.runs) for each in found.rows] == [("none", 2), ("another", 1)]
    assert (found.same_node.deliveries, found.cross_node.deliveries) == (4, 3)
    assert found.cut_offs == [CutOff("up", 1, 0.1, 1.0)]
    guarantees = tmp_path / "guarantees.md"
    guarantees.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    publish(found, guarantees)
    told = guarantees.read_text()
    assert told == f"before\n{page(found)}\nafter\n"
    assert "| another | 1 | 4 | 3 | 0 | 0 | 0 | 0 | 0.25 s |" in told
    assert "| Redis up | 1 | 0.10 s | 1 s |" in told


def test_who_waited_as_long_as_the_fault_lasted_was_not_swept() -> None:
    assert swept(outcome(Connected("A", 0, 0.0), *(received(number, number / 2) for number in range(1, 9))))
    assert not swept(outcome(*STEADY))
