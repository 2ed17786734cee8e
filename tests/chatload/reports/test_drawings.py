import re

import attrs
import pytest

from chatload.reports.chart import WIDTH
from chatload.reports.drawings import latency_histograms, over_time, percentile_curve, percentile_name
from chatload.result import Latency
from tests.chatload.reports.sample import interval, latency, sample_result


def bands(svg: str) -> list[str]:
    return re.findall(r'class="band".*?<title>(.*?)</title>', svg, re.DOTALL)


def few(*values: float) -> Latency:
    """One sample of each value."""
    return attrs.evolve(latency(1.0), count=len(values), buckets=[(value, 1) for value in values])


@pytest.mark.parametrize(
    ("inverse", "name"),
    [(1, "0 %"), (2, "50 %"), (10, "90 %"), (100, "99 %"), (300, "99.7 %"), (1000, "99.9 %"), (100_000, "99.999 %")],
)
def test_percentile_is_named_with_the_nines_it_has(inverse: float, name: str) -> None:
    assert percentile_name(inverse) == name


def test_curve_reads_each_percentile_and_ends_with_the_greatest_value() -> None:
    texts = bands(percentile_curve(sample_result(latencies={"delivery": few(*map(float, range(1, 101)))}), None))
    assert "percentile: 90 %\ndelivery: 90.0 ms" in texts
    assert "percentile: 99 %\ndelivery: 99.0 ms" in texts
    assert texts[0] == "percentile: 0 %\ndelivery: 1.00 ms"
    assert texts[-1].endswith("delivery: 100 ms")


def test_curves_of_kinds_with_more_samples_go_further() -> None:
    latencies = {"delivery": latency(3.0, count=100_000), "receipt": latency(1.0, count=100)}
    texts = bands(percentile_curve(sample_result(latencies=latencies), None))
    assert "receipt" in texts[10]
    assert "receipt" not in texts[-1]
    assert "delivery" in texts[-1]


def test_older_run_is_dashed_beside_the_new_one() -> None:
    svg = percentile_curve(sample_result(), sample_result(latencies={"delivery": latency(4.0)}))
    assert "delivery before" in svg
    assert "dashed" in svg
    assert "before" not in percentile_curve(sample_result(), None)


def test_histogram_holds_every_sample_in_at_most_sixty_bars() -> None:
    (svg,) = latency_histograms(sample_result(latencies={"delivery": latency(3.0, count=50_000)}))
    counts = [int(text.split("\n")[1].replace(",", "")) for text in bands(svg)]
    assert sum(counts) == latency(3.0, count=50_000).count
    assert 20 < len(counts) <= 60


@pytest.mark.parametrize("values", [(5.0,), (5.0, 5.001), (0.0, 3.0), (1e-3, 1e6)], ids=str)
def test_histogram_of_few_samples_is_drawn(values: tuple[float, ...]) -> None:
    (svg,) = latency_histograms(sample_result(latencies={"delivery": few(*values)}))
    assert len(bands(svg)) == len({round(value, 1) for value in values})


def test_each_measured_kind_has_its_histogram() -> None:
    latencies = {"connect": latency(1.0), "delivery": latency(2.0), "typing": attrs.evolve(latency(1.0), count=0)}
    svgs = latency_histograms(sample_result(latencies=latencies))
    assert [re.findall(r"<title>Latency: (\w+)", svg) for svg in svgs] == [["delivery"], ["connect"]]


def test_rates_over_time_are_per_second_however_long_an_interval_is() -> None:
    result = attrs.evolve(sample_result(), intervals=[interval(5.0), interval(10.0)])
    delivered = next(svg for svg in over_time(result) if "<title>Delivered" in svg)
    assert bands(delivered) == ["seconds: 5 s\ndelivered: 19,600/s", "seconds: 10 s\ndelivered: 19,600/s"]


def test_errors_are_drawn_only_when_there_are_any() -> None:
    calm = attrs.evolve(sample_result(), intervals=[interval(1.0), interval(2.0)])
    bad = attrs.evolve(sample_result(), intervals=[interval(1.0), interval(2.0, errors=3)])
    assert not any("<title>Errors" in svg for svg in over_time(calm))
    assert any("<title>Errors" in svg for svg in over_time(bad))


def test_stretches_that_are_not_measured_are_shaded() -> None:
    measured = (False, False, True, True, False, True)
    intervals = [interval(float(at), measured=each) for at, each in enumerate(measured)]
    for svg in over_time(attrs.evolve(sample_result(), intervals=intervals)):
        assert svg.count('class="shade"') == 2


def test_shade_reaches_from_the_intervals_beginning_to_its_end() -> None:
    intervals = [interval(1.0), interval(2.0, measured=False), interval(3.0, measured=False), interval(5.0)]
    (svg,) = (svg for svg in over_time(attrs.evolve(sample_result(), intervals=intervals)) if "<title>Sent" in svg)
    ((left, width),) = re.findall(r'class="shade" x="([0-9.]+)" y="[0-9.]+" width="([0-9.]+)"', svg)
    (axis,) = set(re.findall(r'class="grid" d="M([0-9.]+) ', svg))
    assert (left, float(width)) == (axis, pytest.approx((WIDTH - 16 - float(axis)) / 2, abs=0.1))


def test_run_without_intervals_and_server_figures_is_drawn() -> None:
    assert all("nothing measured" in svg for svg in over_time(attrs.evolve(sample_result(), intervals=[])))
    silent = attrs.evolve(interval(1.0, p99=None), server_rss=None, server_cpu=None)
    over = over_time(attrs.evolve(sample_result(), intervals=[silent]))
    assert ["nothing measured" in svg for svg in over] == [True, False, False, False, True, False]
