from chatload.reports.thresholds import parse_threshold
from chatload.reports.verdict import Verdict, judge, meter_limit
from chatload.result import Faults
from tests.chatload.reports.sample import sample_result


def test_run_without_faults_that_keeps_its_thresholds_passes() -> None:
    result = sample_result()
    assert judge(result, [parse_threshold("p99<50ms").check(result)]) == Verdict(True, [])


def test_every_fault_and_every_broken_threshold_is_a_reason() -> None:
    result = sample_result(faults=Faults(lost=1200, errors={"UNAVAILABLE": 1, "OVERLOADED": 2}))
    outcomes = [parse_threshold(text).check(result) for text in ("p99<50ms", "resumes/s>1")]
    assert judge(result, outcomes) == Verdict(
        False, ["lost: 1,200", "error OVERLOADED: 2", "error UNAVAILABLE: 1", "resumes/s>1: not measured"]
    )


def test_saturated_meter_is_named_as_the_limit() -> None:
    assert meter_limit(sample_result()) is None
    saturated = sample_result(meter_saturated=True)
    assert "no CPU left (0.62 cores in all)" in (meter_limit(saturated) or "")
