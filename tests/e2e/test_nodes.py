"""Real `@stomp/stompjs` clients, and people in Chromium, on three nodes as behind a load balancer."""

import os
import signal
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.loaded_clients import Close, LoadedClients, Report, ws_url
from tests.e2e.nodejs import HERE, run_node_tests
from tests.kit.devnodes import DevNodes
from tests.kit.postgres import remove_scratch, scratch_directory

NODES: Final = 3
DRAIN: Final = 1.0
USERS: Final = ("alice", "bob", "carol", "alice", "bob", "carol")
"""Two clients of each, so that each node has two clients, and no user has both of his on the same node."""
RECEIPTS: Final = 20
"""More than can be under way: a client that gets so many has sent since."""
KILLED: Final = 1006
DRAINED: Final = 1012


@pytest.fixture(scope="module")
def nodes() -> Generator[DevNodes]:
    directory = scratch_directory()
    env = {
        "STACKMENTOR_DRAIN_TIME": str(DRAIN),
        "STACKMENTOR_PRESENCE_LIFETIME": "2",
        "STACKMENTOR_SEND_RATE": "100000",
        "STACKMENTOR_SEND_BURST": "100000",
    }
    with DevNodes(directory, NODES, env=env) as nodes:
        yield nodes
        nodes.stop()
    remove_scratch(directory)


@pytest.mark.parametrize(
    "script", sorted((HERE / "nodes").glob("*.test.mjs")), ids=lambda path: path.stem.removesuffix(".test")
)
def test_stompjs(nodes: DevNodes, script: Path) -> None:
    environment = {
        "STACKMENTOR_URL": nodes.url,
        "STACKMENTOR_WS_URL": nodes.ws_url,
        "STACKMENTOR_URLS": str(nodes.urls).replace("'", '"'),
        "STACKMENTOR_MAIL_DIR": str(nodes.data_dir / "mail"),
    }
    run_node_tests([script], environment)


def _end_each_in_turn(nodes: DevNodes, number: signal.Signals) -> tuple[Report, Sequence[str]]:
    """Each node once while all write, and the WebSocket URLs in that order. Who was on it goes on elsewhere, and comes
    to its successor before the next one ends.
    """
    with LoadedClients(USERS, window=2) as clients:
        for node in range(1, NODES + 1):
            clients.await_flow(nodes.urls, RECEIPTS)
            pid = nodes.node_pid(node)
            os.kill(pid, number)
            clients.await_flow([url for url in nodes.urls if url != nodes.urls[node - 1]], RECEIPTS)
            nodes.await_restart(node, pid)
        clients.await_flow(nodes.urls, RECEIPTS)
        return clients.finish(), [ws_url(url) for url in nodes.urls]


def test_nodes_that_are_killed_while_all_write_lose_nothing_double_nothing_and_keep_the_order(nodes: DevNodes) -> None:
    report, urls = _end_each_in_turn(nodes, signal.SIGKILL)
    assert report.faults == [], report
    _assert_only_of(report, urls, KILLED)


def test_nodes_that_are_drained_while_all_write_show_nothing_but_close_1012(nodes: DevNodes) -> None:
    report, urls = _end_each_in_turn(nodes, signal.SIGTERM)
    assert report.faults == [], report
    assert report.refusals == [], report
    _assert_only_of(report, urls, DRAINED)


def _assert_only_of(report: Report, urls: Sequence[str], code: int) -> None:
    """Nothing but the ends of the nodes closed connections, and each of those did."""
    closes = [close for client in report.closes for close in client]
    assert set(closes) == {Close(url, code) for url in urls}, report
    assert report.connections == [1 + len(client) for client in report.closes], report
