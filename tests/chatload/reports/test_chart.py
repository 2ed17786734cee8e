import re
from typing import Final
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatload.reports.chart import (
    HEIGHT,
    WIDTH,
    Axis,
    Series,
    Span,
    chart_sheet,
    escaped,
    histogram,
    line_chart,
    plain_figure,
)

SVG: Final = "{http://www.w3.org/2000/svg}"
NUMBER: Final = re.compile(r"-?[0-9.]+(?:e[+-]?[0-9]+)?")
X: Final = Axis("seconds")
Y: Final = Axis("ms")
LINEAR_OR_LOG: Final = st.booleans()
FINITE: Final = st.floats(allow_nan=False, allow_infinity=False)
POINTS: Final = st.lists(st.tuples(FINITE, FINITE | st.none()), max_size=8).map(
    lambda points: sorted(points, key=first)
)


def first(pair: tuple[float, float | None]) -> float:
    return pair[0]


def drawn(svg: str) -> ElementTree.Element:
    """The drawing's root; every place in it is a number within the drawing."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        for name, limit in (
            ("x", WIDTH),
            ("y", HEIGHT),
            ("width", WIDTH),
            ("height", HEIGHT),
            ("cx", WIDTH),
            ("cy", HEIGHT),
        ):
            value = element.get(name)
            if value is not None and not value.endswith("%"):
                assert 0 <= float(value) <= limit, ElementTree.tostring(element)
        path = element.get("d")
        if path is not None:
            assert re.fullmatch(r"[MLHhv0-9. -]+", path), path
            assert all(0 <= float(number) <= WIDTH for number in NUMBER.findall(path)), path
    return root


def texts(root: ElementTree.Element, css: str) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text") if element.get("class") == css]


def elements(root: ElementTree.Element, css: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if css in (element.get("class") or "").split()]


@given(st.lists(POINTS, max_size=4), LINEAR_OR_LOG, LINEAR_OR_LOG)
def test_lines_through_any_finite_points_stay_within_the_drawing(
    lines: list[list[tuple[float, float | None]]], log_x: bool, log_y: bool
) -> None:
    series = [Series(f"line {number}", points) for number, points in enumerate(lines)]
    drawn(line_chart(series, title="any", x=Axis("x", log_x), y=Axis("y", log_y), shaded=[Span(-1.0, 1.0, "left out")]))


@given(st.lists(st.tuples(FINITE, FINITE, st.integers(0, 2**63)), max_size=8), LINEAR_OR_LOG)
def test_bars_over_any_finite_bounds_stay_within_the_drawing(bars: list[tuple[float, float, int]], log_x: bool) -> None:
    ascending = [(min(low, high), max(low, high), count) for low, high, count in bars]
    drawn(histogram(ascending, title="any", x=Axis("x", log_x), y=Y))


@given(st.text(max_size=40))
def test_any_text_is_written_as_text(text: str) -> None:
    series = [Series(text, [(1.0, 1.0)]), Series("other", [(1.0, 2.0)])]
    root = drawn(line_chart(series, title=text, x=Axis(text), y=Axis(text)))
    clean = ElementTree.fromstring(f"<t>{escaped(text)}</t>").text or ""
    assert texts(root, "title") == [clean]
    assert clean in texts(root, "name")


def test_chart_is_named_for_those_who_do_not_see_it() -> None:
    root = drawn(line_chart([Series("p50", [(0.0, 1.0)])], title="Latency", x=X, y=Y))
    assert (root.get("role"), root.get("aria-label"), root[0].tag, root[0].text) == (
        "img",
        "Latency",
        f"{SVG}title",
        "Latency",
    )
    assert texts(root, "label") == ["seconds", "ms"]


@pytest.mark.parametrize("points", [[], [(1.0, None)]], ids=["no points", "no values"])
def test_chart_without_values_says_so(points: list[tuple[float, float | None]]) -> None:
    assert "nothing measured" in texts(drawn(line_chart([Series("p50", points)], title="t", x=X, y=Y)), "label")
    assert "nothing measured" in texts(drawn(histogram([], title="t", x=X, y=Y)), "label")


def test_missing_value_breaks_the_line() -> None:
    points = [(0.0, 1.0), (1.0, 2.0), (2.0, None), (3.0, 1.0), (4.0, 1.0)]
    assert len(elements(drawn(line_chart([Series("p50", points)], title="t", x=X, y=Y)), "line")) == 2


def test_value_alone_between_two_gaps_is_marked_however_long_the_series() -> None:
    points: list[tuple[float, float | None]] = [(float(at), 1.0) for at in range(100)]
    points[1], points[3] = (1.0, None), (3.0, None)
    assert len(elements(drawn(line_chart([Series("p50", points)], title="t", x=X, y=Y)), "mark")) == 2


def test_zero_has_no_place_on_a_logarithmic_axis() -> None:
    root = drawn(line_chart([Series("a", [(1.0, 0.0), (2.0, 5.0)])], title="t", x=X, y=Axis("y", log=True)))
    assert len(elements(root, "mark")) == 1


def test_series_are_told_apart_by_colour_dash_and_legend() -> None:
    series = [Series("now", [(0.0, 1.0), (1.0, 2.0)]), Series("before", [(0.0, 1.0), (1.0, 3.0)], dashed=True)]
    root = drawn(line_chart(series, title="t", x=X, y=Y))
    assert texts(root, "name") == ["now", "before"]
    assert [line.get("class") for line in elements(root, "line")] == ["line c0", "line c1 dashed"] * 2


def test_one_series_needs_no_legend() -> None:
    assert texts(drawn(line_chart([Series("only", [(0.0, 1.0)])], title="t", x=X, y=Y)), "name") == []


def test_long_legend_takes_more_rows() -> None:
    series = [Series(f"a rather long name of series {number}", [(0.0, 1.0)]) for number in range(5)]
    names = elements(drawn(line_chart(series, title="t", x=X, y=Y)), "name")
    assert len({name.get("y") for name in names}) > 1
    assert len({(name.get("x"), name.get("y")) for name in names}) == 5


def test_hovering_tells_every_series_at_that_place() -> None:
    series = [Series("p50", [(1.0, 2.0), (2.0, None)]), Series("p99", [(1.0, 9.0), (2.0, 7.0)])]
    bands = elements(drawn(line_chart(series, title="t", x=X, y=Y)), "band")
    assert ["".join(band.itertext()) for band in bands] == ["seconds: 1\np50: 2\np99: 9", "seconds: 2\np99: 7"]


@pytest.mark.parametrize(("log", "middle"), [(False, 50.5), (True, 10.0)])
def test_hovering_changes_half_way_between_two_places(log: bool, middle: float) -> None:
    points = [(1.0, 1.0), (middle, 1.0), (100.0, 1.0)]
    root = drawn(line_chart([Series("a", points)], title="t", x=Axis("x", log), y=Y))
    bands = [float(band.get("width", "")) for band in elements(root, "band")]
    assert bands[1] == pytest.approx(bands[0] * 2, abs=0.2)
    assert bands[2] == pytest.approx(bands[0], abs=0.2)


def test_bars_are_as_high_as_their_counts() -> None:
    root = drawn(histogram([(1.0, 2.0, 50), (2.0, 4.0, 100)], title="t", x=Axis("ms", log=True), y=Axis("samples")))
    low, high = (float(bar.get("height", "")) for bar in elements(root, "bar"))
    assert low == pytest.approx(high / 2, abs=0.1)
    assert ["".join(band.itertext()) for band in elements(root, "band")] == ["1 to 2\n50", "2 to 4\n100"]


def test_part_left_out_is_shaded_over_its_own_width() -> None:
    series = [Series("p50", [(0.0, 1.0), (10.0, 1.0)])]
    root = drawn(line_chart(series, title="t", x=X, y=Y, shaded=[Span(0.0, 5.0, "not measured")]))
    (shade,) = elements(root, "shade")
    assert float(shade.get("width", "")) == pytest.approx((WIDTH - 16 - float(shade.get("x", ""))) / 2, abs=0.1)
    assert "not measured" in texts(root, "label")


def test_drawing_that_stands_alone_has_its_sheet_and_ground() -> None:
    within = drawn(line_chart([], title="t", x=X, y=Y))
    alone = drawn(line_chart([], title="t", x=X, y=Y, sheet=chart_sheet()))
    assert within.find(f"{SVG}style") is None
    style = alone.find(f"{SVG}style")
    assert style is not None
    assert ".chart .line" in (style.text or "")
    assert len(elements(alone, "ground")) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.25, "0.25"),
        (12.0, "12"),
        (1500, "1,500"),
        (10_000, "10 k"),
        (2_500_000, "2.5 M"),
        (3e9, "3 G"),
        (-20_000, "-20 k"),
        (1e15, "1e+15"),
    ],
)
def test_figures_at_ticks_are_short(value: float, text: str) -> None:
    assert plain_figure(value) == text


@settings(max_examples=50)
@given(FINITE)
def test_every_figure_at_a_tick_is_short(value: float) -> None:
    assert len(plain_figure(value)) <= 12
