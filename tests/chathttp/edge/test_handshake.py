"""The opening handshake: what is agreed, what is refused and how, and a server that is full."""

import json

import pytest
import trio

from chathttp.edge.limits import EdgeLimits
from chathttp.edge.transport import FrameTransport, HandshakeInfo
from tests.chathttp.edge.edge_kit import TEXT, RawWebSocket, client_frame, running_edge


@pytest.mark.contract("subprotocols v12.stomp, v11.stomp, v10.stomp")
@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        ("v10.stomp, v11.stomp, v12.stomp", "v12.stomp"),
        ("v11.stomp,v10.stomp", "v11.stomp"),
        ("v10.stomp", "v10.stomp"),
        ("other", None),
    ],
)
async def test_the_best_common_subprotocol_is_agreed(offer: str, agreed: str | None) -> None:
    async with running_edge() as edge:
        client = RawWebSocket(await edge.connect())
        status, headers, _ = await client.handshake(Sec_WebSocket_Protocol=offer)
        assert status == 101
        assert headers.get("sec-websocket-protocol") == agreed


async def test_compression_is_not_agreed() -> None:
    async with running_edge() as edge:
        client = RawWebSocket(await edge.connect())
        status, headers, _ = await client.handshake(Sec_WebSocket_Extensions="permessage-deflate")
        assert status == 101
        assert "sec-websocket-extensions" not in headers


async def test_the_session_sees_the_handshake() -> None:
    seen: list[HandshakeInfo] = []

    async def session(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        seen.append(handshake)

    async with running_edge(session) as edge:
        client = await edge.websocket("/ws?access_token=a%20b", Authorization="Bearer t", X_Thing="1")
        assert await client.close_code() == 1000
    (handshake,) = seen
    assert handshake.path == "/ws"
    assert handshake.query == b"access_token=a%20b"
    assert handshake.header(b"authorization") == b"Bearer t"
    assert handshake.header(b"x-thing") == b"1"
    assert handshake.header(b"x-other") is None
    assert handshake.peer.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Origin": "https://evil.example"}, 403, "FORBIDDEN"),
        ({"Origin": "null"}, 403, "FORBIDDEN"),
        ({"Origin": "http://chat.test:81"}, 403, "FORBIDDEN"),
        ({"Sec_WebSocket_Version": "8"}, 426, "VALIDATION_ERROR"),
        ({"Sec_WebSocket_Key": "short"}, 400, "VALIDATION_ERROR"),
    ],
)
async def test_a_refused_handshake_gets_the_error_shape(headers: dict[str, str], status: int, code: str) -> None:
    async with running_edge() as edge:
        client = RawWebSocket(await edge.connect())
        answered, fields, body = await client.handshake(**headers, X_Request_ID="my-id")
        assert answered == status
        assert fields["content-type"] == "application/json"
        assert fields["x-request-id"] == "my-id"
        assert fields["x-content-type-options"] == "nosniff"
        error = json.loads(body)
        assert error["errorCode"] == code
        assert set(error) == {"errorCode", "message", "details"}
        assert await client.at_end()


@pytest.mark.contract("header Origin")
@pytest.mark.parametrize(
    "origin", ["http://chat.test", "https://chat.test", "https://chat.test:443", "https://App.Example"]
)
async def test_own_and_configured_origins_may_connect(origin: str) -> None:
    async with running_edge(allowed_origins=["https://app.example"]) as edge:
        await edge.websocket(Origin=origin)


async def test_frames_before_the_handshakes_answer_are_refused() -> None:
    async with running_edge() as edge:
        client = RawWebSocket(await edge.connect())
        head = (
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        await client.send(head + client_frame(TEXT, b"early"))
        assert (await client.response())[0] == 400


async def test_a_full_server_refuses_websockets_and_still_serves_http() -> None:
    async with running_edge(limits=EdgeLimits(max_connections=1)) as edge:
        first = await edge.websocket()
        second = RawWebSocket(await edge.connect())
        status, headers, body = await second.handshake()
        assert status == 503
        assert int(headers["retry-after"]) > 0
        assert json.loads(body)["errorCode"] == "OVERLOADED"
        third = RawWebSocket(await edge.connect())
        assert (await third.request("/health"))[0] == 200
        await first.frame(TEXT, b"still here")
        assert await first.read() == (TEXT, b"still here")


async def test_beyond_the_reserve_connections_wait_until_one_ends() -> None:
    async with running_edge(limits=EdgeLimits(max_connections=1, http_reserve=0)) as edge:
        first = await edge.websocket()
        second = RawWebSocket(await edge.connect())
        with trio.move_on_after(0.2) as waited:
            await second.handshake()
        assert waited.cancelled_caught
        await first.stream.aclose()
        assert (await second.response())[0] == 101
