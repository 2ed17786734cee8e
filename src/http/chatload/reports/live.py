"""How a run goes, drawn anew in the terminal each interval."""

from collections import deque
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from chatload.reports.figures import Unit, interval_lengths, meter_near_its_limit, shown
from chatload.result import Interval

_REMEMBERED: Final = 200
_HEIGHTS: Final = "▁▂▃▄▅▆▇█"
_ASCII_HEIGHTS: Final = "_.:-=+*#"


def sparkline(values: Sequence[float | None], heights: str = _HEIGHTS) -> str:
    """A character a value, as high as its share of the greatest; a space where there is none."""
    greatest = max((value for value in values if value is not None), default=0.0)
    if greatest <= 0:
        return "".join(" " if value is None else heights[0] for value in values)
    top = len(heights) - 1
    return "".join(
        " " if value is None else heights[min(int(value / greatest * len(heights)), top)] for value in values
    )


class LiveView:
    """Implements `Progress`; a context manager that gives the terminal back as it was, without what it drew.

    `seconds` tells how long a phase is going to last, by its name: the bar of any other phase shows no end.
    `processes` are the meter's.
    """

    def __init__(self, console: Console, *, seconds: Mapping[str, float] | None = None, processes: int = 1) -> None:
        self._console = console
        self._seconds = seconds or {}
        self._processes = processes
        self._began: dict[str, float] = {}
        self._phase = "starting"
        self._errors = 0
        self._recent: deque[Interval] = deque(maxlen=_REMEMBERED)
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def on_phase(self, name: str) -> None:
        self._phase = name
        self._began.setdefault(name, self._recent[-1].at if self._recent else 0.0)
        self._live.update(self, refresh=True)

    def on_interval(self, interval: Interval) -> None:
        self._recent.append(interval)
        self._errors += interval.errors
        self._live.update(self, refresh=True)

    def __rich__(self) -> RenderableType:
        lines: list[RenderableType] = [self._phase_names(), self._bar()]
        if self._recent:
            now = self._recent[-1]
            lines += [Text(), self._figures(now), self._sparkline(), self._use(now)]
        return Panel(Group(*lines), title="load test", title_align="left", padding=(0, 1))

    def _phase_names(self) -> Text:
        names = Text()
        for name in self._began or [self._phase]:
            names.append(f"{name}  ", "bold" if name == self._phase else "dim")
        return names

    def _bar(self) -> RenderableType:
        """Of a phase that comes again, such as the hold after a storm, the time since it first began."""
        total = self._seconds.get(self._phase)
        done = self._recent[-1].at - self._began.get(self._phase, 0.0) if self._recent else 0.0
        row = Table.grid(expand=True, padding=(0, 1))
        row.add_column(ratio=1)
        row.add_column(justify="right", no_wrap=True)
        if total:
            row.add_row(ProgressBar(total, min(done, total)), f"{done:.0f} of {total:.0f} s")
        else:
            row.add_row(ProgressBar(None, pulse=True), f"{done:.0f} s")
        return row

    def _figures(self, now: Interval) -> RenderableType:
        seconds = interval_lengths(list(self._recent))[-1]
        return _grid(
            ("connected", f"{now.connected:,}", ""),
            ("sent", shown(now.sent / seconds, Unit.PER_SECOND), ""),
            ("delivered", shown(now.delivered / seconds, Unit.PER_SECOND), ""),
            ("p50", shown(now.delivery_p50, Unit.MILLISECONDS), ""),
            ("p99", shown(now.delivery_p99, Unit.MILLISECONDS), ""),
            ("errors", f"{self._errors:,}", "bold red" if self._errors else ""),
        )

    def _sparkline(self) -> Text:
        room = max(self._console.width - 30, 10)
        values = [each.delivery_p99 for each in self._recent][-room:]
        heights = _ASCII_HEIGHTS if self._console.options.ascii_only else _HEIGHTS
        highest = max((value for value in values if value is not None), default=None)
        line = Text("p99 ", "dim", no_wrap=True, overflow="ellipsis")
        line.append(sparkline(values, heights), "cyan")
        return line.append(f"  highest {shown(highest, Unit.MILLISECONDS)}", "dim")

    def _use(self, now: Interval) -> RenderableType:
        near = meter_near_its_limit(now.meter_cpu, self._processes)
        return _grid(
            ("server CPU", shown(now.server_cpu, Unit.CORES), ""),
            ("server memory", shown(now.server_rss, Unit.BYTES), ""),
            ("meter CPU", shown(now.meter_cpu, Unit.CORES), "bold red" if near else ""),
        )


def _grid(*cells: tuple[str, str, str]) -> RenderableType:
    """Name, figure and style of each, three in a row."""
    grid = Table.grid(expand=True, padding=(0, 2))
    for _ in range(3):
        grid.add_column(ratio=1)
    texts = [Text.assemble((f"{name} ", "dim"), (figure, style)) for name, figure, style in cells]
    for start in range(0, len(texts), 3):
        grid.add_row(*texts[start : start + 3])
    return grid
