"""The load tester against a server that does something wrong: the run must fail, and say what."""

import pytest

from chatload.control import run
from chatload.job import Job
from chatload.result import Interval, Result
from chatload.scenario import make_scenario
from chatload.server_probe import NoProbe
from chatload.users import LoadUser
from tests.chatload.faulty_server import FaultyServer, Wrong

QUIET = {"warm_up": 0.0, "hold": 0.6, "drain": 0.6, "rate": 50.0, "subscribers": 4, "publishers": 2}


class Silent:
    """Implements `Progress`."""

    def on_phase(self, name: str) -> None: ...
    def on_interval(self, interval: Interval) -> None: ...


def ran(wrong: Wrong, processes: int = 1, **values: float) -> Result:
    users = [LoadUser(f"u{number}", f"t{number}") for number in range(6)]
    with FaultyServer(wrong) as server:
        scenario = make_scenario("fanout", {**QUIET, **values})
        return run(Job(scenario=scenario, url=server.url, users=users, processes=processes, probe=NoProbe()), Silent())


def faults(result: Result) -> dict[str, int]:
    found = result.faults
    plain = {
        "lost": found.lost,
        "doubled": found.doubled,
        "out_of_order": found.out_of_order,
        "unacknowledged": found.unacknowledged,
        **found.errors,
    }
    return {name: count for name, count in plain.items() if count}


@pytest.mark.parametrize("processes", [1, 2])
def test_server_without_fault_passes(processes: int) -> None:
    result = ran(Wrong(), processes)
    assert faults(result) == {}
    assert not result.failed
    assert result.counts["sent"] == result.counts["acknowledged"] == result.counts["completed"] == 30
    assert result.counts["delivered"] == result.latencies["delivery"].count == 4 * 30
    assert result.latencies["completion"].count == result.latencies["receipt"].count == 30
    assert result.latencies["connect"].count == 6
    assert result.meter_processes == processes


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        pytest.param(Wrong(drop=frozenset({(1, 7), (2, 9)})), {"lost": 2}, id="drops"),
        pytest.param(Wrong(drop=frozenset({(1, 30)})), {"lost": 1}, id="drops the last"),
        pytest.param(Wrong(double=frozenset({(0, 5)})), {"doubled": 1}, id="doubles"),
        pytest.param(Wrong(double=frozenset({(3, 30)})), {"doubled": 1}, id="doubles the last"),
        pytest.param(Wrong(swap=frozenset({(2, 8)})), {"out_of_order": 1}, id="swaps"),
        pytest.param(Wrong(silent=frozenset({4})), {"unacknowledged": 1}, id="gives no receipt"),
        pytest.param(Wrong(refuse=frozenset({3, 6})), {"RATE_LIMITED": 2}, id="refuses"),
        pytest.param(Wrong(other=frozenset({(1, 5)})), {"WRONG_MESSAGE": 1}, id="gives another message the number"),
        pytest.param(Wrong(close={(1, 5): 1011}), {"CLOSED_1011": 1}, id="closes"),
        pytest.param(Wrong(close={(1, 5): 1013}), {"CLOSED_1013": 1}, id="closes one that is not slow as slow"),
        pytest.param(Wrong(close={(1, 5): 1008}), {"CLOSED_1008": 1, "lost": 26}, id="closes for good"),
    ],
)
def test_each_fault_fails_the_run_and_is_named(wrong: Wrong, found: dict[str, int]) -> None:
    result = ran(wrong)
    assert faults(result) == found
    assert result.failed


def test_who_is_closed_comes_back_and_resumes_after_what_he_has() -> None:
    result = ran(Wrong(close={(1, 5): 1012}))
    assert (result.faults.lost, result.counts["resumes"]) == (0, 1)
    assert result.latencies["resume"].count == 1


def test_latency_counts_from_when_a_send_was_due_while_the_server_stands_still() -> None:
    stalled = 0.3
    result = ran(Wrong(stall={10: stalled}))
    assert not result.failed
    # 15 sends fall due within the stall, the first waits for all of it, the last hardly: their mean is half of it.
    waits = [bound for bound, count in result.latencies["receipt"].buckets for _ in range(count) if bound > 20]
    assert 12 <= len(waits) <= 18
    assert max(waits) == pytest.approx(stalled * 1000, rel=0.15)
    assert sum(waits) / len(waits) == pytest.approx(stalled * 500, rel=0.25)


def test_closed_loop_waits_for_the_deliveries_and_not_for_a_clock() -> None:
    result = ran(Wrong(stall={10: 0.3}), rate=0.0, in_flight=2)
    assert not result.failed
    waits = [bound for bound, count in result.latencies["receipt"].buckets for _ in range(count) if bound > 200]
    assert 1 <= len(waits) <= 2
    assert result.counts["sent"] > 60


def test_run_that_has_nothing_to_connect_to_says_so() -> None:
    from chatload.rest import RestError

    with FaultyServer(Wrong()) as server:
        url = server.url
    users = [LoadUser("u", "t")]
    job = Job(scenario=make_scenario("fanout", QUIET), url=url, users=users, processes=1, probe=NoProbe())
    with pytest.raises(RestError, match="POST /api/conversations: "):
        run(job, Silent())
