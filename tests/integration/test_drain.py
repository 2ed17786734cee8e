"""SIGTERM to a real server: who is connected, who is served, who waits, and a database or a Redis that is away."""

import json
import socket
import time
from collections.abc import Generator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
import trio
from trio_websocket import ConnectionClosed

from chathttp.errors import CLOSE_DRAIN
from tests.chathttp.edge.edge_kit import CLOSE, RawHttp, RawWebSocket
from tests.kit.command import COMMAND, stackmentor
from tests.kit.devserver import DevServer
from tests.kit.postgres import PostgresServer
from tests.kit.redis import RedisServer
from tests.kit.stomp_client import StompClient, stomp_client

DRAIN: Final = 4.0
RESERVE: Final = 9.0
"""Seconds after the drain time within which the process must have ended, whatever is away."""
SOCKETS: Final = 40


@contextmanager
def serving(data_dir: Path, database_url: str, **settings: object) -> Generator[DevServer]:
    """`stackmentor serve` on the database, its drain time at the default unless it is in `settings`."""
    given = {"drain_time": 20, **settings, "database_url": database_url, "host": "127.0.0.1"}
    env = {f"STACKMENTOR_{name.upper()}": str(value) for name, value in given.items()}
    with DevServer(data_dir, env=env, command=(*COMMAND, "serve")) as server:
        yield server


def new_users(database_url: str, count: int) -> list[tuple[str, str]]:
    """User ids and access tokens."""
    done = stackmentor("token", "--users", str(count), "--json", database_url=database_url)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [(row["userId"], row["token"]) for row in rows]


def bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


def new_group(server: DevServer, owner: tuple[str, str], member: tuple[str, str]) -> str:
    body = {"type": "GROUP", "participantIds": [member[0]], "name": "group"}
    answer = httpx.post(f"{server.url}/api/conversations", json=body, headers=bearer(owner[1]))
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


class Drained:
    """What clients saw of a drain. Times are seconds since the SIGTERM."""

    def __init__(self, server: DevServer) -> None:
        self.server = server
        self.began = 0.0
        self.closes: list[tuple[int, float]] = []
        self.ready: list[tuple[int, float]] = []
        self.ended_at = 0.0
        self.status = -1
        self._sockets: list[trio.socket.SocketType] = []

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    async def connect(self) -> trio.SocketStream:
        stream = await trio.open_tcp_stream("127.0.0.1", urlsplit(self.server.url).port or 0)
        self._sockets.append(stream.socket)
        return stream

    def close_all(self) -> None:
        for sock in self._sockets:
            sock.close()

    def terminate(self) -> None:
        self.began = time.monotonic()
        self.server.terminate()

    async def await_close(self, client: RawWebSocket) -> None:
        code = await client.close_code()
        self.closes.append((code, self.now))
        await client.frame(CLOSE, code.to_bytes(2, "big"))
        assert await client.at_end()
        await client.stream.aclose()

    async def ask_whether_ready(self) -> None:
        """Again and again on new connections, until there is no port any more."""
        while True:
            try:
                stream = await self.connect()
            except OSError:
                return
            async with stream:
                status, headers, _ = await RawHttp(stream).request("/actuator/health/readiness")
                assert headers["connection"] == "close"
                self.ready.append((status, self.now))
            await trio.sleep(0.05)

    async def await_exit(self) -> None:
        self.status = await trio.to_thread.run_sync(self.server.wait)
        self.ended_at = self.now


async def test_all_come_to_their_end_in_good_order(data_dir: Path, database_url: str) -> None:
    users = new_users(database_url, 2)
    with serving(data_dir, database_url, drain_time=DRAIN) as server, psycopg.connect(database_url) as lock:
        group = await trio.to_thread.run_sync(new_group, server, users[0], users[1])
        drained = Drained(server)
        websockets = [RawWebSocket(await drained.connect()) for _ in range(SOCKETS)]
        for each in websockets:
            await each.open()
        kept = RawHttp(await drained.connect())
        assert (await kept.request("/actuator/health/readiness"))[0] == 200
        stalled = await stalled_download(drained)
        lock.execute("SELECT 1 FROM conversations WHERE id = %s FOR UPDATE", [group])
        in_flight = RawHttp(await drained.connect())
        body = json.dumps({"conversationId": group, "text": "in flight"})
        await in_flight.send(
            (
                f"POST /api/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {users[0][1]}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            ).encode()
        )
        await trio.sleep(0.5)
        drained.terminate()
        with trio.fail_after(DRAIN + RESERVE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(drained.await_exit)
                for each in websockets:
                    nursery.start_soon(drained.await_close, each)
                await trio.sleep(0.3)
                nursery.start_soon(drained.ask_whether_ready)
                status, headers, _ = await kept.request("/actuator/health/readiness")
                assert (status, headers["connection"]) == (503, "close")
                assert await kept.at_end()
                refused = RawWebSocket(await drained.connect())
                status, headers, _ = await refused.handshake()
                assert status == 503
                assert int(headers["retry-after"]) >= 1
                lock.rollback()
                status, headers, _ = await in_flight.response()
                assert (status, headers["connection"]) == (201, "close")
        stalled.close()
        drained.close_all()
    assert drained.status == 0
    assert DRAIN - 0.5 < drained.ended_at < DRAIN + 2, "the stalled download is cut off at the end of the drain time"
    assert {code for code, _ in drained.closes} == {1012}
    times = [at for _, at in drained.closes]
    assert len(times) == SOCKETS
    assert min(times) < DRAIN / 4
    assert 0.6 * DRAIN < max(times) < DRAIN
    assert SOCKETS / 4 < sum(at < DRAIN * 0.4 for at in times) < SOCKETS * 3 / 4
    assert {status for status, _ in drained.ready} == {503}
    assert drained.ready[-1][1] > max(times) - 0.2


async def stalled_download(drained: Drained) -> socket.socket:
    """Its client asks for a large file and reads nothing."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", urlsplit(drained.server.url).port))
    for _ in range(20):
        sock.sendall(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n")
    return sock


def test_with_nobody_connected_it_ends_at_once(data_dir: Path, database_url: str) -> None:
    with serving(data_dir, database_url) as server:
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 3


async def test_whoever_gets_through_to_the_port_gets_an_answer(data_dir: Path, database_url: str) -> None:
    with serving(data_dir, database_url, drain_time=1) as server:
        drained = Drained(server)
        answered = 0
        websocket = await RawWebSocket(await drained.connect()).open()

        async def knock() -> None:
            nonlocal answered
            while True:
                try:
                    stream = await drained.connect()
                except OSError:
                    return
                async with stream:
                    assert (await RawHttp(stream).request("/actuator/health/liveness"))[0] == 200
                    answered += 1

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(knock)
                await trio.sleep(0.3)
                drained.terminate()
                nursery.start_soon(drained.await_exit)
                nursery.start_soon(drained.await_close, websocket)
        drained.close_all()
        assert drained.status == 0
        assert answered > 100


@pytest.mark.parametrize("how", ["frozen", "killed"])
async def test_a_database_that_is_away_does_not_hold_the_exit(
    how: str, data_dir: Path, own_server: PostgresServer
) -> None:
    url = own_server.fresh_database()
    users = new_users(url, 2)
    with serving(data_dir, url, drain_time=1) as server:
        group = await trio.to_thread.run_sync(new_group, server, users[0], users[1])
        drained = Drained(server)
        if how == "frozen":
            own_server.freeze()
        else:
            own_server.kill()
        try:
            async with trio.open_nursery() as nursery:
                for number in range(3):
                    nursery.start_soon(send_in_vain, server, users[number % 2][1], group)
                await trio.sleep(0.5)
                drained.terminate()
                with trio.fail_after(1 + RESERVE):
                    await drained.await_exit()
                nursery.cancel_scope.cancel()
        finally:
            if how == "frozen":
                own_server.thaw()
        assert drained.status == 0


@pytest.mark.parametrize("how", ["frozen", "killed"])
async def test_a_redis_that_is_away_does_not_hold_the_exit(
    how: str, data_dir: Path, database_url: str, own_redis: RedisServer
) -> None:
    users = new_users(database_url, 2)
    with serving(data_dir, database_url, drain_time=1, redis_url=own_redis.url) as server:
        group = await trio.to_thread.run_sync(new_group, server, users[0], users[1])
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(stomp_client(server.ws_url, token)) for _, token in users]
            for client in clients:
                await client.subscribe(f"/topic/conversation.{group}")
            drained = Drained(server)
            if how == "frozen":
                own_redis.freeze()
            else:
                own_redis.kill()
            body = json.dumps({"conversationId": group, "text": "x"}).encode()
            await clients[0].send("SEND", {"destination": "/app/message.send", "receipt": "r"}, body)
            while (await clients[0].next()).command != "RECEIPT":
                pass
            drained.terminate()
            with trio.fail_after(1 + RESERVE):
                await drained.await_exit()
            for client in clients:
                assert await close_code(client) == CLOSE_DRAIN
    assert drained.status == 0


async def close_code(client: StompClient) -> int | None:
    while True:
        try:
            await client.next()
        except ConnectionClosed as closed:
            return closed.reason and closed.reason.code


async def send_in_vain(server: DevServer, token: str, group: str) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        try:
            body = {"conversationId": group, "text": "x"}
            answer = await client.post(f"{server.url}/api/messages", json=body, headers=bearer(token))
        except httpx.TransportError:
            return
        assert answer.status_code == 503, answer.text
