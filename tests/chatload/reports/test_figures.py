import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatload.reports.figures import (
    Unit,
    cpu_per_delivery,
    interval_lengths,
    measured_latencies,
    meter_near_its_limit,
    shown,
    shown_parameter,
)
from chatload.result import Result
from tests.chatload.reports.sample import interval, latency, sample_result


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, Unit.MILLISECONDS, "-"),
        (0.0, Unit.MILLISECONDS, "0 ms"),
        (0.04321, Unit.MILLISECONDS, "0.0432 ms"),
        (9.999, Unit.MILLISECONDS, "10.0 ms"),
        (999.4, Unit.MILLISECONDS, "999 ms"),
        (999.5, Unit.MILLISECONDS, "1.00 s"),
        (2_500_000.0, Unit.MILLISECONDS, "2,500 s"),
        (8.83, Unit.MICROSECONDS, "8.83 µs"),
        (98_500.4, Unit.PER_SECOND, "98,500/s"),
        (0.874, Unit.CORES, "0.87 cores"),
        (512, Unit.BYTES, "512 B"),
        (96 << 20, Unit.BYTES, "96.0 MiB"),
        (3 << 30, Unit.BYTES, "3.00 GiB"),
        (1_234_567, Unit.COUNT, "1,234,567"),
        (0.5, Unit.COUNT, "0.500"),
    ],
)
def test_figure_is_shown_in_the_size_that_suits_it(value: float | None, unit: Unit, text: str) -> None:
    assert shown(value, unit) == text


@given(st.floats(min_value=0, max_value=1e15), st.sampled_from(Unit))
def test_every_figure_has_text_of_bounded_length(value: float, unit: Unit) -> None:
    assert 0 < len(shown(value, unit)) <= 30


def test_parameters_are_shown_as_people_write_them() -> None:
    assert [shown_parameter(value) for value in (True, False, 10_000, 98.5, "fanout")] == [
        "yes",
        "no",
        "10,000",
        "98.5",
        "fanout",
    ]


def test_cpu_a_delivery_is_the_servers_cores_over_the_rate() -> None:
    assert cpu_per_delivery(sample_result(server_cpu=0.5, rates={"deliveries": 100_000.0})) == pytest.approx(5.0)


@pytest.mark.parametrize(
    "result",
    [sample_result(server_cpu=None), sample_result(rates={}), sample_result(rates={"deliveries": 0.0})],
    ids=["no CPU", "no rate", "no deliveries"],
)
def test_cpu_a_delivery_is_absent_without_its_parts(result: Result) -> None:
    assert cpu_per_delivery(result) is None


def test_latencies_come_in_a_fixed_order_and_only_when_measured() -> None:
    never = attrs.evolve(latency(1.0), count=0)
    latencies = {"other": latency(1.0), "receipt": latency(1.0), "typing": never, "delivery": latency(1.0)}
    assert list(measured_latencies(sample_result(latencies=latencies))) == ["delivery", "receipt", "other"]


def test_interval_is_as_long_as_the_distance_to_the_one_before() -> None:
    assert interval_lengths([]) == []
    assert interval_lengths([interval(3.0)]) == [1.0]
    lengths = interval_lengths([interval(at) for at in (5.0, 10.0, 15.0, 16.0)])
    assert lengths == [5.0, 5.0, 5.0, 1.0]


def test_time_between_two_intervals_belongs_to_none() -> None:
    assert interval_lengths([interval(at) for at in (1.0, 2.0, 9.0, 10.0)]) == [1.0] * 4


def test_meter_is_near_its_limit_by_the_cores_its_processes_can_use() -> None:
    assert meter_near_its_limit(0.9, 1)
    assert not meter_near_its_limit(0.9, 2)
