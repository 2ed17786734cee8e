import pytest

from chatload.gather import Gathering
from chatload.latencies import fold
from chatload.messages import Part, Report, Seen
from chatload.result import Interval
from chatload.server_probe import NoProbe, Usage

MS = 1_000_000
SECOND = 1000 * MS


class Growing:
    """A probe of a server that takes half a second of CPU and a megabyte with each look."""

    source = "test"

    def __init__(self) -> None:
        self._looks = 0

    def read(self) -> Usage:
        self._looks += 1
        return Usage(self._looks * 0.5, self._looks * 1_000_000)


def report(number: int = 1, part: Part = Part.HOLD, seen: list[Seen] | None = None, **changes: int) -> Report:
    plain = {"connected": 1, "sent": 2, "acknowledged": 3, "delivered": 4, "until": number * SECOND} | changes
    return Report(
        part=part,
        number=number,
        until=plain["until"],
        connected=plain["connected"],
        sent=plain["sent"],
        acknowledged=plain["acknowledged"],
        delivered=plain["delivered"],
        counts={"connects": 1},
        errors={"RATE_LIMITED": 1},
        latencies={"delivery": dict(fold([5 * MS, 7 * MS]))},
        unmeasured={},
        seen=seen or [],
        cpu=0.25,
    )


def gathering(workers: int = 2, listeners: int = 3) -> Gathering:
    return Gathering(0, {0: listeners}, workers, NoProbe())


def test_interval_is_told_once_the_last_worker_has_reported_it() -> None:
    whole = gathering()
    assert whole.add(0, report(1)) is None
    assert whole.add(0, report(2)) is None
    interval = whole.add(1, report(1))
    assert interval is not None
    assert (interval.at, interval.connected, interval.sent, interval.acknowledged) == (1.0, 2, 4, 6)
    assert (interval.delivered, interval.errors, interval.measured) == (8, 2, True)
    assert interval.delivery_p50 == pytest.approx(5, rel=2e-3)
    assert interval.delivery_max == pytest.approx(7, rel=2e-3)
    assert whole.intervals == [interval]


def test_only_warm_up_and_hold_are_kept_as_intervals_and_only_the_hold_makes_rates() -> None:
    whole = gathering(workers=1)
    for part in Part:
        assert isinstance(whole.add(0, report(1, part)), Interval)
    assert [interval.measured for interval in whole.intervals] == [False, True]
    assert whole.held == {"sent": 2, "delivered": 4}
    assert whole.worker_cpu == {0: 0.25}
    assert (whole.counts["sent"], whole.counts["connects"], whole.errors["RATE_LIMITED"]) == (8, 4, 4)


def test_message_is_complete_when_the_last_subscriber_of_any_worker_has_it() -> None:
    whole = gathering()
    whole.add(0, report(seen=[Seen(0, 1, 10 * MS, 2, 0, 15 * MS)]))
    assert whole.incomplete == 1
    assert "completion" not in whole.latencies
    whole.add(1, report(seen=[Seen(0, 1, 10 * MS, 1, 0, 13 * MS)]))
    assert whole.incomplete == 0
    assert whole.latencies["completion"].p50 == pytest.approx(5, rel=2e-3)
    assert whole.counts["completed"] == 1


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(Seen(0, 1, 10 * MS, 3, 1, 15 * MS), id="some got it in a resume"),
        pytest.param(Seen(0, 1, 9 * MS, 3, 0, 15 * MS), id="it was of the warm-up"),
    ],
)
def test_completion_is_not_measured_where_it_means_nothing(seen: Seen) -> None:
    whole = gathering()
    whole.measured_from = 10 * MS
    whole.add(0, report(seen=[seen]))
    assert whole.counts["completed"] == 1
    assert "completion" not in whole.latencies


def test_message_that_stays_incomplete_is_given_up_in_the_end() -> None:
    whole = gathering(workers=1)
    whole.add(0, report(1, seen=[Seen(0, 1, 0, 1, 0, 5)]))
    whole.add(0, report(2, until=121 * SECOND))
    assert (whole.incomplete, whole.counts["incomplete"]) == (0, 1)


def test_servers_cpu_is_sampled_with_each_interval() -> None:
    whole = Gathering(0, {}, 1, Growing())
    whole.server_begins()
    for number in (1, 2, 3):
        interval = whole.add(0, report(number))
        assert interval is not None
        assert interval.server_cpu is not None
        assert interval.server_cpu > 0
    assert [usage.rss for usage in whole.hold_cpu] == [2_000_000, 3_000_000, 4_000_000, 5_000_000]
