"""HTTP through the seam: keep-alive, deadlines, bounds, and an end in good order."""

import json
from collections.abc import Callable

import pytest
import trio
import trio.testing
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from trio.testing import MockClock

from chathttp.edge.lifespan import LifespanError
from chathttp.edge.limits import EdgeLimits
from chathttp.edge.listener import open_listener
from chathttp.edge.server import EdgeServer
from tests.chathttp.edge.edge_kit import RawHttp, echo, hello_app, lifespan, respond, running_edge, until


async def test_requests_follow_one_another_on_a_connection() -> None:
    async with running_edge() as edge:
        client = RawHttp(await edge.connect())
        for path in ("/one", "/two", "/three"):
            status, headers, body = await client.request(path)
            assert (status, body) == (200, path.encode())
            assert "server" not in headers


async def test_pipelined_requests_that_came_with_the_first_head_are_served() -> None:
    async with running_edge() as edge:
        client = RawHttp(await edge.connect())
        await client.send(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.response())[2] == b"/a"
        assert (await client.response())[2] == b"/b"


async def test_a_body_that_came_with_the_head_reaches_the_application() -> None:
    async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        body = b""
        while True:
            event = await receive()
            assert event["type"] == "http.request"
            body += event["body"]
            if not event["more_body"]:
                break
        await respond(send, body[::-1])

    async with running_edge(app=app) as edge:
        client = RawHttp(await edge.connect())
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        await trio.testing.wait_all_tasks_blocked()
        await client.send(b"def")
        assert (await client.response())[2] == b"fedcba"


async def test_the_application_sees_the_raw_peer() -> None:
    seen: list[object] = []

    async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["type"] == "http":
            seen.append(scope["client"])
            await respond(send, b"")

    async with running_edge(app=app) as edge:
        stream = await edge.connect()
        await RawHttp(stream).request("/")
        assert seen == [stream.socket.getsockname()]


@pytest.mark.parametrize("upgrade", [{"Upgrade": "h2c", "HTTP2_Settings": "AAMAAABk", "Connection": "Upgrade"}])
async def test_http_2_is_not_offered(upgrade: dict[str, str]) -> None:
    async with running_edge() as edge:
        assert (await RawHttp(await edge.connect()).request("/plain", **upgrade))[0] == 200
        client = RawHttp(await edge.connect())
        await client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        first = await client.stream.receive_some()
        assert first.startswith(b"HTTP/1.1 ")


async def test_what_cannot_be_parsed_is_answered_with_400() -> None:
    async with running_edge() as edge:
        client = RawHttp(await edge.connect())
        await client.send(b"nonsense\r\n\r\n")
        assert (await client.response())[0] == 400


async def test_a_head_above_the_bound_is_answered_with_431_in_the_error_shape() -> None:
    async with running_edge(limits=EdgeLimits(max_request_head_bytes=2000)) as edge:
        client = RawHttp(await edge.connect())
        status, headers, body = await client.request("/", X_Big="x" * 2000)
        assert status == 431
        assert headers["connection"] == "close"
        assert json.loads(body)["errorCode"] == "VALIDATION_ERROR"
        second = RawHttp(await edge.connect())
        assert (await second.request("/"))[0] == 200
        assert (await second.request("/", X_Big="x" * 5000))[0] == 431


async def test_a_crash_in_the_application_is_a_500_and_touches_no_other() -> None:
    async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http" and scope["path"] == "/crash":
            raise RuntimeError("a defect")
        await hello_app(scope, receive, send)

    async with running_edge(app=app) as edge:
        good, bad = RawHttp(await edge.connect()), RawHttp(await edge.connect())
        assert (await bad.request("/crash"))[0] == 500
        assert (await good.request("/fine"))[0] == 200


async def test_a_silent_connection_is_closed_at_the_head_timeout(autojump_clock: MockClock) -> None:
    async with running_edge() as edge:
        client = RawHttp(await edge.connect())
        began = trio.current_time()
        assert await client.at_end()
        assert trio.current_time() - began == pytest.approx(10)


async def test_an_idle_connection_is_closed_at_the_keep_alive_timeout(autojump_clock: MockClock) -> None:
    async with running_edge() as edge:
        client = RawHttp(await edge.connect())
        await client.request("/")
        began = trio.current_time()
        assert await client.at_end()
        assert trio.current_time() - began == pytest.approx(75)


async def test_a_client_that_leaves_after_a_pause_is_let_go_at_once() -> None:
    async with running_edge() as edge:
        client = RawHttp(await edge.connect())
        await client.request("/")
        await trio.testing.wait_all_tasks_blocked()
        assert edge.server.connections == 1
        await client.stream.aclose()
        await until(lambda: edge.server.connections == 0)


async def test_the_head_of_a_later_request_has_a_deadline_too(autojump_clock: MockClock) -> None:
    async with running_edge() as edge:
        client = RawHttp(await edge.connect())
        await client.request("/")
        await trio.sleep(30)
        began = trio.current_time()

        async def trickle() -> None:
            for byte in b"GET / HTTP/1.1\r\nHost: a.very.slow.client\r\n":
                await client.send(bytes([byte]))
                await trio.sleep(1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trickle)
            assert await client.at_end()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - began == pytest.approx(10, abs=1)


async def test_a_later_head_that_comes_in_time_is_served(autojump_clock: MockClock) -> None:
    async with running_edge() as edge:
        client = RawHttp(await edge.connect())
        for _ in range(3):
            await client.send(b"GET /slow HTTP/1.1\r\n")
            await trio.sleep(9)
            await client.send(b"Host: x\r\n\r\n")
            assert (await client.response())[2] == b"/slow"
            await trio.sleep(30)


class Endless:
    """An application whose response does not end before its client does."""

    def __init__(self) -> None:
        self.sent = 0

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._respond, send)
            while (await receive())["type"] != "http.disconnect":
                pass
            nursery.cancel_scope.cancel()

    async def _respond(self, send: ASGISendCallable) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": False})
        while True:
            await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
            self.sent += 65_536


async def test_a_stalled_download_is_dropped_at_the_write_timeout(autojump_clock: MockClock) -> None:
    app = Endless()
    async with running_edge(app=app) as edge:
        client = RawHttp(await edge.connect())
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        began = trio.current_time()
        await until(lambda: not edge.server.connections, within=1000)
        assert 30 <= trio.current_time() - began <= 33


@pytest.mark.parametrize("how", ["drain", "cancel"])
async def test_a_stalled_download_does_not_hold_the_exit(how: str, autojump_clock: MockClock) -> None:
    app = Endless()
    async with running_edge(app=app) as edge:
        client = RawHttp(await edge.connect())
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked()
        assert app.sent
        began = trio.current_time()
        if how == "drain":
            await edge.server.drain(5)
            assert trio.current_time() - began == pytest.approx(5)
    assert trio.current_time() - began <= 5.001


class Slow:
    """An application that answers after `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.begun = trio.Event()

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        self.begun.set()
        await trio.sleep(self.seconds)
        await respond(send, b"done")


async def test_drain_lets_a_request_in_flight_finish_and_ends_idle_connections_at_once(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    app = Slow(3)
    async with running_edge(app=app) as edge:
        idle, silent, busy = [RawHttp(await edge.connect()) for _ in range(3)]
        await idle.request("/")
        app.begun = trio.Event()
        await busy.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await app.begun.wait()
        began = trio.current_time()
        nursery.start_soon(edge.server.drain, 20)
        assert await idle.at_end()
        assert await silent.at_end()
        assert trio.current_time() - began < 1
        assert (await busy.response())[2] == b"done"
        assert await busy.at_end()
        assert trio.current_time() - began == pytest.approx(3)
        with pytest.raises(OSError):
            await edge.connect()


async def test_drain_cuts_off_what_is_not_done_in_time(autojump_clock: MockClock) -> None:
    app = Slow(1000)
    async with running_edge(app=app) as edge:
        client = RawHttp(await edge.connect())
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await app.begun.wait()
        began = trio.current_time()
        await edge.server.drain(20)
        assert trio.current_time() - began == pytest.approx(20)
        assert await client.at_end()


async def test_the_application_is_started_before_and_stopped_after_serving() -> None:
    steps: list[str] = []

    async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            steps.append((await receive())["type"])
            await send({"type": "lifespan.startup.complete"})
            steps.append((await receive())["type"])
            await send({"type": "lifespan.shutdown.complete"})
        else:
            steps.append("request")
            await respond(send, b"")

    async with running_edge(app=app) as edge:
        await RawHttp(await edge.connect()).request("/")
        await edge.server.drain(0)
    assert steps == ["lifespan.startup", "request", "lifespan.shutdown"]


async def _fails(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


async def _returns(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    await receive()


@pytest.mark.parametrize("app", [_fails, _returns])
async def test_an_application_that_cannot_start_stops_the_edge(app: Callable[..., object]) -> None:
    listener = open_listener("127.0.0.1", 0)
    edge = EdgeServer([listener], app, echo)  # pyright: ignore[reportArgumentType]  # parametrised
    with pytest.RaisesGroup(LifespanError, flatten_subgroups=True):
        await edge.run()
    assert listener.fileno() == -1
