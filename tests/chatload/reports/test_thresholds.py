import contextlib

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatload.reports.thresholds import ThresholdOutcome, parse_threshold
from chatload.result import Faults, Latency
from tests.chatload.reports.sample import latency, sample_result

KNOWN = Latency(count=10, mean=20.0, p50=10.0, p90=20.0, p99=50.0, p999=900.0, max=1999.0)
RESULT = sample_result(
    latencies={"delivery": KNOWN, "completion": KNOWN, "receipt": KNOWN},
    rates={"deliveries": 100_000.0, "connects": 2000.0},
    server_cpu=1.5,
    server_rss=500 << 20,
)


@pytest.mark.parametrize(
    ("text", "value", "passed"),
    [
        ("p99<50ms", 50.0, False),
        ("p99<=50ms", 50.0, True),
        ("delivery.p99<=50ms", 50.0, True),
        ("completion.p99.9<1s", 900.0, True),
        ("receipt.max<2s", 1999.0, True),
        ("p50<9999us", 10.0, False),
        ("p50<10001µs", 10.0, True),
        ("p90==20.0ms", 20.0, True),
        ("deliveries/s>100000", 100_000.0, False),
        ("connects/s>=2000", 2000.0, True),
        ("lost==0", 0, True),
        ("errors==0", 0, True),
        ("server_cpu<1.5", 1.5, False),
        ("meter_cpu<0.7", 0.62, True),
        ("server_rss<500MiB", 500 << 20, False),
        ("server_rss<=0.5GiB", 500 << 20, True),
        ("  p99 < 51 ms ", 50.0, True),
    ],
)
def test_threshold_is_checked_against_its_figure(text: str, value: float, passed: bool) -> None:
    outcome = parse_threshold(text).check(RESULT)
    assert (outcome.text, outcome.value, outcome.passed) == (text.strip(), value, passed)


@pytest.mark.parametrize("name", ["lost", "doubled", "out_of_order", "unacknowledged", "errors"])
def test_each_fault_has_its_own_figure(name: str) -> None:
    faults = Faults(lost=1, doubled=2, out_of_order=3, unacknowledged=4, errors={"OVERLOADED": 4, "UNAVAILABLE": 1})
    expected = {"lost": 1, "doubled": 2, "out_of_order": 3, "unacknowledged": 4, "errors": 5}
    assert parse_threshold(f"{name}==0").check(sample_result(faults=faults)).value == expected[name]


@pytest.mark.parametrize("text", ["resume.p99<1s", "resumes/s>1", "typing.p50<1s"])
def test_figure_that_the_run_does_not_have_breaks_its_threshold(text: str) -> None:
    assert parse_threshold(text).check(RESULT) == ThresholdOutcome(text, None, False, "not measured")


def test_latency_without_samples_counts_as_not_measured() -> None:
    never = attrs.evolve(latency(1.0), count=0, p99=0.0)
    assert not parse_threshold("p99<1s").check(sample_result(latencies={"delivery": never})).passed


@pytest.mark.parametrize("text", ["server_cpu<2", "server_rss<1GiB"])
def test_server_without_figures_breaks_thresholds_on_them(text: str) -> None:
    outcome = parse_threshold(text).check(sample_result(server_cpu=None, server_rss=None))
    assert (outcome.value, outcome.passed) == (None, False)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is no threshold"),
        ("p99", "is no threshold"),
        ("p99=50ms", "is no threshold"),
        ("p99<-1ms", "is no threshold"),
        ("p99<1ms<2ms", "is no threshold"),
        ("p98<50ms", "no figure 'p98'"),
        ("delivery.p98<50ms", "no percentile 'p98'"),
        ("delivery<50ms", "no percentile ''"),
        ("receipts.p99<50ms", "no figure 'receipts.p99'"),
        ("p99<50", "p99 needs a unit; there are us, µs, ms, s"),
        ("p99<50min", "no unit 'min' for p99"),
        ("server_rss<50MB", "no unit 'MB' for server_rss"),
        ("lost==0ms", "lost takes no unit"),
        ("deliveries/s>1/s", "is no threshold"),
        ("messages/s>1", "no rate 'messages/s'; there are deliveries/s"),
        (f"p99<{'9' * 400}s", "the number is too large"),
    ],
)
def test_wrong_threshold_is_refused_with_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_threshold(text)
    assert complaint in str(caught.value)


FRAGMENTS = (
    "p99",
    "delivery",
    ".",
    "/s",
    "deliveries",
    "lost",
    "<",
    "<=",
    "=",
    ">",
    "1",
    "9" * 310,
    "ms",
    "MiB",
    " ",
    "٣",
)


@given(st.text() | st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join))
def test_any_text_is_a_threshold_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_threshold(text).check(RESULT)
