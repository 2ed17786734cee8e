"""Charts as SVG text: lines on linear or logarithmic axes, and histograms.

Pure functions of what they draw. Colours and type come from `static/chart.css`, by class: a page includes that sheet
once, a drawing that stands alone is given it as `sheet`.
"""

import html
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Final

from attrs import frozen

from chatload.reports.scale import Scale, drawable, log_scale, tight_scale, zero_scale

WIDTH: Final = 560
HEIGHT: Final = 320
COLOURS: Final = 6
"""How many the sheet has; further series take them again."""

_CHARACTER: Final = 6.6
"""How wide a character of the sheet's text is, on the safe side."""

_MARKED: Final = 24
"""Lines of at most so many points have each point marked."""

_MOST_BANDS: Final = 300
_NOT_IN_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def plain_figure(value: float) -> str:
    """For ticks: `0.25`, `12`, `1,500`, `100 k`, `2.5 M`."""
    for size, name in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if size <= abs(value) < 1e12:
            return f"{value / (1e3 if size == 1e4 else size):.4g}{name}"
    return f"{value:.4g}" if abs(value) < 1e3 or abs(value) >= 1e12 else f"{value:,.0f}"


@frozen
class Axis:
    """`tick` writes a value on the axis, `figure` writes it in what is shown on hovering."""

    label: str
    log: bool = False
    tick: Callable[[float], str] = plain_figure
    figure: Callable[[float], str] = plain_figure


@frozen
class Series:
    """Points by ascending x. A y of None breaks the line; so does a value that its axis has no place for."""

    name: str
    points: Sequence[tuple[float, float | None]]
    dashed: bool = False


@frozen
class Span:
    """A part of the x axis that is shaded, with what it is."""

    low: float
    high: float
    label: str


@cache
def chart_sheet() -> str:
    """The style sheet of every chart."""
    return files("chatload.reports").joinpath("static/chart.css").read_text("utf-8")


def escaped(text: str) -> str:
    """For XML and HTML alike: what has no place in XML becomes U+FFFD, and the rest its entities."""
    return html.escape(_NOT_IN_XML.sub("\ufffd", text))


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x: Axis,
    y: Axis,
    shaded: Sequence[Span] = (),
    sheet: str | None = None,
) -> str:
    """One `<svg>`: a linear y axis starts at zero, an x axis at the least value."""
    series = [Series(each.name, _placed(each.points, x, y), each.dashed) for each in series]
    drawn = [(px, py) for each in series for px, py in each.points if py is not None]
    legend, top = _legend(series)
    frame = _Frame(x, y, top, [px for px, _ in drawn], [py for _, py in drawn])
    parts = [*frame.shading(shaded), *frame.grid(), *legend]
    for number, each in enumerate(series):
        parts += frame.line(each, number % COLOURS)
    parts += frame.bands(_hovered(series, x, y))
    return _svg(title, parts if drawn else [*parts, frame.empty()], sheet)


def histogram(
    bars: Sequence[tuple[float, float, int]], *, title: str, x: Axis, y: Axis, sheet: str | None = None
) -> str:
    """One `<svg>` with a bar for each `(low, high, count)`. Bars without a place on the x axis are left out."""
    bars = [bar for bar in bars if drawable(bar[0], log=x.log) and drawable(bar[1], log=x.log)]
    frame = _Frame(x, y, _TOP, [end for bar in bars for end in bar[:2]], [float(count) for *_, count in bars])
    parts = frame.grid()
    for low, high, count in bars:
        left, right, top = frame.across.place(low), frame.across.place(high), frame.up.place(count)
        parts.append(
            f'<rect class="bar c0" x="{left:.1f}" y="{top:.1f}" width="{max(right - left - 1, 1):.1f}" '
            f'height="{max(frame.bottom - top, 0):.1f}"/>'
        )
    parts += frame.bands(
        [(low, high, f"{x.figure(low)} to {x.figure(high)}\n{y.figure(count)}") for low, high, count in bars]
    )
    return _svg(title, parts if bars else [*parts, frame.empty()], sheet)


_TOP: Final = 58.0
_LINE: Final = 18.0
_RIGHT: Final = WIDTH - 16.0


def _placed(points: Iterable[tuple[float, float | None]], x: Axis, y: Axis) -> Sequence[tuple[float, float | None]]:
    return [(px, py if drawable(py, log=y.log) else None) for px, py in points if drawable(px, log=x.log)]


def _hovered(series: Sequence[Series], x: Axis, y: Axis) -> Sequence[tuple[float, float, str]]:
    """What to show where: each x with the figures of all series there, from half-way to the x before to half-way on."""
    at: dict[float, list[str]] = {}
    for each in series:
        for px, py in each.points:
            if py is not None:
                at.setdefault(px, []).append(f"{each.name}: {y.figure(py)}")
    places = sorted(at)[:: len(at) // _MOST_BANDS + 1]
    middles = [a**0.5 * b**0.5 if x.log else a / 2 + b / 2 for a, b in pairwise(places)]
    edges = [*places[:1], *middles, *places[-1:]]
    return [
        (low, high, "\n".join([f"{x.label}: {x.figure(place)}", *at[place]]))
        for place, (low, high) in zip(places, pairwise(edges), strict=False)
    ]


def _legend(series: Sequence[Series]) -> tuple[list[str], float]:
    """The names in as many rows as they need, and where the plot begins beneath them. One series needs no name."""
    if len(series) < 2:
        return [], _TOP
    parts: list[str] = []
    left, row = 12.0, 44.0
    for number, each in enumerate(series):
        width = 28 + len(each.name) * _CHARACTER
        if left > 12.0 and left + width > _RIGHT:
            left, row = 12.0, row + _LINE
        dash = " dashed" if each.dashed else ""
        parts.append(f'<path class="line c{number % COLOURS}{dash}" d="M{left:.1f} {row - 4:.1f}h16"/>')
        parts.append(f'<text class="name" x="{left + 21:.1f}" y="{row:.1f}">{escaped(each.name)}</text>')
        left += width + 10
    return parts, row + 36


def _svg(title: str, parts: Iterable[str], sheet: str | None) -> str:
    ground = [] if sheet is None else [f"<style>{sheet}</style>", '<rect class="ground" width="100%" height="100%"/>']
    fit = f' textLength="{WIDTH - 24}" lengthAdjust="spacingAndGlyphs"' if len(title) * 9 > WIDTH - 24 else ""
    return "\n".join(
        [
            f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{escaped(title)}">',
            f"<title>{escaped(title)}</title>",
            *ground,
            f'<text class="title" x="12" y="22"{fit}>{escaped(title)}</text>',
            *parts,
            "</svg>\n",
        ]
    )


class _Frame:
    """The plot's rectangle with its two scales, and what is drawn upon them."""

    def __init__(self, x: Axis, y: Axis, top: float, xs: Sequence[float], ys: Sequence[float]) -> None:
        self.x, self.y, self.top = x, y, top
        self.bottom = HEIGHT - 40.0
        self.up = _scale(y, ys, self.bottom, top, zero_scale)
        widest = max((len(y.tick(tick)) for tick in self.up.ticks), default=1)
        self.left = 16 + widest * _CHARACTER
        self.across = _scale(x, xs, self.left, _RIGHT, tight_scale)

    def grid(self) -> list[str]:
        parts: list[str] = []
        for tick in self.up.ticks:
            at = self.up.place(tick)
            parts.append(f'<path class="grid" d="M{self.left:.1f} {at:.1f}H{_RIGHT:.1f}"/>')
            parts.append(
                f'<text class="tick" x="{self.left - 6:.1f}" y="{at + 4:.1f}" text-anchor="end">'
                f"{escaped(self.y.tick(tick))}</text>"
            )
        parts.append(f'<path class="axis" d="M{self.left:.1f} {self.bottom:.1f}H{_RIGHT:.1f}"/>')
        free = 0.0
        for tick in self.across.ticks:
            at, text = self.across.place(tick), self.x.tick(tick)
            half = len(text) * _CHARACTER / 2
            middle = min(at, WIDTH - 2 - half)
            parts.append(f'<path class="axis" d="M{at:.1f} {self.bottom:.1f}v4"/>')
            if middle - half >= free:
                parts.append(
                    f'<text class="tick" x="{middle:.1f}" y="{self.bottom + 17:.1f}" text-anchor="middle">'
                    f"{escaped(text)}</text>"
                )
                free = middle + half + _CHARACTER
        parts.append(
            f'<text class="label" x="{_RIGHT:.1f}" y="{HEIGHT - 6}" text-anchor="end">{escaped(self.x.label)}</text>'
        )
        parts.append(f'<text class="label" x="12" y="{self.top - 15:.1f}">{escaped(self.y.label)}</text>')
        return parts

    def shading(self, spans: Sequence[Span]) -> list[str]:
        parts: list[str] = []
        for span in spans:
            left, right = self.across.place(span.low), self.across.place(span.high)
            parts.append(
                f'<rect class="shade" x="{left:.1f}" y="{self.top:.1f}" width="{right - left:.1f}" '
                f'height="{self.bottom - self.top:.1f}"/>'
            )
            if right - left > len(span.label) * _CHARACTER:
                parts.append(
                    f'<text class="label" x="{left + 4:.1f}" y="{self.top + 13:.1f}">{escaped(span.label)}</text>'
                )
        return parts

    def line(self, series: Series, colour: int) -> list[str]:
        parts: list[str] = []
        run: list[str] = []
        marked = len(series.points) <= _MARKED
        for px, py in [*series.points, (0.0, None)]:
            if py is not None:
                run.append(f"{self.across.place(px):.1f} {self.up.place(py):.1f}")
                continue
            if len(run) > 1:
                dash = " dashed" if series.dashed else ""
                parts.append(f'<path class="line c{colour}{dash}" d="M{"L".join(run)}"/>')
            if marked or len(run) == 1:
                for place in run:
                    left, top = place.split()
                    parts.append(f'<circle class="mark c{colour}" cx="{left}" cy="{top}" r="3"/>')
            run = []
        return parts

    def bands(self, bands: Sequence[tuple[float, float, str]]) -> list[str]:
        parts: list[str] = []
        for low, high, text in bands:
            left, right = self.across.place(low), self.across.place(high)
            parts.append(
                f'<rect class="band" x="{left:.1f}" y="{self.top:.1f}" width="{max(right - left, 1):.1f}" '
                f'height="{self.bottom - self.top:.1f}"><title>{escaped(text)}</title></rect>'
            )
        return parts

    def empty(self) -> str:
        return (
            f'<text class="label" x="{WIDTH / 2}" y="{(self.top + self.bottom) / 2:.1f}" text-anchor="middle">'
            "nothing measured</text>"
        )


def _scale(
    axis: Axis,
    values: Sequence[float],
    start: float,
    end: float,
    linear: Callable[[Iterable[float], float, float], Scale],
) -> Scale:
    return log_scale(values, start, end) if axis.log else linear(values, start, end)
