"""Whether a run passed."""

from collections.abc import Sequence

from attrs import frozen

from chatload.reports.figures import Unit, shown
from chatload.reports.thresholds import ThresholdOutcome
from chatload.result import Faults, Result


@frozen
class Verdict:
    """`reasons` tell why it did not pass; they are empty when it did."""

    passed: bool
    reasons: Sequence[str]


def judge(result: Result, outcomes: Sequence[ThresholdOutcome]) -> Verdict:
    """A run passes when it had no fault and kept every threshold."""
    reasons = [f"{name}: {count:,}" for name, count in fault_counts(result.faults) if count]
    reasons += [f"{outcome.text}: {outcome.figure}" for outcome in outcomes if not outcome.passed]
    return Verdict(not reasons, reasons)


def fault_counts(faults: Faults) -> Sequence[tuple[str, int]]:
    """Each fault with how often it came, errors one by one by their code."""
    return (
        ("lost", faults.lost),
        ("doubled", faults.doubled),
        ("out of order", faults.out_of_order),
        ("unacknowledged", faults.unacknowledged),
        *((f"error {code}", count) for code, count in sorted(faults.errors.items())),
    )


def meter_limit(result: Result) -> str | None:
    """A warning, when a process of the meter had no CPU left, that the figures may be the meter's."""
    if not result.meter_saturated:
        return None
    return (
        f"The meter was the limit: a process of it had no CPU left ({shown(result.meter_cpu, Unit.CORES)} in all). "
        "The server can do more than these figures show."
    )
