"""Growth curves for the documents, from what the benchmarks measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from chatload.reports.chart import Axis, Series, chart_sheet, line_chart


def plot_growth(
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_x: bool,
    log_y: bool,
    path: Path,
) -> None:
    """Writes one SVG that stands alone, on a light ground of its own: it reads on light and dark pages.

    Each series is `(x, y)` by any order of x. On a logarithmic axis values that are not above zero are left out.
    Raises `OSError`.
    """
    drawing = line_chart(
        [Series(name, sorted(points)) for name, points in series.items()],
        title=title,
        x=Axis(x_label, log_x),
        y=Axis(y_label, log_y),
        sheet=chart_sheet(),
    )
    path.write_text(drawing, "utf-8")
