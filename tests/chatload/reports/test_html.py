import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from chatload.reports.html import render_html, write_html
from chatload.reports.thresholds import parse_threshold
from chatload.result import Faults, Latency, Result
from tests.chatload.reports.sample import HARDWARE, interval, sample_result

HOSTILE = ("</script><script>alert(1)", "</title><b>", "\"'><img src=x onerror=y>", "&lt;", "-->", "</style>")
KNOWN = Latency(count=10, mean=2.0, p50=1.0, p90=2.0, p99=3.0, p999=4.0, max=5.0, buckets=[(1.0, 6), (5.0, 4)])


class Page(HTMLParser):
    """The tags with the names of their attributes, the attributes' values, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.values: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.values += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(f" {word}" for word in self.words).split())


def strange(text: str) -> str:
    """The page of a run in which every text there can be is this one."""
    kind = f"kind {text}"
    result = attrs.evolve(
        sample_result(
            scenario=text,
            url=text,
            started_at=text,
            parameters={"text": text, f"name {text}": 1},
            latencies={kind: KNOWN},
            rates={f"rate {text}": 1.0},
            faults=Faults(errors={text: 1}),
            notes=(text,),
            hardware=attrs.evolve(HARDWARE, cpu=text, system=text, python=text, server=f"pid {text}"),
        ),
        intervals=[interval(1.0), interval(2.0)],
        counts={f"count {text}": 1},
    )
    outcome = attrs.evolve(parse_threshold("p99<1ms").check(result), text=text)
    old = attrs.evolve(result, scenario=f"old {text}", started_at=f"old {text}")
    return render_html(result, old, [outcome])


PLAIN = Page(strange("plain"))


@settings(max_examples=60, deadline=None)
@given(
    st.text()
    | st.sampled_from(["</script><script>alert(1)", "</title><b>", "\"'><img src=x onerror=y>", "&lt;", "-->"])
)
def test_any_text_of_a_result_stays_text(text: str) -> None:
    page = Page(strange(text))
    assert page.tags == PLAIN.tags
    allowed = "".join(character if character.isprintable() else " " for character in text).split()
    assert all(word in page.text for word in allowed)


def test_page_of_text_that_no_encoding_holds_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_html(sample_result(url="http://\udcff\x00"), path)
    assert "http://\ufffd\ufffd" in path.read_text("utf-8")


def test_page_allows_no_request_and_no_script_but_its_own() -> None:
    html = render_html(sample_result())
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'\"" in html
    assert not {"src", "href", "srcset", "xlink:href", "style"} & {
        name for _, names in Page(html).tags for name in names
    }
    assert "url(" not in html
    assert "@import" not in html


def text_of(result: Result, old: Result | None = None, *thresholds: str) -> str:
    return Page(render_html(result, old, [parse_threshold(text).check(result) for text in thresholds])).text


def test_run_that_passed_says_so() -> None:
    text = text_of(sample_result(), None, "p99<50ms")
    assert "Passed" in text
    assert "p99<50ms 6.83 ms kept" in text


def test_run_that_failed_says_why() -> None:
    text = text_of(sample_result(faults=Faults(lost=2, errors={"OVERLOADED": 14})), None, "p99<1ms")
    assert "Failed lost: 2 error OVERLOADED: 14 p99<1ms: 6.83 ms" in text
    assert "error OVERLOADED 14" in text


def test_figures_of_the_run_are_in_the_text() -> None:
    text = text_of(sample_result(latencies={"completion": KNOWN}, notes=("two were slow",)))
    for part in (
        "Load test: fanout http://127.0.0.1:8080, started 2026-03-01T12:00:00Z, took 60 s",
        "completion 1.00 ms 2.00 ms 3.00 ms 4.00 ms 5.00 ms 10 intended send until the last subscriber has it",
        "deliveries 98,500/s",
        "sends, in all 5,910",
        "server CPU 0.87 cores",
        "server CPU a delivery 8.83 µs",
        "server memory 96.0 MiB",
        "meter CPU, processes: 1 0.62 cores",
        "out of order 0",
        "subscribers 1,000",
        "open_loop yes",
        "meter's CPU AMD EPYC 7B13, 2 cores",
        "meter's memory 8.00 GiB",
        "CPython 3.11.2",
        "on the meter's host, sharing its cores",
        "pid 4242",
        "two were slow",
    ):
        assert part in text


def test_every_chart_is_there() -> None:
    text = text_of(sample_result())
    for title in (
        "Latency by percentile",
        "Latency: delivery",
        "Latency: completion",
        "Latency: receipt",
        "Delivery latency over time",
        "Delivered",
        "Sent",
        "CPU",
        "Server memory",
        "Connections",
    ):
        assert f"{title} {title}" in text, "as the drawing's name and as its heading"


def test_meter_at_its_limit_is_a_warning() -> None:
    assert "The meter was the limit" in text_of(sample_result(meter_saturated=True))
    assert "The meter was the limit" not in text_of(sample_result())


def test_comparison_is_shown_when_there_is_one() -> None:
    old = sample_result(
        started_at="2026-02-01T00:00:00Z", rates={"deliveries": 49_250.0}, parameters={"subscribers": 5}
    )
    text = text_of(sample_result(), old)
    assert "Compared with the run of 2026-02-01T00:00:00Z" in text
    assert "deliveries/s 49,250/s 98,500/s 2.00x better" in text
    assert "parameter subscribers differs: 5 then, 1,000 now" in text
    assert "Better or worse means beyond the margin of noise" in text
    assert "delivery before" in text
    assert "Compared with" not in text_of(sample_result())


def test_run_that_measured_nothing_has_a_page() -> None:
    nothing = attrs.evolve(
        sample_result(latencies={}, server_cpu=None, server_rss=None), rates={}, counts={}, intervals=[], parameters={}
    )
    assert "nothing measured" in text_of(nothing)
