"""What clients in the modes of acknowledging may see, and every departure that is planted, is told apart."""

from collections.abc import Callable

import attrs
import pytest

from tests.faults import faults
from tests.faults.acknowledgements import (
    MODES,
    AckLog,
    Acknowledger,
    AckSent,
    Confirmed,
    Delivered,
    Opened,
    check_acknowledgements,
)
from tests.faults.checker import Kind
from tests.faults.cluster import Cluster
from tests.faults.history import MarkSample, Stored
from tests.faults.run import mended, run_fault


@attrs.define
class Case:
    log: AckLog
    stored: Stored

    @property
    def found(self) -> set[Kind]:
        return {each.kind for each in check_acknowledgements(self.log, self.stored)}


def good_case() -> Case:
    """Five messages; 2 is left open, comes again with all after it, and is acknowledged then."""
    log = AckLog("bob's", "bob", "room", "client-individual")
    log.entries += [Opened("A", 0.0), *(Delivered(seq, 1.0) for seq in (1, 2, 3))]
    log.entries += [AckSent(1, 1.0), AckSent(3, 1.0), Confirmed(1, 2.0)]
    log.entries += [Opened("B", 3.0), *(Delivered(seq, 3.0) for seq in (2, 3, 4, 5))]
    log.entries += [AckSent(2, 4.0), AckSent(3, 4.0), AckSent(4, 4.0), AckSent(5, 4.0), Confirmed(5, 5.0)]
    samples = [MarkSample("bob", 0, at, delivered) for at, delivered in ((0.5, 0), (2.0, 1), (4.5, 4), (6.0, 5))]
    return Case(log, Stored("room", 5, 5, [], {}, samples, {"bob": 5}))


def leave_out_what_is_open(case: Case) -> None:
    case.log.entries.remove(Delivered(2, 3.0))


def leave_a_gap(case: Case) -> None:
    case.log.entries.remove(Delivered(4, 3.0))


def deliver_twice(case: Case) -> None:
    case.log.entries.insert(2, Delivered(1, 1.0))


def deliver_no_last_one(case: Case) -> None:
    case.log.entries = [each for each in case.log.entries if each not in (Delivered(5, 3.0), AckSent(5, 4.0))]


def let_the_mark_fall(case: Case) -> None:
    case.stored = attrs.evolve(case.stored, samples=[*case.stored.samples, MarkSample("bob", 0, 7.0, 4)])


def move_the_mark_over_what_is_open(case: Case) -> None:
    case.stored = attrs.evolve(case.stored, samples=[MarkSample("bob", 0, 2.0, 3), *case.stored.samples[2:]])


def lose_the_mark(case: Case) -> None:
    case.stored = attrs.evolve(case.stored, delivered={"bob": 4})


PLANTED: dict[Callable[[Case], None], Kind] = {
    leave_out_what_is_open: Kind.NOT_AGAIN,
    leave_a_gap: Kind.GAP,
    deliver_twice: Kind.DOUBLED,
    deliver_no_last_one: Kind.MISSED,
    let_the_mark_fall: Kind.MARK_FELL,
    move_the_mark_over_what_is_open: Kind.MARK_AHEAD,
    lose_the_mark: Kind.MARK_LOST,
}


def test_what_keeps_the_guarantees_passes() -> None:
    assert good_case().found == set()


@pytest.mark.parametrize(("plant", "kind"), PLANTED.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_every_planted_violation_is_found(plant: Callable[[Case], None], kind: Kind) -> None:
    case = good_case()
    plant(case)
    assert kind in case.found


def test_cumulative_acknowledgement_is_of_all_before() -> None:
    case = good_case()
    case.log.mode = "client"
    case.log.entries.remove(AckSent(2, 4.0))
    case.stored = attrs.evolve(case.stored, samples=[MarkSample("bob", 0, 2.0, 3)])
    assert case.found == set()


async def test_acknowledgement_that_the_record_denies_is_found_out_on_real_nodes(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Acknowledger.record_ack

    def record_no_third(self: Acknowledger, seq: int) -> None:
        if seq % 3:
            honest(self, seq)

    monkeypatch.setattr(Acknowledger, "record_ack", record_no_third)
    with mended(cluster):
        outcome = await run_fault(cluster, faults.CALM, seed=2)
    found = {(each.who.partition(" ")[0], each.kind) for each in outcome.violations}
    assert {kind for _, kind in found} <= {Kind.NOT_AGAIN, Kind.MARK_AHEAD, Kind.MISSED}
    assert ("ack:client-individual", Kind.NOT_AGAIN) in found
    assert ("ack:client-individual", Kind.MARK_AHEAD) in found


def comes_again(log: AckLog) -> bool:
    delivered = [each.seq for each in log.entries if isinstance(each, Delivered)]
    return len(set(delivered)) < len(delivered)


async def test_what_was_not_acknowledged_comes_again(cluster: Cluster) -> None:
    with mended(cluster):
        outcome = await run_fault(cluster, faults.NODE_KILLED, seed=3)
    assert not outcome.failed, f"{outcome.tell()}\n{cluster.logs}"
    assert [log.mode for log in outcome.ack_logs] == list(MODES)
    assert all(comes_again(log) for log in outcome.ack_logs), "everything was acknowledged at once"
