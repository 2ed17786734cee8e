import os
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from chatload.server_probe import MetricsProbe, ProcessProbe, SumProbe

PAGE = """\
# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 12.5
process_resident_memory_bytes{node="a b"} 1.5e+08 1700000000
process_resident_memory_bytes_max 9
"""


@contextmanager
def serving(page: str) -> Generator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/metrics"
        finally:
            server.shutdown()
            thread.join()


def test_process_is_read_from_proc() -> None:
    probe = ProcessProbe(os.getpid())
    usage = probe.read()
    assert usage is not None
    assert usage.cpu == pytest.approx(sum(os.times()[:2]), abs=0.1)
    assert usage.rss > 10_000_000
    assert probe.source == f"process {os.getpid()}"


def test_process_that_has_ended_has_no_figures() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert ProcessProbe(process.pid).read() is None


def test_several_processes_are_summed_and_none_may_be_missing() -> None:
    mine, ended = ProcessProbe(os.getpid()), subprocess.Popen(["true"])
    ended.wait()
    both = SumProbe([mine, mine])
    alone, usage = mine.read(), both.read()
    assert alone is not None
    assert usage is not None
    assert usage.cpu == pytest.approx(2 * alone.cpu, abs=0.2)
    assert usage.rss == pytest.approx(2 * alone.rss, rel=0.1)
    assert both.source == f"process {os.getpid()}, process {os.getpid()}"
    assert SumProbe([mine, ProcessProbe(ended.pid)]).read() is None


def test_metrics_page_is_read() -> None:
    with serving(PAGE) as url:
        usage = MetricsProbe(url).read()
    assert usage is not None
    assert (usage.cpu, usage.rss) == (12.5, 150_000_000)


@pytest.mark.parametrize("page", ["", "process_cpu_seconds_total 1\n", "<html>"])
def test_page_without_the_metrics_has_no_figures(page: str) -> None:
    with serving(page) as url:
        assert MetricsProbe(url).read() is None


def test_page_that_does_not_answer_has_no_figures() -> None:
    with serving(PAGE) as url:
        pass
    assert MetricsProbe(url).read() is None
