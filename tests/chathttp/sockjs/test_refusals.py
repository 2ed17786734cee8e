"""Whom a session belongs to, what is refused, and what ends it, over real requests."""

import gc
import json
import weakref

import pytest
import trio
import trio.testing

from chathttp.edge.limits import EdgeLimits
from chathttp.edge.transport import FrameTransport, HandshakeInfo
from chathttp.settings import Settings
from chathttp.sockjs.limits import SockjsLimits
from tests.chathttp.edge.edge_kit import TEXT, Edge, until
from tests.chathttp.sockjs.sockjs_kit import Answer, Browser, Polls, echo, running_sockjs

SESSION = "/ws/000/abcdefgh"
ORIGIN = "https://app.example.com"
STREAM_OPENS = b"h" * 2048 + b"\no\n"


async def stream(edge: Edge, **headers: str) -> Answer:
    """A streaming session that has just been opened."""
    answer = await Browser(edge).ask("POST", f"{SESSION}/xhr_streaming", **headers)
    assert answer.status == 200
    assert await answer.piece() + await answer.piece() == STREAM_OPENS
    return answer


async def refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, json.loads(await answer.rest())["errorCode"]


async def test_the_first_answer_gives_a_cookie_that_nobody_guesses_and_keeps_one_that_is_there() -> None:
    async with running_sockjs() as edge:
        given = {(await Browser(edge).ask("GET", "/ws/info")).headers["set-cookie"] for _ in range(2)}
        assert len(given) == 2
        for cookie in given:
            value, *attributes = cookie.split("; ")
            assert len(value.removeprefix("JSESSIONID=")) >= 22
            assert attributes == ["Path=/", "HttpOnly", "SameSite=Lax"]
        again = await Browser(edge).ask("POST", f"{SESSION}/xhr", Cookie="JSESSIONID=node-7.abc")
        assert again.headers["set-cookie"].startswith("JSESSIONID=node-7.abc; ")


async def test_behind_tls_the_cookie_is_for_other_sites_pages_too() -> None:
    async with running_sockjs() as edge:
        answer = await Browser(edge).ask("GET", "/ws/info", X_Forwarded_Proto="https")
        assert answer.headers["set-cookie"].endswith("; Path=/; HttpOnly; Secure; SameSite=None")


@pytest.mark.parametrize("cookie", ["", "JSESSIONID=somebody-else"])
async def test_who_has_not_the_openers_cookie_neither_sends_nor_receives(cookie: str) -> None:
    async with running_sockjs() as edge:
        browser, mine = Browser(edge), "JSESSIONID=mine"
        assert await browser.text("POST", f"{SESSION}/xhr", Cookie=mine) == (200, "o\n")
        for path in ("xhr_send", "xhr", "xhr_streaming"):
            answer = await browser.ask("POST", f"{SESSION}/{path}", b'["x"]', Cookie=cookie)
            assert await refusal(answer) == (404, "NOT_FOUND")
        assert await refusal(await browser.ask("GET", f"{SESSION}/eventsource", Cookie=cookie)) == (404, "NOT_FOUND")
        assert (await browser.text("POST", f"{SESSION}/xhr_send", b'["a"]', Cookie=mine))[0] == 204
        assert await browser.text("POST", f"{SESSION}/xhr", Cookie=mine) == (200, 'a["a"]\n')


async def test_an_id_that_could_be_guessed_opens_nothing() -> None:
    async with running_sockjs() as edge:
        for session in ("abcdefg", "a" * 129):
            assert (await Browser(edge).text("POST", f"/ws/000/{session}/xhr"))[0] == 404
        assert edge.server.sessions == 0


async def test_asking_for_the_head_of_an_event_stream_opens_nothing() -> None:
    async with running_sockjs() as edge:
        assert (await Browser(edge).ask("HEAD", f"{SESSION}/eventsource")).status == 200
        assert edge.server.sessions == 0


@pytest.mark.parametrize("path", ["xhr", "xhr_streaming", "xhr_send", "eventsource"])
async def test_a_page_of_another_origin_may_neither_open_nor_send(path: str) -> None:
    async with running_sockjs(settings=Settings(cors_origins=(ORIGIN,))) as edge:
        method = "GET" if path == "eventsource" else "POST"
        asked = await Browser(edge).ask(method, f"{SESSION}/{path}", b"", Origin="https://evil.example.com")
        assert "access-control-allow-origin" not in asked.headers
        assert await refusal(asked) == (403, "FORBIDDEN")
        assert edge.server.sessions == 0


async def test_a_storm_of_sessions_is_let_in_no_faster_than_websockets() -> None:
    async with running_sockjs(limits=EdgeLimits(connect_rate=0.001, connect_burst=2)) as edge:
        await stream(edge)
        await edge.websocket()
        answer = await Browser(edge).ask("POST", "/ws/000/another1/xhr")
        assert int(answer.headers["retry-after"]) >= 1
        assert await refusal(answer) == (503, "OVERLOADED")
        assert edge.server.refused == 1
        assert await Polls(Browser(edge)).send('["the first goes on"]') == 204


async def test_sessions_without_a_connection_count_as_connections() -> None:
    async with running_sockjs(limits=EdgeLimits(max_connections=2)) as edge:
        for number in range(2):
            await Polls(Browser(edge), f"/ws/000/session{number}").open()
        assert await refusal(await Browser(edge).ask("POST", "/ws/000/another1/xhr")) == (503, "OVERLOADED")
        assert edge.server.sessions_by_transport["xhr"] == 2


async def test_sessions_are_counted_by_transport_until_they_are_over() -> None:
    async with running_sockjs(sockjs=SockjsLimits(disconnect_delay=0.2)) as edge:
        one, _ = await stream(edge), await edge.websocket("/ws/000/whatever/websocket")
        plain = await edge.websocket()
        counts = edge.server.sessions_by_transport
        assert dict(counts) == {"xhr_streaming": 1, "sockjs websocket": 1, "websocket": 1}
        await one.aclose()
        await plain.stream.aclose()
        await until(lambda: (counts["xhr_streaming"], counts["websocket"]) == (0, 0))


async def test_a_client_that_stays_away_loses_its_session() -> None:
    async with running_sockjs(sockjs=SockjsLimits(disconnect_delay=0.2)) as edge:
        polls = await Polls(Browser(edge)).open()
        await until(lambda: edge.server.sessions == 0)
        assert await polls.send('["x"]') == 404
        assert await polls.receive() == "o\n"


async def test_a_silent_stream_has_heartbeats() -> None:
    async with running_sockjs(sockjs=SockjsLimits(heartbeat=0.05)) as edge:
        answer = await stream(edge)
        assert [await answer.piece() for _ in range(3)] == [b"h\n"] * 3
        socket = await edge.websocket("/ws/000/whatever/websocket")
        assert [await socket.read() for _ in range(3)] == [(TEXT, b"o"), (TEXT, b"h"), (TEXT, b"h")]


async def test_a_message_above_the_limit_is_closed_with_1009() -> None:
    async with running_sockjs(sockjs=SockjsLimits(max_frame_bytes=100)) as edge:
        answer = await stream(edge)
        assert await Polls(Browser(edge)).send('["%s"]' % ("x" * 101)) == 204
        assert await answer.rest() == b'c[1009,"a message may have 100 bytes"]\n'
        socket = await edge.websocket("/ws/000/whatever/websocket")
        await socket.frame(TEXT, b'["%s"]' % (b"x" * 101))
        assert await socket.close_code() == 1009


async def test_a_stream_that_is_not_read_is_closed_with_1013_and_holds_up_nobody() -> None:
    limits = SockjsLimits(outbox_limit_bytes=100_000, response_bytes=10**8)
    async with running_sockjs(sockjs=limits, send_buffer=4096) as edge:
        slow, polls = await stream(edge), Polls(Browser(edge))
        for _ in range(200):
            if await polls.send('["flood:90000"]') != 204:
                break
            await trio.testing.wait_all_tasks_blocked()
        other = await Polls(Browser(edge), "/ws/000/another1").open()
        assert await other.send('["a"]') == 204
        assert await other.receive() == 'a["a"]\n'
        with trio.fail_after(20):
            text = await slow.rest()
        assert text.endswith(b'c[1013,"reads too slowly"]\n')


async def test_a_drain_tells_every_client_and_opens_no_more_sessions(nursery: trio.Nursery) -> None:
    async with running_sockjs() as edge:
        one = await stream(edge)
        polls = await Polls(Browser(edge), "/ws/000/another1").open()
        socket = await edge.websocket("/ws/000/whatever/websocket")
        assert await socket.read() == (TEXT, b"o")
        kept = await edge.connect()
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(edge.server.drain, 3)
        with trio.fail_after(20):
            assert await one.rest() == b'c[1012,"the server restarts"]\n'
            assert await socket.read() == (TEXT, b'c[1012,"the server restarts"]')
            assert await socket.close_code() == 1012
            refused = await Browser(edge).ask("POST", "/ws/000/toolate1/xhr")
            assert await refusal(refused) == (503, "UNAVAILABLE")
            said = await polls.receive()
        assert said == 'c[1012,"the server restarts"]\n'
        await kept.aclose()
        await socket.stream.aclose()


async def test_a_stream_outlives_what_an_idle_connection_may_have() -> None:
    limits = EdgeLimits(keep_alive_timeout=0.1, request_head_timeout=0.1, sockjs=SockjsLimits(heartbeat=0.05))
    async with running_sockjs(sockjs=limits.sockjs, limits=limits) as edge:
        answer = await stream(edge)
        assert [await answer.piece() for _ in range(10)] == [b"h\n"] * 10


async def test_a_session_that_is_over_is_freed_without_the_collector() -> None:
    seen: list[weakref.ref[FrameTransport]] = []

    async def remember(transport: FrameTransport, handshake: HandshakeInfo) -> None:
        seen.append(weakref.ref(transport))
        transport.on_drained = transport.ping
        await echo(transport, handshake)

    gc.disable()
    try:
        async with running_sockjs(remember, sockjs=SockjsLimits(disconnect_delay=0.1)) as edge:
            polls = await Polls(Browser(edge)).open()
            assert await polls.send('["a"]') == 204
            assert await polls.receive() == 'a["a"]\n'
            await until(lambda: seen[0]() is None)
    finally:
        gc.enable()
