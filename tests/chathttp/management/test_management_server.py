"""The management port: what it answers, to whom, and that nobody holds up its end."""

import errno
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio

from chathttp.management.server import CONNECTIONS, ManagementOptions, ManagementServer
from tests.chathttp.edge.edge_kit import RawHttp
from tests.kit.console import PlantedNode


@asynccontextmanager
async def running() -> AsyncGenerator[ManagementServer]:
    node = PlantedNode()
    server = ManagementServer(ManagementOptions(), lambda: node, node.drain)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield server
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def connected(server: ManagementServer) -> AsyncGenerator[RawHttp]:
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        yield RawHttp(stream)


async def request(client: RawHttp, path: str) -> tuple[int, dict[str, str], bytes]:
    await client.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return await client.response()


async def test_metrics_are_served_as_text_each_time_on_a_connection_of_its_own() -> None:
    async with running() as server:
        for _ in range(2):
            async with connected(server) as client:
                status, headers, body = await request(client, "/metrics")
                assert status == 200
                assert headers["content-type"].startswith("text/plain; version=")
                assert b"\nstackmentor_connections 9.0\n" in body
                assert await client.at_end()


@pytest.mark.parametrize("path", ["/web", "/metrics/", "/api/users/me", "/ws"])
async def test_other_paths_do_not_exist(path: str) -> None:
    async with running() as server, connected(server) as client:
        status, headers, body = await request(client, path)
        assert (status, headers["content-type"]) == (404, "application/json")
        assert json.loads(body) == {"errorCode": "NOT_FOUND", "message": "The path does not exist", "details": None}


async def test_only_reading_is_allowed() -> None:
    async with running() as server, connected(server) as client:
        await client.send(b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        status, headers, body = await client.response()
        assert (status, headers["allow"]) == (405, "GET, HEAD")
        assert json.loads(body)["errorCode"] == "METHOD_NOT_ALLOWED"


async def test_it_listens_on_loopback_only() -> None:
    async with running() as server:
        with pytest.raises(OSError):
            # Any other address of this machine; 127.0.0.2 is one on Linux.
            await trio.open_tcp_stream("127.0.0.2", server.port)


async def test_taken_port_is_an_error_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError) as raised:
        ManagementServer(ManagementOptions(port=taken.getsockname()[1]), PlantedNode, lambda: None)
    assert raised.value.errno == errno.EADDRINUSE


async def test_it_serves_on_the_same_port_when_it_is_run_again() -> None:
    async with running() as server:
        port = server.port
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        async with connected(server) as client:
            assert (await request(client, "/metrics"))[0] == 200
        assert server.port == port
        nursery.cancel_scope.cancel()


async def test_two_in_one_process_do_not_clash() -> None:
    async with running() as one, running() as two:
        assert one.port != two.port
        for server in (one, two):
            async with connected(server) as client:
                assert (await request(client, "/metrics"))[0] == 200


async def test_head_is_answered_without_the_page() -> None:
    async with running() as server, connected(server) as client:
        await client.send(b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while b"\r\n\r\n" not in client.buffer:
            await client.fill()
        assert client.buffer.startswith(b"HTTP/1.1 200 ")
        assert client.buffer.endswith(b"\r\n\r\n")


async def test_clients_that_are_stuck_do_not_hold_up_the_end() -> None:
    with trio.fail_after(5):
        async with running() as server, connected(server) as half, connected(server) as deaf, connected(server):
            await half.send(b"GET /metrics HTTP/1.1\r\nHost:")
            await deaf.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")


async def test_connections_above_the_limit_wait_for_one_to_end() -> None:
    async with running() as server:
        held = [await trio.open_tcp_stream("127.0.0.1", server.port) for _ in range(CONNECTIONS)]
        async with connected(server) as late:
            with trio.move_on_after(0.2) as waited:
                await request(late, "/metrics")
            assert waited.cancelled_caught
            await held.pop().aclose()
            with trio.fail_after(10):
                assert (await late.response())[0] == 200
        for stream in held:
            await stream.aclose()
