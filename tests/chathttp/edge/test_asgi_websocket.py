"""An upgrade on a kept-alive HTTP connection: the same sessions, through ASGI."""

import json

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from chathttp.edge.limits import EdgeLimits
from chathttp.edge.transport import ConnectionEnded, FrameTransport, HandshakeInfo
from tests.chathttp.edge.edge_kit import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Edge,
    RawWebSocket,
    client_frame,
    echo,
    running_edge,
    until,
)


async def upgraded(edge: Edge, path: str = "/ws", **headers: str) -> RawWebSocket:
    """A WebSocket on a connection that has served a request before."""
    client = RawWebSocket(await edge.connect())
    assert (await client.request("/first"))[0] == 200
    return await client.open(path, **headers)


async def test_it_works_after_a_request_on_the_same_connection() -> None:
    seen: list[HandshakeInfo] = []

    async def session(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        seen.append(handshake)
        await echo(transport, handshake)

    async with running_edge(session) as edge:
        client = await upgraded(
            edge, "/ws?a=b", Sec_WebSocket_Protocol="v11.stomp, v12.stomp", Authorization="Bearer t"
        )
        await client.frame(TEXT, "grüß dich".encode())
        assert await client.read() == (TEXT, "grüß dich".encode())
        await client.frame(BINARY, b"bytes")
        assert await client.read() == (TEXT, b"bytes")
        await client.frame(PING, b"p")
        assert await client.read() == (PONG, b"p")
        await client.frame(CLOSE, (1001).to_bytes(2, "big"))
        assert await client.close_code() == 1001
    (handshake,) = seen
    assert (handshake.path, handshake.query, handshake.subprotocol) == ("/ws", b"a=b", "v12.stomp")
    assert handshake.header(b"authorization") == b"Bearer t"
    assert handshake.peer.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/ws", {"Origin": "https://evil.example"}, 403, "FORBIDDEN"),
        ("/other", {}, 404, "NOT_FOUND"),
    ],
)
async def test_a_refused_handshake_gets_the_error_shape(
    path: str, headers: dict[str, str], status: int, code: str
) -> None:
    async with running_edge() as edge:
        client = RawWebSocket(await edge.connect())
        await client.request("/first")
        answered, fields, body = await client.handshake(path, **headers)
        assert answered == status
        assert fields["x-request-id"]
        assert json.loads(body)["errorCode"] == code


async def test_a_full_server_refuses_it() -> None:
    async with running_edge(limits=EdgeLimits(max_connections=1)) as edge:
        await edge.websocket()
        client = RawWebSocket(await edge.connect())
        await client.request("/first")
        status, headers, _ = await client.handshake()
        assert status == 503
        assert int(headers["retry-after"]) > 0


async def test_the_session_closes_with_its_code_after_what_it_offered() -> None:
    async def session(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        transport.offer(transport.frame(b"one") + transport.frame(b"two"))
        await transport.send(transport.frame(b"three"))
        transport.close(1008, "token")
        transport.offer(transport.frame(b"never"))
        with pytest.raises(ConnectionEnded) as ended:
            await transport.receive()
        assert ended.value.code == 1008

    async with running_edge(session) as edge:
        client = await upgraded(edge)
        for text in (b"one", b"two", b"three"):
            assert await client.read() == (TEXT, text)
        assert await client.read() == (CLOSE, (1008).to_bytes(2, "big") + b"token")
        await client.frame(CLOSE, (1008).to_bytes(2, "big"))
        assert await client.at_end()


async def test_close_wakes_who_waits_in_receive() -> None:
    transports: list[FrameTransport] = []

    async def session(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        transports.append(transport)
        await echo(transport, handshake)

    async with running_edge(session) as edge:
        client = await upgraded(edge)
        await trio.testing.wait_all_tasks_blocked()
        transports[0].close(1012)
        assert await client.close_code() == 1012
        await client.frame(CLOSE, (1012).to_bytes(2, "big"))
        await until(lambda: not edge.server.connections)


async def test_a_crash_of_the_session_is_1011_and_a_lost_peer_1006() -> None:
    ends: list[int] = []

    async def session(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        try:
            await transport.receive()
        except ConnectionEnded as ended:
            ends.append(ended.code)
        else:
            raise RuntimeError("a defect")

    async with running_edge(session) as edge:
        client = await upgraded(edge)
        await client.frame(TEXT, b"crash")
        assert await client.close_code() == 1011
        lost = await upgraded(edge)
        await lost.stream.aclose()
        await until(lambda: ends)
    assert ends == [1006]


@pytest.mark.parametrize("size", [1001, 200_000])
async def test_a_message_above_the_limit_is_closed_with_1009(size: int) -> None:
    async with running_edge(limits=EdgeLimits(max_frame_bytes=1000)) as edge:
        client = await upgraded(edge)
        await client.send(client_frame(TEXT, b"x" * size))
        assert await client.close_code() == 1009
        await until(lambda: not edge.server.connections)


async def test_a_client_that_stops_reading_is_closed_with_1013_and_memory_stays_bounded() -> None:
    queued: list[int] = []
    over = trio.Event()

    async def session(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        frame = transport.frame(b"x" * 50_000)
        while not transport.closed:
            transport.offer(frame)
            queued.append(transport.queued_bytes)
            await trio.lowlevel.checkpoint()
        over.set()

    async with running_edge(session, limits=EdgeLimits(outbox_limit_bytes=200_000)) as edge:
        client = await upgraded(edge)
        await over.wait()
        assert await client.close_code() == 1013
    assert max(queued) <= 200_000


async def test_drained_is_told_when_the_queue_is_empty() -> None:
    drained = trio.Event()

    async def session(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        transport.on_drained = drained.set
        while transport.offer(transport.frame(b"x" * 60_000)):
            pass
        assert transport.queued_bytes
        await drained.wait()
        assert not transport.queued_bytes

    async with running_edge(session) as edge:
        assert await (await upgraded(edge)).close_code() == 1000


async def test_pings_go_out_and_pongs_show_in_last_received(autojump_clock: MockClock) -> None:
    times: list[float] = []

    async def session(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        times.append(transport.last_received)
        transport.ping()
        await transport.receive()
        times.append(transport.last_received)

    async with running_edge(session) as edge:
        client = await upgraded(edge)
        assert await client.read() == (PING, b"")
        await trio.sleep(30)
        await client.frame(PONG)
        await client.frame(TEXT, b"done")
        assert await client.close_code() == 1000
    assert times[1] - times[0] >= 30


@pytest.mark.parametrize(("payload", "code"), [(b"", 1005), ((1001).to_bytes(2, "big"), 1001)])
async def test_the_peers_close_code_is_known_and_nothing_is_written_after_the_answer(payload: bytes, code: int) -> None:
    ends: list[ConnectionEnded] = []

    async def session(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        try:
            await transport.receive()
        except ConnectionEnded as ended:
            ends.append(ended)
            assert transport.closed
            assert not transport.offer(transport.frame(b"late"))

    async with running_edge(session) as edge:
        client = await upgraded(edge)
        await client.frame(CLOSE, payload)
        assert await client.read() == (CLOSE, payload)
        assert await client.at_end()
        await until(lambda: ends)
    assert ends[0].code == code


async def test_drain_closes_it_with_1012(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    async with running_edge() as edge:
        client = await upgraded(edge)
        nursery.start_soon(edge.server.drain, 10)
        assert await client.close_code() == 1012
        await client.frame(CLOSE, (1012).to_bytes(2, "big"))
        assert await client.at_end()
