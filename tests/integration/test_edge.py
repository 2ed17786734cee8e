"""The edge under load and ill-treatment, on real sockets, with the real web framework."""

import gc
import os
import socket
from collections.abc import AsyncGenerator

import pytest
import trio
import trio.testing
from quart_trio import QuartTrio
from trio.testing import MockClock

from chathttp.edge.limits import EdgeLimits
from chathttp.edge.outbox import Outbox
from chathttp.edge.outbox_transport import OutboxTransport
from chathttp.edge.prefixed import PrefixedStream
from chathttp.edge.transport import ConnectionEnded, FrameTransport, HandshakeInfo
from tests.chathttp.edge.edge_kit import CLOSE, TEXT, Edge, RawHttp, RawWebSocket, echo, running_edge, until

LIMIT = 100_000
ROUNDS = 300
PAYLOAD = 10_000


class Room:
    """A session for all: everything said is offered to everybody at once."""

    def __init__(self) -> None:
        self.members: list[FrameTransport] = []
        self.ends: dict[FrameTransport, ConnectionEnded] = {}

    async def join(self, transport: FrameTransport, handshake: HandshakeInfo) -> None:
        self.members.append(transport)
        try:
            while True:
                await transport.receive()
        except ConnectionEnded as ended:
            self.ends[transport] = ended

    def say(self, payload: bytes) -> None:
        for member in self.members:
            member.offer(member.frame(payload))


async def slow_client(edge: Edge) -> RawWebSocket:
    sock = trio.socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await sock.connect(("127.0.0.1", edge.port))
    edge.clients.append(trio.SocketStream(sock))
    return await RawWebSocket(edge.clients[-1]).open()


@pytest.mark.contract("close 1013", "a slow reader holds up nobody")
async def test_a_client_that_stops_reading_slows_nobody_and_is_closed_with_1013() -> None:
    room = Room()
    async with running_edge(room.join, limits=EdgeLimits(outbox_limit_bytes=LIMIT), send_buffer=4096) as edge:
        stalled = await slow_client(edge)
        await until(lambda: room.members)
        (slow,) = room.members
        readers = [await edge.websocket() for _ in range(20)]
        await until(lambda: len(room.members) == 21)
        most = 0
        payloads = [b"%06d" % number + b"x" * PAYLOAD for number in range(ROUNDS)]
        for payload in payloads:
            room.say(payload)
            most = max(most, slow.queued_bytes)
            with trio.fail_after(5):
                for reader in readers:
                    assert await reader.read() == (TEXT, payload)
        assert slow.closed
        assert LIMIT - 2 * PAYLOAD < most <= LIMIT
        assert slow.queued_bytes <= PAYLOAD + 10
        assert all(not member.closed for member in room.members if member is not slow)
        got = 0
        while True:
            opcode, payload = await stalled.read()
            if opcode == CLOSE:
                break
            assert payload == payloads[got]
            got += 1
        assert 0 < got < ROUNDS
        assert int.from_bytes(payload[:2], "big") == 1013
        assert await stalled.at_end()
        await until(lambda: slow in room.ends)
    assert room.ends[slow].code == 1013


async def test_a_client_that_never_reads_again_is_reset_at_the_write_timeout(autojump_clock: MockClock) -> None:
    room = Room()
    async with running_edge(room.join, limits=EdgeLimits(outbox_limit_bytes=LIMIT), send_buffer=4096) as edge:
        stalled = await slow_client(edge)
        await until(lambda: room.members)
        began = trio.current_time()
        while not room.members[0].closed:
            room.say(b"x" * 1_000_000)
        await until(lambda: not edge.server.connections, within=100)
        assert 30 <= trio.current_time() - began < 35
        with pytest.raises((trio.BrokenResourceError, EOFError)):
            await stalled.take(1_000_000)


async def churn(edge: Edge, kind: int) -> None:
    """One connection's life, in one of the ways it may end."""
    match kind % 5:
        case 0:
            client = await edge.websocket()
            await client.frame(TEXT, b"hello")
            assert await client.read() == (TEXT, b"hello")
            await client.frame(CLOSE, (1000).to_bytes(2, "big"))
            assert await client.close_code() == 1000
        case 1:
            client = await edge.websocket()
        case 2:
            client = RawHttp(await edge.connect())
            assert (await client.request("/some/path"))[0] == 200
        case 3:
            client = RawHttp(await edge.connect())
            await client.send(b"GET / HT")
        case _:
            client = RawWebSocket(await edge.connect())
            assert (await client.request("/first"))[0] == 200
            await client.open()
    await client.stream.aclose()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_a_thousand_connections_leave_no_descriptor_and_no_task() -> None:
    async with running_edge(echo) as edge:
        await churn(edge, 0)
        await until(lambda: not edge.server.connections)
        tasks, files = trio.lowlevel.current_statistics().tasks_living, descriptors()
        for _ in range(5):
            async with trio.open_nursery() as nursery:
                for kind in range(200):
                    nursery.start_soon(churn, edge, kind)
            edge.clients.clear()
        await until(lambda: not edge.server.connections)
        assert edge.server.sessions == 0
        gc.collect()
        assert descriptors() == files
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        assert not [thing for thing in gc.get_objects() if isinstance(thing, OutboxTransport)]


async def test_a_closed_connection_is_freed_without_the_garbage_collector() -> None:
    async with running_edge(echo) as edge:
        await churn(edge, 0)
        await until(lambda: not edge.server.connections)
        gc.collect()
        gc.disable()
        try:
            for kind in (0, 1, 4) * 5:
                await churn(edge, kind)
            await until(lambda: not edge.server.connections)
            left = [thing for thing in gc.get_objects() if isinstance(thing, (Outbox, OutboxTransport, PrefixedStream))]
        finally:
            gc.enable()
        assert not left


@pytest.mark.contract("close 1012")
async def test_drain_closes_all_websockets_over_the_time(autojump_clock: MockClock) -> None:
    async with running_edge(echo) as edge:
        clients = [await edge.websocket() for _ in range(50)]
        began = trio.current_time()
        times: list[float] = []

        async def wait_for_close(client: RawWebSocket) -> None:
            assert await client.close_code() == 1012
            times.append(trio.current_time() - began)
            await client.frame(CLOSE, (1012).to_bytes(2, "big"))
            assert await client.at_end()
            await client.stream.aclose()

        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(wait_for_close, client)
            await edge.server.drain(20)
        assert times[0] < 2
        assert 14 < times[-1] <= 16.1
        assert sum(time < 8 for time in times) == pytest.approx(25, abs=2)
        assert trio.current_time() - began < 17


def web_app() -> QuartTrio:
    app = QuartTrio("web")

    @app.get("/hello")
    async def hello() -> str:  # pyright: ignore[reportUnusedFunction]  # the decorator uses it
        return "hello"

    @app.get("/download")
    async def download() -> AsyncGenerator[bytes]:  # pyright: ignore[reportUnusedFunction]  # the decorator uses it
        async def chunks() -> AsyncGenerator[bytes]:
            while True:
                yield bytes(65_536)

        return chunks()

    return app


async def test_the_web_framework_serves_and_its_connections_upgrade() -> None:
    async with running_edge(echo, web_app()) as edge:
        client = RawWebSocket(await edge.connect())
        status, _, body = await client.request("/hello")
        assert (status, body) == (200, b"hello")
        assert (await client.request("/nothing"))[0] == 404
        await client.open(Sec_WebSocket_Protocol="v12.stomp")
        await client.frame(TEXT, b"CONNECT")
        assert await client.read() == (TEXT, b"CONNECT")


async def test_a_connection_of_the_web_framework_ends_after_its_last_response(nursery: trio.Nursery) -> None:
    async with running_edge(echo, web_app()) as edge:
        last = RawHttp(await edge.connect())
        assert (await last.request("/hello", Connection="close"))[0] == 200
        with trio.fail_after(5):
            assert await last.at_end()
        websocket = await edge.websocket()
        kept = RawHttp(await edge.connect())
        assert (await kept.request("/hello"))[0] == 200
        nursery.start_soon(edge.server.drain, 20)
        await trio.testing.wait_all_tasks_blocked()
        status, headers, _ = await kept.request("/hello")
        assert (status, headers["connection"]) == (200, "close")
        with trio.fail_after(5):
            assert await kept.at_end()
        await websocket.stream.aclose()


async def test_an_idle_connection_of_the_web_framework_is_closed_in_time(autojump_clock: MockClock) -> None:
    async with running_edge(echo, web_app()) as edge:
        client = RawHttp(await edge.connect())
        await client.request("/hello")
        began = trio.current_time()
        with trio.fail_after(1000):
            assert await client.at_end()
        assert trio.current_time() - began == pytest.approx(75)


async def test_a_stalled_download_holds_neither_a_write_nor_the_exit(autojump_clock: MockClock) -> None:
    async with running_edge(echo, web_app()) as edge:
        dropped = RawHttp(await edge.connect())
        began = trio.current_time()
        await dropped.send(b"GET /download HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: not edge.server.connections, within=100)
        assert 30 <= trio.current_time() - began < 35
        cut = RawHttp(await edge.connect())
        await cut.send(b"GET /download HTTP/1.1\r\nHost: x\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        await edge.server.drain(7)
        assert trio.current_time() - began == pytest.approx(7)
