"""Pushes over two real nodes to a real webhook, and what a kill between a commit and its push leaves."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest

from chathttp.dev.postgres import postgres_for_command
from tests.kit.api import Api
from tests.kit.devnodes import DevNodes
from tests.kit.postgres import remove_scratch, scratch_directory
from tests.kit.stomp_client import stomp_client

PATIENCE = 60.0
SECRET = "webhook-secret"


class Webhook:
    """A provider of pushes; `status` is what it answers."""

    def __init__(self) -> None:
        self.pushes: list[dict[str, Any]] = []
        self.status = 200
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Authorization"] == f"Bearer {SECRET}":
                    webhook.pushes.append(json.loads(body))
                self.send_response(webhook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/push"

    def to(self, token: str) -> list[dict[str, Any]]:
        return [each for each in self.pushes if each["pushToken"] == token]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def webhook() -> Generator[Webhook]:
    made = Webhook()
    yield made
    made.close()


@pytest.fixture(scope="module")
def nodes(webhook: Webhook) -> Generator[DevNodes]:
    directory = scratch_directory()
    env = {
        "STACKMENTOR_PUSH_URL": webhook.url,
        "STACKMENTOR_PUSH_SECRET": SECRET,
        "STACKMENTOR_PUSH_DELAY": "2",
        "STACKMENTOR_PUSH_INTERVAL": "0.3",
        "STACKMENTOR_PUSH_CLAIM_LEASE": "2",
        "STACKMENTOR_PUSH_LEASE": "15",
    }
    with DevNodes(directory, 2, env=env) as running:
        yield running
        running.stop()
    remove_scratch(directory)


@pytest.fixture
def people(nodes: DevNodes) -> Generator[tuple[Api, Api, Api, str]]:
    """Who writes, and two who have devices, in one group."""
    with Api(nodes.urls[0]) as jan, Api(nodes.urls[1]) as eva, Api(nodes.urls[0]) as tom:
        number = time.monotonic_ns()
        for api, name in ((jan, "jan"), (eva, "eva"), (tom, "tom")):
            api.sign_up(nodes.data_dir, f"{name}{number}")
        members = [each.get("/api/users/me")["id"] for each in (eva, tom)]
        answer = jan.call("POST", "/api/groups", {"name": "Group", "memberIds": members})
        assert answer.status_code == 201, answer.text
        yield jan, eva, tom, answer.json()["id"]


def register(api: Api, token: str) -> None:
    answer = api.call("PUT", "/api/devices/phone", {"platform": "ios", "pushToken": token})
    assert answer.status_code == 204, answer.text


def ask(nodes: DevNodes, question: str) -> list[tuple[object, ...]]:
    with postgres_for_command(nodes.data_dir) as url, psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(question.encode()).fetchall()


def await_that(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def test_who_is_offline_gets_one_push_for_several_messages_and_nobody_else_any(
    nodes: DevNodes, webhook: Webhook, people: tuple[Api, Api, Api, str]
) -> None:
    jan, eva, tom, room = people
    for api, token in ((jan, "jan-1"), (eva, "eva-1"), (tom, "tom-1")):
        register(api, token)
    assert tom.call("PUT", f"/api/conversations/{room}/mute", {"until": "2099-01-01T00:00:00Z"}).status_code == 204
    eva_id = eva.get("/api/users/me")["id"]
    for text in ("one", "two", "three"):
        newest = jan.send(room, text)
    await_that(lambda: webhook.to("eva-1"))
    async with stomp_client(f"{nodes.urls[1].replace('http', 'ws', 1)}/ws", eva.access_token):
        await_that(lambda: jan.get(f"/api/presence?userIds={eva_id}")[0]["online"])
        jan.send(room, "seen at once")
        # A push to somebody else comes later than this one would have.
        assert tom.call("PUT", f"/api/conversations/{room}/mute", {"until": None}).status_code == 204
        jan.send(room, "for Tom")
        await_that(lambda: webhook.to("tom-1"))
    assert [each["text"] for each in webhook.to("eva-1")] == ["three"]
    (push,) = webhook.to("eva-1")
    assert (push["count"], push["text"], push["messageId"]) == (3, "three", newest["id"])
    assert (push["collapseKey"], push["deviceId"], push["platform"]) == (room, "phone", "ios")
    assert len(webhook.to("tom-1")) == 1
    assert webhook.to("jan-1") == []


def test_a_token_that_the_provider_does_not_know_ends_its_device(
    nodes: DevNodes, webhook: Webhook, people: tuple[Api, Api, Api, str]
) -> None:
    jan, eva, _, room = people
    register(eva, "eva-gone")
    webhook.status = 404
    try:
        jan.send(room, "anybody there?")
        await_that(lambda: not ask(nodes, "SELECT 1 FROM devices WHERE push_token = 'eva-gone'"))
    finally:
        webhook.status = 200
    assert len(webhook.to("eva-gone")) == 1


def test_what_was_committed_before_both_nodes_were_killed_is_pushed_by_those_after_them(
    nodes: DevNodes, webhook: Webhook, people: tuple[Api, Api, Api, str]
) -> None:
    jan, eva, _, room = people
    register(eva, "eva-kill")
    # So that one of them has stored how far it is.
    await_that(lambda: ask(nodes, "SELECT 1 FROM claims WHERE name = 'push' AND position IS NOT NULL"))
    sent = jan.send(room, "survives")
    pids = nodes.node_pids()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert webhook.to("eva-kill") == []
    for number, pid in enumerate(pids, start=1):
        nodes.await_restart(number, pid)
    await_that(lambda: webhook.to("eva-kill"))
    (push,) = webhook.to("eva-kill")
    assert push["messageId"] == sent["id"]
