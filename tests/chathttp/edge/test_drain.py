"""The way to the end: HTTP is served until the last socket has gone, and nothing that connected is reset."""

import json
import socket

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from chathttp.edge.limits import EdgeLimits
from chathttp.edge.listener import SETTLE, accept_last, open_listener, refuse_handshakes
from chathttp.edge.server import LAST_SECONDS
from chathttp.edge.transport import Peer
from tests.chathttp.edge.edge_kit import CLOSE, RawHttp, RawWebSocket, running_edge, until


async def _answer_close(client: RawWebSocket) -> int:
    code = await client.close_code()
    await client.frame(CLOSE, code.to_bytes(2, "big"))
    assert await client.at_end()
    await client.stream.aclose()
    return code


async def test_http_is_served_until_the_last_websocket_has_gone_and_each_connection_ends_with_its_response(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async with running_edge() as edge:
        websocket = await edge.websocket()
        kept = RawHttp(await edge.connect())
        assert "connection" not in (await kept.request("/before"))[1]
        nursery.start_soon(edge.server.drain, 20)
        await trio.testing.wait_all_tasks_blocked()
        status, headers, body = await kept.request("/while")
        assert (status, headers["connection"], body) == (200, "close", b"/while")
        assert await kept.at_end()
        new = RawHttp(await edge.connect())
        status, headers, body = await new.request("/new")
        assert (status, headers["connection"], body) == (200, "close", b"/new")
        assert await new.at_end()
        assert await _answer_close(websocket) == 1012
        await until(lambda: edge.server.connections == 0)
        await trio.sleep(SETTLE + 0.1)
        with pytest.raises(OSError):
            await edge.connect()


@pytest.mark.parametrize("first", ["an upgrade", "a request"])
async def test_an_upgrade_is_refused_with_503_and_a_time_to_come_back(first: str, nursery: trio.Nursery) -> None:
    async with running_edge() as edge:
        open_one = await edge.websocket()
        client = RawWebSocket(await edge.connect())
        if first == "a request":
            assert (await client.request("/"))[0] == 200
        nursery.start_soon(edge.server.drain, 20)
        await trio.testing.wait_all_tasks_blocked()
        status, headers, body = await client.handshake()
        assert (status, json.loads(body)["errorCode"]) == (503, "UNAVAILABLE")
        assert 1 <= int(headers["retry-after"]) <= 5
        fallback = RawHttp(await edge.connect())
        status, headers, body = await fallback.request("/ws/info")
        assert (status, json.loads(body)["errorCode"]) == (503, "UNAVAILABLE")
        assert 1 <= int(headers["retry-after"]) <= 5
        await open_one.stream.aclose()


async def test_with_nobody_connected_it_ends_at_once(autojump_clock: MockClock) -> None:
    async with running_edge() as edge:
        began = trio.current_time()
        await edge.server.drain(20)
        assert trio.current_time() - began <= SETTLE + 0.01


@pytest.mark.parametrize("seconds", [0, 20])
async def test_who_waited_to_be_accepted_is_answered(seconds: float, nursery: trio.Nursery) -> None:
    async with running_edge(limits=EdgeLimits(max_connections=1, http_reserve=0)) as edge:
        holder = RawHttp(await edge.connect())
        assert (await holder.request("/first"))[0] == 200
        waiting = [RawHttp(await edge.connect()) for _ in range(20)]
        upgrade = RawWebSocket(await edge.connect())
        for number, client in enumerate(waiting):
            await client.send(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
        nursery.start_soon(edge.server.drain, seconds)
        for number, client in enumerate(waiting):
            status, headers, body = await client.response()
            assert (status, headers["connection"], body) == (200, "close", b"/%d" % number)
            assert await client.at_end()
        assert (await upgrade.handshake())[0] == 503


async def test_what_is_accepted_last_and_says_nothing_is_not_waited_for_long(autojump_clock: MockClock) -> None:
    async with running_edge() as edge:
        silent = RawHttp(await edge.connect())
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(edge.server.drain, 20)
            assert await silent.at_end()
            assert trio.current_time() - began == pytest.approx(SETTLE + LAST_SECONDS, abs=0.01)


async def test_the_last_are_accepted_and_no_handshake_begins_meanwhile() -> None:
    with open_listener("127.0.0.1", 0) as listener:
        address = listener.getsockname()
        before = [socket.create_connection(address) for _ in range(50)]
        refuse_handshakes(listener)
        with socket.socket() as late:
            late.setblocking(False)
            assert late.connect_ex(address) != 0
            accepted: list[Peer] = []

            def start(sock: socket.socket, peer: Peer) -> None:
                sock.close()
                accepted.append(peer)

            await accept_last(listener, start)
            assert accepted == [Peer(*client.getsockname()) for client in before]
            listener.close()
            for client in before:
                client.settimeout(5)
                assert client.recv(1) == b"", "reset"
                client.close()
            with pytest.raises(OSError):
                late.getpeername()
