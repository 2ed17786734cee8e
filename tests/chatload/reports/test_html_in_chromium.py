"""The page as a browser shows it."""

from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from chatload.reports.html import write_html
from chatload.reports.thresholds import parse_threshold
from chatload.result import Faults
from tests.chatload.reports.sample import sample_result


@pytest.fixture
def report(tmp_path: Path) -> str:
    path = tmp_path / "report.html"
    result = sample_result(faults=Faults(lost=2), notes=("<script>document.title = 'taken'</script>",))
    write_html(result, path, sample_result(), [parse_threshold("p99<50ms").check(result)])
    return path.as_uri()


@pytest.fixture
def page(browser: Browser, report: str) -> Generator[Page]:
    """The report, opened. A message on the console, an error, or any request but for the file itself fails the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url) if request.url != report else None)
    page.goto(report, wait_until="networkidle")
    yield page
    context.close()
    assert faults == []


def test_page_shows_its_figures(page: Page) -> None:
    text = page.inner_text("main")
    for figure in ("Failed", "lost: 2", "3.00 ms", "6.83 ms", "98,500/s", "8.83 µs", "96.0 MiB", "AMD EPYC 7B13"):
        assert figure in text
    assert page.title() == "Load test: fanout"


def test_every_chart_is_drawn_within_its_figure(page: Page) -> None:
    sizes: list[list[float]] = page.eval_on_selector_all(
        "svg.chart", "charts => charts.map(c => [c.getBoundingClientRect().width, c.getBoundingClientRect().height])"
    )
    assert len(sizes) == 10
    assert all(width > 400 and height > 200 for width, height in sizes)


@pytest.mark.parametrize("width", [320, 400, 1200])
def test_page_needs_no_scrolling_sideways(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize(("scheme", "light"), [("light", True), ("dark", False)])
def test_page_follows_the_readers_colour_scheme(page: Page, scheme: str, light: bool) -> None:
    page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    ground, title = page.evaluate(
        """() => [getComputedStyle(document.body).backgroundColor,
                  getComputedStyle(document.querySelector(".chart .title")).fill].map(
                      colour => colour.match(/[0-9]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3)"""
    )
    assert (ground > 200, title < 60) == (light, light)


def test_hovering_over_a_chart_tells_its_figures(page: Page) -> None:
    chart = page.locator("svg.chart", has_text="Delivery latency over time")
    band = chart.locator(".band").nth(20)
    band.scroll_into_view_if_needed()
    band.hover()
    assert page.locator(".hover").inner_text().splitlines() == [
        "seconds: 24 s",
        "p50: 1.84 ms",
        "p99: 5.52 ms",
        "max: 11.0 ms",
    ]
    page.mouse.move(1, 1)
    assert page.locator(".hover").is_hidden()


def test_page_without_scripts_shows_the_same_figures(browser: Browser, report: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report)
    assert "98,500/s" in page.inner_text("main")
    assert page.locator("svg.chart .band title").count() > 100
    context.close()
