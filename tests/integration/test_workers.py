"""``stackmentor serve --workers``: one port, several processes, none of which takes waiting connections along."""

import contextlib
import json
import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest
import trio

from tests.chathttp.edge.edge_kit import CLOSE, RawHttp, RawWebSocket
from tests.kit.command import COMMAND, stackmentor
from tests.kit.devserver import DevServer
from tests.kit.process import gone
from tests.kit.redis import RedisServer, free_port

PATIENCE: Final = 30.0


@pytest.fixture
def workers(data_dir: Path, database_url: str, redis_server: RedisServer) -> Generator[DevServer]:
    """Two of them."""
    env = {
        "STACKMENTOR_DATABASE_URL": database_url,
        "STACKMENTOR_REDIS_URL": redis_server.url,
        "STACKMENTOR_HOST": "127.0.0.1",
        "STACKMENTOR_DRAIN_TIME": "1",
        "STACKMENTOR_MANAGEMENT_PORT": str(two_free_ports()),
    }
    with DevServer(data_dir, env=env, command=(*COMMAND, "serve", "--workers", "2")) as server:
        yield server


def two_free_ports() -> int:
    """The first of two that stand side by side."""
    while True:
        port = free_port()
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
            return port


def pids(server: DevServer) -> list[int]:
    """Of the workers, by their number."""
    found: dict[int, int] = {}
    tasks = Path(f"/proc/{server.pid}/task").glob("*/children")
    for child in " ".join(children.read_text() for children in tasks).split():
        arguments = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        if b"worker" in arguments:
            found[int(arguments[arguments.index(b"worker") + 1])] = int(child)
    return [found[number] for number in sorted(found)]


def established(server: DevServer) -> Counter[int]:
    """Connections of each worker, by its pid."""
    port = urlsplit(server.url).port
    local = f"0100007F:{port:04X}"
    inodes = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1] == local and line.split()[3] == "01"
    }
    counts: Counter[int] = Counter()
    for pid in pids(server):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(descriptor))
                counts[pid] += bool(found and found[1] in inodes)
    return counts


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE):
        while True:
            if holds():
                return
            await trio.sleep(0.05)


class Knockers:
    """Clients that connect again and again. Nobody who got through may be left without an answer."""

    def __init__(self, server: DevServer) -> None:
        self._port = urlsplit(server.url).port or 0
        self.answered = 0
        self.reset = 0
        self.refused = 0

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(self._knock)

    async def _knock(self) -> None:
        while True:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", self._port)
            except OSError:
                self.refused += 1
                return
            async with stream:
                try:
                    status, _, _ = await RawHttp(stream).request("/actuator/health/liveness")
                except (OSError, EOFError, trio.BrokenResourceError):
                    self.reset += 1
                else:
                    assert status in (200, 503)
                    self.answered += 1


async def test_all_share_the_connections_evenly(workers: DevServer) -> None:
    port = urlsplit(workers.url).port or 0
    counts: Counter[int] = Counter()
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(5):
            for _ in range(80):
                stream = await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port))
                await RawWebSocket(stream).open()
            counts = established(workers)
            assert abs(counts[pids(workers)[0]] - counts[pids(workers)[1]]) <= 40, counts
        assert counts.total() == 400


async def test_sessions_over_http_are_refused_since_any_worker_may_get_the_next_request(workers: DevServer) -> None:
    async with httpx.AsyncClient(base_url=workers.url) as http:
        assert (await http.get("/ws/info")).status_code == 200
        answer = await http.post("/ws/000/abcdefgh/xhr")
    assert (answer.status_code, answer.json()["errorCode"]) == (503, "UNAVAILABLE")
    assert "one worker" in answer.json()["message"]


async def test_a_killed_worker_takes_only_its_own_connections_along_and_is_started_again(workers: DevServer) -> None:
    before = pids(workers)
    knockers = Knockers(workers)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(knockers.run)
        await until(lambda: knockers.answered > 200)
        os.kill(before[0], signal.SIGKILL)
        await until(lambda: gone(before[0]))
        answered = knockers.answered
        await until(lambda: knockers.answered > answered + 200)
        await until(lambda: len(pids(workers)) == 2 and "serves again" in workers.log)
        nursery.cancel_scope.cancel()
    assert pids(workers)[1] == before[1]
    assert knockers.refused == 0
    assert knockers.reset <= 20, "more than the dead one can have held"
    workers.stop()


async def test_hangup_rolls_the_workers_one_by_one_and_nobody_is_refused(workers: DevServer) -> None:
    before = pids(workers)
    knockers = Knockers(workers)
    async with await trio.open_tcp_stream("127.0.0.1", urlsplit(workers.url).port or 0) as stream:
        websocket = await RawWebSocket(stream).open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(knockers.run)
            await until(lambda: knockers.answered > 100)
            os.kill(workers.pid, signal.SIGHUP)
            with trio.fail_after(PATIENCE):
                assert await websocket.close_code() == 1012
                await websocket.frame(CLOSE, (1012).to_bytes(2, "big"))
            await until(lambda: workers.log.count("serves again") == 2)
            nursery.cancel_scope.cancel()
    assert not set(before) & set(pids(workers))
    assert (knockers.refused, knockers.reset) == (0, 0)
    workers.stop()
    assert workers.later_output == ""


async def test_sigterm_drains_all_and_whoever_gets_through_is_answered(workers: DevServer) -> None:
    before = pids(workers)
    knockers = Knockers(workers)
    async with await trio.open_tcp_stream("127.0.0.1", urlsplit(workers.url).port or 0) as stream:
        websocket = await RawWebSocket(stream).open()
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(knockers.run)
                await until(lambda: knockers.answered > 100)
                workers.terminate()
                assert await websocket.close_code() == 1012
                await websocket.frame(CLOSE, (1012).to_bytes(2, "big"))
                assert await trio.to_thread.run_sync(workers.wait) == 0
    assert knockers.reset == 0
    assert all(map(gone, before))


def test_with_nobody_connected_a_stop_takes_no_time(workers: DevServer) -> None:
    began = time.monotonic()
    workers.stop()
    assert time.monotonic() - began < 4


async def test_workers_die_with_their_parent(workers: DevServer) -> None:
    before = pids(workers)
    workers.kill()
    await until(lambda: all(map(gone, before)))


def test_second_ctrl_c_ends_all_at_once(workers: DevServer) -> None:
    before = pids(workers)
    with socket.create_connection(("127.0.0.1", urlsplit(workers.url).port or 0)) as busy:
        busy.sendall(b"GET /actuator/health/liveness HTTP/1.1\r\nHost: x\r\n")
        workers.interrupt()
        time.sleep(0.1)
        workers.interrupt()
        assert workers.wait() in (0, 130)
    assert all(map(gone, before))


def test_each_worker_has_a_management_port_of_its_own(workers: DevServer) -> None:
    lines = [json.loads(line) for line in workers.log.splitlines() if line.startswith("{")]
    urls = sorted({line["url"] for line in lines if line["event"] == "management"})
    assert len(urls) == 2
    pages = [httpx.get(f"{url}/metrics").text for url in urls]
    assert all("stackmentor_websockets 0.0" in page for page in pages)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, "STACKMENTOR_REDIS_URL is not set, and several workers need it"),
        (
            {"redis_url": "redis://127.0.0.1:1", "port": 8082, "management_port": 8081},
            "STACKMENTOR_MANAGEMENT_PORT must leave room for 2 workers beside the port",
        ),
    ],
)
def test_what_cannot_be_is_said_in_one_line(settings: dict[str, object], line: str) -> None:
    done = stackmentor("serve", "--workers", "2", database_url="postgresql://127.0.0.1:1/x", **settings)
    assert done.returncode == 2
    assert done.stderr == f"stackmentor: {line}\n"
