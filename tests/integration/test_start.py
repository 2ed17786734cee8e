"""``stackmentor serve`` where the database is away, wrong, or not as it should be, at the start."""

import socket
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
import trio

from tests.chathttp.edge.edge_kit import RawWebSocket
from tests.kit.command import COMMAND, stackmentor
from tests.kit.devserver import DevServer
from tests.kit.postgres import PostgresServer
from tests.kit.redis import RedisServer, free_port

PATIENCE: Final = 20.0


@contextmanager
def starting(data_dir: Path, url: str, *arguments: str, **settings: object) -> Generator[DevServer]:
    """`serve`, which nobody waits for; `url` of the server is where it listens."""
    given = {"drain_time": 10, "host": "127.0.0.1", "management_port": free_port(), **settings, "database_url": url}
    env = {f"STACKMENTOR_{name.upper()}": str(value) for name, value in given.items()}
    port = free_port()
    with ExitStack() as stack:
        server = DevServer(data_dir, port, env=env, command=(*COMMAND, "serve", *arguments))
        stack.push(server.__exit__)
        server.start_without_waiting()
        server.url = f"http://127.0.0.1:{port}"
        yield server


def until(holds: Callable[[], bool], server: DevServer) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if holds():
                return
        except (httpx.TransportError, psycopg.OperationalError):
            pass
        assert time.monotonic() < deadline, server.log[-4000:]
        time.sleep(0.05)


def ask(url: str) -> httpx.Response:
    return httpx.get(url, timeout=5)


def status(url: str) -> int:
    return ask(url).status_code


@pytest.mark.parametrize("workers", [1, 2])
async def test_without_its_database_it_serves_its_health_until_that_comes(
    workers: int, data_dir: Path, own_server: PostgresServer, redis_server: RedisServer
) -> None:
    url = own_server.fresh_database()
    own_server.stop()
    arguments = ("--workers", "2") if workers > 1 else ()
    management = free_port()
    with starting(data_dir, url, *arguments, redis_url=redis_server.url, management_port=management) as server:
        health = f"{server.url}/actuator/health"
        until(lambda: status(f"{health}/liveness") == 200, server)
        assert status(f"{health}/readiness") == 503
        whole = ask(health)
        assert whole.status_code == 503
        assert whole.json()["status"] == whole.json()["components"]["database"]["status"] == "DOWN"
        until(lambda: status(f"http://127.0.0.1:{management}/metrics") == 200, server)
        refused = ask(f"{server.url}/api/users/me")
        assert (refused.status_code, refused.json()["errorCode"]) == (503, "UNAVAILABLE")
        assert int(refused.headers["retry-after"]) >= 1
        port = urlsplit(server.url).port or 0
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            turned_away, headers, _ = await RawWebSocket(stream).handshake()
            assert turned_away == 503
            assert int(headers["retry-after"]) >= 1
        # In this thread: the kernel ends it with the thread that has started it.
        own_server.start()
        server.await_ready()
        assert status(f"{health}/readiness") == status(health) == 200
        assert status(f"{server.url}/api/users/me") == 401
        server.stop()
        assert "waiting for the database" in server.log
        assert "STACKMENTOR_DATABASE_URL" in server.log


def test_a_stop_while_it_waits_ends_it_in_good_order(data_dir: Path) -> None:
    with starting(data_dir, "postgresql://127.0.0.1:1/none") as server:
        until(lambda: status(f"{server.url}/actuator/health/liveness") == 200, server)
        began = time.monotonic()
        server.terminate()
        assert server.wait() == 0
        assert time.monotonic() - began < 5
        assert server.later_output == ""


def test_a_database_that_comes_without_the_schema_ends_the_start_with_one_line(
    data_dir: Path, own_server: PostgresServer
) -> None:
    url = own_server.empty_database()
    own_server.stop()
    with starting(data_dir, url) as server:
        until(lambda: status(f"{server.url}/actuator/health/liveness") == 200, server)
        own_server.start()
        assert server.wait() == 1
        assert server.later_output == ""
        (last,) = [line for line in server.log.splitlines() if line.startswith("stackmentor: ")]
        assert last.startswith("stackmentor: the database has revision None, this version needs ")


def test_a_drain_that_begins_before_it_is_ready_never_lets_it_become_so(
    data_dir: Path, own_server: PostgresServer
) -> None:
    url = own_server.fresh_database()
    own_server.stop()
    with starting(data_dir, url) as server:
        readiness = f"{server.url}/actuator/health/readiness"
        until(lambda: status(readiness) == 503, server)
        address = ("127.0.0.1", urlsplit(server.url).port or 0)
        with socket.create_connection(address) as slow:
            # A request whose body is still to come keeps the drain from its end.
            slow.sendall(b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
            assert status(readiness) == 503
            server.terminate()
            until(lambda: '"draining"' in server.log, server)
            own_server.start()
            until(lambda: keys(url) == 1, server)
            slow.sendall(b'"a":1}  ')
            assert slow.recv(4096).startswith(b"HTTP/1.1 503 ")
            assert server.wait() == 0
        assert server.later_output == ""


def keys(url: str) -> int:
    """That sign tokens; the start makes one, and then is over."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM identity_keys").fetchone()
    assert row is not None
    return int(row[0])


def test_a_url_that_is_wrong_is_one_line_that_names_the_setting(own_server: PostgresServer) -> None:
    url = own_server.fresh_database()
    name = url.partition("?")[0].rpartition("/")[2]
    user = url.partition("//")[2].partition("@")[0]
    wrong = [
        url.replace(f"/{name}?", "/nobodys?"),
        url.replace(f"//{user}@", "//nobody@"),
        url.replace(f"/{name}?", f"/{name}?port=x&"),
    ]
    for each in wrong:
        assert each != url
        for arguments in (("serve",), ("serve", "--workers", "2")):
            done = stackmentor(
                *arguments, database_url=each, port=0, management_port=0, redis_url="redis://127.0.0.1:1"
            )
            assert done.returncode == 2, done.stderr
            assert done.stderr.startswith("stackmentor: STACKMENTOR_DATABASE_URL: "), done.stderr
            assert done.stderr.count("\n") == 1
