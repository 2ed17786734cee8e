import io

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from chatload.progress import Phase, Progress
from chatload.reports.live import LiveView, sparkline
from tests.chatload.reports.sample import interval

RED = "\x1b[1;31m"


def terminal(*, width: int = 80) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, force_terminal=True, color_system="standard", width=width, height=24), stream


def shown(view: LiveView, *, styles: bool = False, width: int = 80) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, force_terminal=styles, color_system="standard" if styles else None).print(view)
    return stream.getvalue()


def running(*, processes: int = 1) -> LiveView:
    console, _ = terminal()
    return LiveView(console, seconds={Phase.HOLD: 60.0}, processes=processes)


def test_view_draws_each_interval_and_leaves_nothing_behind() -> None:
    console, stream = terminal()
    with LiveView(console) as view:
        progress: Progress = view
        progress.on_phase(Phase.HOLD)
        progress.on_interval(interval(1.0))
        assert "98,000/s" in stream.getvalue()
        drawn = len(stream.getvalue())
        progress.on_interval(interval(2.0, p99=777.0))
        assert "777 ms" in stream.getvalue()[drawn:]
    last = stream.getvalue()
    assert last.rindex("\x1b[?25h") > last.rindex("\x1b[?25l"), "the cursor is back"
    assert last.endswith("\x1b[2K"), "the last frame is erased"


def test_terminal_is_given_back_when_the_run_fails() -> None:
    console, stream = terminal()
    with pytest.raises(RuntimeError, match="broken"), LiveView(console):
        raise RuntimeError("broken")
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")


def test_figures_of_the_last_interval_are_shown() -> None:
    view = running()
    view.on_phase(Phase.HOLD)
    for at in (1.0, 2.0):
        view.on_interval(interval(at, errors=2))
    text = " ".join(shown(view).split())
    for figure in (
        "connected 1,000",
        "sent 98.0/s",
        "delivered 98,000/s",
        "p50 3.17 ms",
        "p99 9.50 ms",
        "errors 4",
        "server CPU 0.87 cores",
        "server memory 96.0 MiB",
        "meter CPU 0.42 cores",
        "highest 9.50 ms",
    ):
        assert figure in text


def test_bar_counts_from_the_phases_beginning() -> None:
    view = running()
    view.on_phase(Phase.CONNECT)
    view.on_interval(interval(7.0))
    assert "7 s" in shown(view)
    view.on_phase(Phase.HOLD)
    view.on_interval(interval(37.0))
    assert "connect  hold" in shown(view)
    assert "30 of 60 s" in shown(view)


def test_hold_goes_on_after_a_storm() -> None:
    view = running()
    view.on_phase(Phase.HOLD)
    view.on_interval(interval(20.0))
    for phase in (Phase.STORM, Phase.HOLD, Phase.STORM, Phase.HOLD):
        view.on_phase(phase)
    view.on_interval(interval(30.0))
    assert "│ hold  storm   " in shown(view)
    assert "30 of 60 s" in shown(view)


@pytest.mark.parametrize(("cores", "processes", "red"), [(0.9, 1, True), (0.5, 1, False), (0.9, 2, False)])
def test_meter_is_red_near_its_limit(cores: float, processes: int, red: bool) -> None:
    view = running(processes=processes)
    view.on_interval(interval(meter_cpu=cores))
    assert (f"{RED}{cores:.2f} cores" in shown(view, styles=True)) is red


def test_errors_are_red_once_there_are_any() -> None:
    view = running()
    view.on_interval(interval())
    assert RED not in shown(view, styles=True)
    view.on_interval(interval(2.0, errors=1))
    assert f"{RED}1" in shown(view, styles=True)


def test_sparkline_shows_the_last_intervals_that_fit() -> None:
    view = running()
    for at in range(300):
        view.on_interval(interval(float(at), p99=1.0 if at < 299 else 8.0))
    (line,) = (line for line in shown(view).split("\n") if "highest" in line)
    assert line.count("▂") == 49
    assert line.count("█") == 1


@pytest.mark.parametrize("width", [20, 40, 200])
def test_view_fits_any_width(width: int) -> None:
    view = running()
    view.on_phase(Phase.HOLD)
    view.on_interval(interval(p99=None))
    assert max(len(line) for line in shown(view, width=width).split("\n")) <= width


def test_terminal_without_block_characters_gets_others() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    console = Console(file=stream, force_terminal=True, width=80)
    with LiveView(console) as view:
        view.on_phase(Phase.HOLD)
        view.on_interval(interval())
    stream.flush()


def test_sparkline_is_as_high_as_the_share_of_the_greatest() -> None:
    assert sparkline([0.0, 1.0, None, 4.0, 8.0]) == "▁▂ ▅█"
    assert sparkline([0.0, None]) == "▁ "
    assert sparkline([]) == ""


@given(st.lists(st.none() | st.floats(min_value=0, allow_nan=False, allow_infinity=False)))
def test_sparkline_has_a_character_a_value(values: list[float | None]) -> None:
    assert len(sparkline(values)) == len(values)


def test_absent_figures_are_hyphens() -> None:
    view = running()
    view.on_interval(attrs.evolve(interval(p99=None), server_cpu=None, server_rss=None))
    assert "server CPU -" in shown(view)
