import io

import attrs
import pytest

from chatload.progress import Phase, Progress
from chatload.reports.plain import PlainView
from tests.chatload.reports.sample import interval


def test_phase_and_interval_have_a_line_each() -> None:
    stream = io.StringIO()
    view: Progress = PlainView(stream)
    view.on_phase(Phase.HOLD)
    view.on_interval(interval(12.0))
    assert stream.getvalue().split("\n") == [
        "hold begins",
        "  12 s hold  connected 1,000  sent 98.0/s  acknowledged 97.0/s  delivered 98,000/s  p50 3.17 ms  p99 9.50 ms  "
        "errors 0  server 0.87 cores 96.0 MiB  meter 0.42 cores",
        "",
    ]


def test_rates_are_per_second_when_intervals_are_longer() -> None:
    stream = io.StringIO()
    view = PlainView(stream)
    for at in (10.0, 20.0, 30.0):
        view.on_interval(interval(at))
    assert "delivered 9,800/s" in stream.getvalue().splitlines()[-1]


def test_absent_figures_are_hyphens() -> None:
    stream = io.StringIO()
    PlainView(stream).on_interval(attrs.evolve(interval(p99=None), server_cpu=None, server_rss=None))
    assert "p50 -  p99 -  errors 0  server - -  meter" in stream.getvalue()


@pytest.mark.parametrize(("processes", "told"), [(1, True), (2, False)])
def test_meter_near_its_limit_is_told(processes: int, told: bool) -> None:
    stream = io.StringIO()
    PlainView(stream, processes=processes).on_interval(interval(meter_cpu=0.93))
    assert ("meter 0.93 cores (near its limit)" in stream.getvalue()) is told


def test_no_escape_code_is_written() -> None:
    stream = io.StringIO()
    view = PlainView(stream)
    view.on_phase(Phase.CONNECT)
    view.on_interval(interval(errors=3))
    assert stream.getvalue().replace("\n", "").isprintable()


class Flushed(io.StringIO):
    seen = ""

    def flush(self) -> None:
        self.seen = self.getvalue()


def test_each_line_is_written_out_at_once() -> None:
    stream = Flushed()
    view = PlainView(stream)
    view.on_phase(Phase.CONNECT)
    assert stream.seen == "connect begins\n"
    view.on_interval(interval())
    assert stream.seen.count("\n") == 2
