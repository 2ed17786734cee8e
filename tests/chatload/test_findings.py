import pytest

from chatload.findings import make_result
from chatload.gather import Gathering
from chatload.job import Job, Outcome
from chatload.messages import Final, Go
from chatload.plan import Plan
from chatload.result import Result
from chatload.scenario import Fanout, Scenario, Soak
from chatload.server_probe import NoProbe, Usage
from chatload.worker.endpoint import Endpoint

SECOND = 1_000_000_000


def gathered(**final: int) -> Gathering:
    whole = Gathering(0, {0: 3}, 1, NoProbe())
    whole.held.update(sent=100, delivered=300)
    whole.worker_cpu = {0: 2.0}
    whole.finals = [Final(**(dict.fromkeys(Final.__struct_fields__, 0) | final))]
    return whole


def result_of(
    whole: Gathering, scenario: Scenario | None = None, storms: list[tuple[int, int]] | None = None
) -> Result:
    scenario = scenario or Fanout(hold=10.0)
    go = Go(2 * SECOND, 3 * SECOND, 13 * SECOND, storms or [])
    outcome = Outcome(whole, 2 * SECOND, 0, go, 14 * SECOND)
    plan = Plan([], [[]], {0: 300}, 4, 304, ["a plan's note"])
    job = Job(scenario=scenario, urls=["http://127.0.0.1:1"], users=[], processes=1, probe=NoProbe(), notes=["a job's"])
    return make_result(outcome, job, plan, [Endpoint.of(url) for url in job.urls], "2026-01-01T00:00:00Z")


def noted(result: Result, text: str) -> bool:
    return any(text in note for note in result.notes)


def test_good_run_has_its_rates_and_no_fault() -> None:
    result = result_of(gathered())
    assert not result.failed
    assert result.rates == {"deliveries": 30, "sends": 10, "connects": 152}
    assert (result.seconds, result.meter_cpu, result.meter_saturated) == (14, 0.2, False)
    assert (result.parameters["subscribers"], result.parameters["processes"]) == (100, 1)
    assert result.notes[:2] == ["a job's", "a plan's note"]


@pytest.mark.parametrize("name", ["lost", "doubled", "out_of_order", "unacknowledged"])
def test_each_fault_fails_the_run(name: str) -> None:
    result = result_of(gathered(**{name: 2}))
    assert result.failed
    assert getattr(result.faults, name) == 2


def test_error_fails_the_run() -> None:
    whole = gathered()
    whole.errors["CLOSED_1011"] = 1
    assert result_of(whole).failed


def test_run_that_sent_nothing_fails() -> None:
    whole = gathered()
    whole.held.clear()
    result = result_of(whole)
    assert result.failed
    assert result.faults.errors == {"NOTHING_SENT": 1}


@pytest.mark.parametrize(("seconds", "saturated"), [(9.0, False), (9.1, True)])
def test_meter_is_saturated_when_one_process_used_more_than_nine_tenths_of_a_core(
    seconds: float, saturated: bool
) -> None:
    whole = gathered()
    whole.worker_cpu = {0: 1.0, 1: seconds}
    result = result_of(whole)
    assert result.meter_saturated is saturated
    assert noted(result, "the meter was saturated") is saturated


def test_late_send_and_cut_replay_are_noted() -> None:
    result = result_of(gathered(late_sends=25_000_000, truncated=7))
    assert not result.failed
    assert noted(result, "a send left 25 ms after its time")
    assert noted(result, "7 messages were cut from replays")
    assert not noted(result_of(gathered(late_sends=5_000_000)), "after its time")


def test_unknown_server_is_noted() -> None:
    result = result_of(gathered())
    assert (result.server_cpu, result.server_rss) == (None, None)
    assert noted(result, "name its --server-pid or its --metrics-url")


def test_servers_cpu_is_its_mean_over_the_hold() -> None:
    whole = gathered()
    whole.hold_cpu = [Usage(1.0, 5), Usage(3.0, 6), Usage(6.0, 7)]
    result = result_of(whole)
    assert (result.server_cpu, result.server_rss) == (0.5, 7)


def test_resume_rate_is_that_of_the_last_storm() -> None:
    storms = [(4 * SECOND, 5 * SECOND), (8 * SECOND, 9 * SECOND)]
    assert result_of(gathered(last_resume=10 * SECOND), storms=storms).rates["resumes"] == 300
    assert "resumes" not in result_of(gathered(last_resume=6 * SECOND), storms=storms).rates


@pytest.mark.parametrize(("last", "fails"), [(119, False), (121, True)])
def test_memory_that_grows_by_more_than_allowed_fails_a_soak(last: int, fails: bool) -> None:
    whole = gathered()
    whole.hold_cpu = [Usage(0, 100)] * 4 + [Usage(0, last)] * 4
    result = result_of(whole, Soak(hold=10.0, max_memory_growth=0.2))
    assert result.failed is fails
    assert result.faults.errors == ({"MEMORY_GROWTH": 1} if fails else {})
    assert noted(result, "the server's memory went from")
