"""``stackmentor dev`` and its PostgreSQL: together in life, together in death."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Generator
from pathlib import Path

import httpx
import pytest

from tests.kit.command import stackmentor
from tests.kit.devserver import PASSWORD, DevServer
from tests.kit.process import gone


@pytest.fixture
def server(data_dir: Path) -> Generator[DevServer]:
    with DevServer(data_dir) as server:
        yield server


@contextlib.contextmanager
def _sign_in(server: DevServer, name: str = "alice") -> Generator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        answer = client.post("/auth/login", json={"email": f"{name}@example.com", "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['accessToken']}"
        yield client


def _conversations(client: httpx.Client) -> dict[str, str]:
    return {each["type"]: each["id"] for each in client.get("/api/conversations").raise_for_status().json()}


def _send(client: httpx.Client, text: str, conversation_id: str | None = None) -> int:
    body = {"conversationId": conversation_id or _conversations(client)["GROUP"], "text": text}
    return client.post("/api/messages", json=body).status_code


def _texts(client: httpx.Client) -> list[str]:
    query = {"conversationId": _conversations(client)["GROUP"]}
    page = client.get("/api/messages", params=query).raise_for_status().json()
    return [message["text"] for message in page["content"]]


def _eventually(holds: Callable[[], bool], patience: float = 60) -> bool:
    deadline = time.monotonic() + patience
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_demo_users_have_a_direct_conversation_and_a_group(server: DevServer) -> None:
    with _sign_in(server, "alice") as alice, _sign_in(server, "bob") as bob, _sign_in(server, "carol") as carol:
        assert set(_conversations(alice)) == set(_conversations(bob)) == {"DIRECT", "GROUP"}
        assert set(_conversations(carol)) == {"GROUP"}


def test_it_says_one_line_ends_with_0_and_takes_its_postgres_along(server: DevServer) -> None:
    postgres = server.postgres_pid
    assert postgres is not None
    assert server.url == f"http://127.0.0.1:{server.url.rpartition(':')[2]}"
    server.stop()
    assert server.later_output == ""
    assert gone(postgres)


def test_ctrl_c_in_its_terminal_ends_it_in_order(server: DevServer) -> None:
    server.interrupt()
    assert server.wait() == 0
    assert server.postgres_pid is None
    assert "database system is shut down" in (server.data_dir / "postgres.log").read_text()


def test_second_run_finds_the_data_of_the_first(server: DevServer) -> None:
    with _sign_in(server) as alice:
        assert _send(alice, "remember me") == 201
        conversations = _conversations(alice)
    server.restart()
    with _sign_in(server) as alice:
        assert _conversations(alice) == conversations
        assert _texts(alice) == ["remember me"]


def test_postgres_of_a_killed_run_is_found_and_never_two_run(server: DevServer) -> None:
    with _sign_in(server) as alice:
        assert _send(alice, "before the kill") == 201
    left = server.postgres_pid
    server.kill()
    assert left is not None
    assert server.postgres_pid == left, "it should have been left behind"
    server.start()
    assert server.postgres_pid not in (None, left)
    assert gone(left)
    with _sign_in(server) as alice:
        assert _texts(alice) == ["before the kill"]


def test_second_dev_on_the_same_data_is_refused_and_the_first_serves_on(server: DevServer) -> None:
    done = stackmentor("dev", data_dir=server.data_dir, port=0, management_port=0)
    assert done.returncode == 1
    assert done.stderr == f"stackmentor: stackmentor dev already runs on {server.data_dir} (process {server.pid})\n"
    with _sign_in(server) as alice:
        assert _send(alice, "still here") == 201


def test_tokens_are_minted_while_it_runs_and_it_takes_them(server: DevServer) -> None:
    token = stackmentor("token", data_dir=server.data_dir).stdout.strip()
    answer = httpx.get(f"{server.url}/api/users/me", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert answer.status_code == 200, answer.text


def test_it_serves_on_after_its_postgres_was_killed(server: DevServer) -> None:
    with _sign_in(server) as alice:
        assert _send(alice, "one") == 201
        group = _conversations(alice)["GROUP"]
        postgres = server.postgres_pid
        assert postgres is not None
        os.kill(postgres, signal.SIGKILL)
        assert _eventually(lambda: server.postgres_pid not in (None, postgres)), server.log
        assert _eventually(lambda: _send(alice, "two", group) == 201), server.log
        assert set(_texts(alice)) == {"one", "two"}


def test_sigterm_while_it_starts_leaves_nothing(data_dir: Path) -> None:
    server = DevServer(data_dir)
    server.start_without_waiting()
    assert _eventually(lambda: server.postgres_pid is not None)
    server.terminate()
    assert server.wait() == 0, server.log
    assert server.postgres_pid is None


def test_port_that_is_taken_is_one_line(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = stackmentor("dev", data_dir=data_dir, port=taken.getsockname()[1], log_level="error")
    assert done.returncode == 1
    assert done.stderr.startswith("stackmentor: the port is in use; set STACKMENTOR_PORT")
    assert done.stdout == ""
