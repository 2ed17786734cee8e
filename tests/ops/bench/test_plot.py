from pathlib import Path
from xml.etree import ElementTree

import pytest

from ops.bench.plot import plot_growth

SVG = "{http://www.w3.org/2000/svg}"
CURVES = {
    "this server": [(1000.0, 150_000.0), (10.0, 9000.0)],
    "bare broadcaster": [(10.0, 11_000.0), (1000.0, 160_000.0)],
}


def plotted(path: Path, *, log: bool = True) -> ElementTree.Element:
    plot_growth(CURVES, title="Growth", x_label="subscribers", y_label="deliveries/s", log_x=log, log_y=log, path=path)
    return ElementTree.parse(path).getroot()


def of_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if name in (element.get("class") or "").split()]


def test_drawing_stands_alone_on_a_ground_of_its_own(tmp_path: Path) -> None:
    root = plotted(tmp_path / "growth.svg")
    assert root.find(f"{SVG}style") is not None
    (ground,) = of_class(root, "ground")
    assert (ground.get("width"), ground.get("height")) == ("100%", "100%")
    assert not [name for element in root.iter() for name in element.attrib if name.endswith(("href", "src"))]
    assert "prefers-color-scheme" not in (tmp_path / "growth.svg").read_text("utf-8")


def test_drawing_names_its_curves_and_axes(tmp_path: Path) -> None:
    words = ["".join(element.itertext()) for element in plotted(tmp_path / "growth.svg").iter(f"{SVG}text")]
    assert {"Growth", "subscribers", "deliveries/s", "this server", "bare broadcaster"} <= set(words)


def test_points_are_joined_by_ascending_x(tmp_path: Path) -> None:
    marks = of_class(plotted(tmp_path / "growth.svg"), "mark")
    assert len(marks) == 4
    first, second = (float(mark.get("cx", "")) for mark in marks[:2])
    assert first < second


@pytest.mark.parametrize("log", [True, False])
def test_axes_are_logarithmic_when_asked(tmp_path: Path, log: bool) -> None:
    words = ["".join(element.itertext()) for element in plotted(tmp_path / "growth.svg", log=log).iter(f"{SVG}text")]
    assert ("10" in words) is log
    assert ("0" in words) is not log


def test_no_curve_at_all_is_drawn_as_nothing_measured(tmp_path: Path) -> None:
    path = tmp_path / "growth.svg"
    plot_growth({}, title="Growth", x_label="x", y_label="y", log_x=False, log_y=True, path=path)
    assert "nothing measured" in path.read_text("utf-8")
