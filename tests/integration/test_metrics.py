"""The metrics of a running `stackmentor dev`, as Prometheus and the load tester get them."""

import re
import socket
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from chatload.server_probe import MetricsProbe, ProcessProbe
from tests.kit.api import Api
from tests.kit.command import stackmentor
from tests.kit.devserver import DevServer


def metrics_url(server: DevServer) -> str:
    """From the line of the log that tells where the management port is."""
    found = re.search(r"\] management .*\burl=(http://127\.0\.0\.1:\d+)\s", server.log)
    assert found, server.log
    return f"{found[1]}/metrics"


def value(page: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", page, re.MULTILINE)
    assert found, page
    return float(found[1])


def test_load_testers_probe_gets_cpu_and_memory(dev_server: DevServer) -> None:
    usage = MetricsProbe(metrics_url(dev_server)).read()
    of_process = ProcessProbe(dev_server.pid).read()
    assert usage is not None
    assert of_process is not None
    assert 0 < usage.cpu < of_process.cpu + 0.01
    assert usage.rss == pytest.approx(of_process.rss, rel=0.2)


def test_figures_follow_what_the_server_does(dev_server: DevServer) -> None:
    url = metrics_url(dev_server)
    before = httpx.get(url).text
    with Api(dev_server.url) as alice:
        alice.sign_in("alice@example.com")
        group = next(each["id"] for each in alice.get("/api/conversations") if each["type"] == "GROUP")
        sent = alice.call("POST", "/api/messages", {"conversationId": group, "text": str(uuid4())})
        assert sent.status_code == 201, sent.text
        after = httpx.get(url).text
    handled = "stackmentor_conversations_handled_total"
    assert value(after, handled) > value(before, handled)
    assert value(after, "stackmentor_conversations_live") >= 1
    assert value(after, "stackmentor_connections") >= 1
    assert value(after, "stackmentor_database_up") == 1
    assert value(after, "stackmentor_append_waiting") == 0


def test_main_port_has_no_metrics(dev_server: DevServer) -> None:
    assert httpx.get(f"{dev_server.url}/metrics").status_code == 404


def test_taken_management_port_ends_the_start_in_one_line(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = stackmentor("serve", database_url=database_url, port=0, management_port=taken.getsockname()[1])
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "stackmentor: the port is in use; set STACKMENTOR_PORT or STACKMENTOR_MANAGEMENT_PORT to another, or 0 for any"
    )


def test_client_that_is_stuck_does_not_hold_up_the_stop(data_dir: Path) -> None:
    with DevServer(data_dir) as server:
        address = metrics_url(server).split("/")[2].split(":")
        with socket.create_connection((address[0], int(address[1]))) as stuck:
            stuck.sendall(b"GET /metrics HTTP/1.1\r\nHost:")
            server.stop()
            stuck.settimeout(5)
            assert stuck.recv(1) == b""
