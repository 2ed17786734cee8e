"""The tests that the SockJS project has for servers (sockjs-protocol 0.3.3), as far as our endpoints go.

Each class is named as there. What we knowingly do otherwise is in `test_refusals.py`.
"""

import json

import pytest
import trio

from chathttp.settings import Settings
from chathttp.sockjs.limits import SockjsLimits
from tests.chathttp.edge.edge_kit import CLOSE, TEXT, RawWebSocket
from tests.chathttp.sockjs.sockjs_kit import Browser, Polls, close_at_once, running_sockjs

ORIGIN = "https://app.example.com"
SESSION = "/ws/000/abcdefgh"


class TestBaseUrlGreeting:
    async def test_greeting(self) -> None:
        async with running_sockjs() as edge:
            for path in ("/ws", "/ws/"):
                answer = await Browser(edge).ask("GET", path)
                assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=UTF-8")
                assert await answer.rest() == b"Welcome to SockJS!\n"

    @pytest.mark.parametrize("path", ["/a", "/a.html", "//", "///", "/a/a", "/a/a/", "/a/", "/iframe.html"])
    async def test_not_found(self, path: str) -> None:
        async with running_sockjs() as edge:
            assert (await Browser(edge).text("GET", f"/ws{path}"))[0] == 404


@pytest.mark.contract("SockJS /ws/info")
class TestInfo:
    async def test_basic(self) -> None:
        async with running_sockjs() as edge:
            answer = await Browser(edge).ask("GET", "/ws/info")
            assert answer.status == 200
            assert "no-store" in answer.headers["cache-control"]
            info = json.loads(await answer.rest())
            assert info["websocket"] is True
            assert info["cookie_needed"] is True
            assert info["origins"] == ["*:*"]

    async def test_entropy(self) -> None:
        async with running_sockjs() as edge:
            drawn = {json.loads((await Browser(edge).text("GET", "/ws/info"))[1])["entropy"] for _ in range(3)}
            assert len(drawn) == 3
            assert all(0 <= number < 2**32 for number in drawn)

    async def test_options(self) -> None:
        async with running_sockjs(settings=Settings(cors_origins=(ORIGIN,))) as edge:
            asked = {"Origin": ORIGIN, "Access_Control_Request_Method": "POST"}
            for path, method in [("/ws/info", "GET"), (f"{SESSION}/xhr", "POST"), (f"{SESSION}/xhr_send", "POST")]:
                answer = await Browser(edge).ask("OPTIONS", path, **asked)
                assert answer.status == 204
                assert answer.headers["access-control-allow-origin"] == ORIGIN
                assert answer.headers["access-control-allow-credentials"] == "true"
                assert method in answer.headers["access-control-allow-methods"]


class TestSessionURLs:
    @pytest.mark.parametrize("path", ["/a/abcdefgh", "/_/________", "/1/11111111", "/abcdefgh_i-j%20/abcdefg_i-j%20"])
    async def test_any_value(self, path: str) -> None:
        async with running_sockjs() as edge:
            assert await Browser(edge).text("POST", f"/ws{path}/xhr") == (200, "o\n")

    @pytest.mark.parametrize("path", ["", "/", "/a.a/abcdefgh", "/a/abcdefgh.a", "/./.", "//", "///", "//abcdefgh"])
    async def test_invalid_paths(self, path: str) -> None:
        async with running_sockjs() as edge:
            for end in ("/xhr", "/xhr_send"):
                status, _ = await Browser(edge).text("POST", f"/ws{path}{end}")
                assert status in (404, 405)

    async def test_ignoring_server_id(self) -> None:
        async with running_sockjs() as edge:
            browser = Browser(edge)
            await Polls(browser, "/ws/000/abcdefgh").open()
            other = Polls(browser, "/ws/999/abcdefgh")
            assert await other.send('["a"]') == 204
            assert await other.receive() == 'a["a"]\n'


class TestProtocol:
    async def test_simple_session(self) -> None:
        async with running_sockjs() as edge:
            browser = Browser(edge)
            polls = await Polls(browser).open()
            assert await polls.send('["a"]') == 204
            assert await polls.receive() == 'a["a"]\n'
            status, text = await browser.text("POST", "/ws/000/bad-session/xhr_send", b'["a"]')
            assert (status, json.loads(text)["errorCode"]) == (404, "NOT_FOUND")
            assert (await browser.text("POST", f"{SESSION}/xhr_send/"))[0] == 404

    async def test_close_session(self) -> None:
        async with running_sockjs(close_at_once) as edge:
            polls = await Polls(Browser(edge)).open()
            for _ in range(3):
                assert await polls.receive() == 'c[3000,"Go away!"]\n'


class TestWebsocketHttpErrors:
    async def test_http_method(self) -> None:
        async with running_sockjs() as edge:
            status, text = await Browser(edge).text("GET", f"{SESSION}/websocket")
            assert (status, json.loads(text)["message"]) == (400, 'Can "Upgrade" only to "WebSocket".')

    async def test_invalid_method(self) -> None:
        async with running_sockjs() as edge:
            answer = await Browser(edge).ask("POST", f"{SESSION}/websocket")
            assert (answer.status, "GET" in answer.headers["allow"]) == (405, True)


@pytest.fixture(params=["a connection of its own", "a kept-alive connection"])
def first(request: pytest.FixtureRequest) -> str:
    """What the WebSocket's connection was used for before."""
    return str(request.param)


@pytest.mark.contract("SockJS websocket")
class TestWebsocketHybi10:
    async def _open(self, socket: RawWebSocket, first: str) -> RawWebSocket:
        if first == "a kept-alive connection":
            assert (await socket.request("/ws/info"))[0] == 200
        return await socket.open(f"{SESSION}/websocket")

    async def test_transport(self, first: str) -> None:
        async with running_sockjs() as edge:
            socket = await self._open(RawWebSocket(await edge.connect()), first)
            assert await socket.read() == (TEXT, b"o")
            await socket.frame(TEXT, '["ä\\n\\u0000", "b"]'.encode())
            assert await socket.read() == (TEXT, 'a["ä\\n\\u0000"]'.encode())
            assert await socket.read() == (TEXT, b'a["b"]')

    async def test_close(self, first: str) -> None:
        async with running_sockjs(close_at_once) as edge:
            socket = await self._open(RawWebSocket(await edge.connect()), first)
            assert await socket.read() == (TEXT, b"o")
            assert await socket.read() == (TEXT, b'c[3000,"Go away!"]')
            opcode, payload = await socket.read()
            assert (opcode, payload[:2]) == (CLOSE, (3000).to_bytes(2, "big"))

    async def test_empty_frame(self, first: str) -> None:
        async with running_sockjs() as edge:
            socket = await self._open(RawWebSocket(await edge.connect()), first)
            await socket.read()
            await socket.frame(TEXT, b"")
            await socket.frame(TEXT, b"[]")
            await socket.frame(TEXT, b'["a"]')
            assert await socket.read() == (TEXT, b'a["a"]')

    async def test_reuse_session_id(self, first: str) -> None:
        async with running_sockjs() as edge:
            for _ in range(2):
                socket = await self._open(RawWebSocket(await edge.connect()), first)
                assert await socket.read() == (TEXT, b"o")
                await socket.frame(TEXT, b'["a"]')
                assert await socket.read() == (TEXT, b'a["a"]')

    async def test_broken_json(self, first: str) -> None:
        async with running_sockjs() as edge:
            socket = await self._open(RawWebSocket(await edge.connect()), first)
            await socket.read()
            await socket.frame(TEXT, b'["a')
            assert await socket.read() == (TEXT, b'c[1002,"Broken JSON encoding"]')
            opcode, payload = await socket.read()
            assert (opcode, payload[:2]) == (CLOSE, (1002).to_bytes(2, "big"))

    async def test_firefox_602_connection_header(self) -> None:
        async with running_sockjs() as edge:
            socket = RawWebSocket(await edge.connect())
            await socket.open(f"{SESSION}/websocket", Connection="keep-alive, Upgrade")
            assert await socket.read() == (TEXT, b"o")


@pytest.mark.contract("SockJS xhr-polling")
class TestXhrPolling:
    async def test_transport(self) -> None:
        async with running_sockjs(settings=Settings(cors_origins=(ORIGIN,))) as edge:
            answer = await Browser(edge).ask("POST", f"{SESSION}/xhr", Origin=ORIGIN)
            assert (answer.status, await answer.rest()) == (200, b"o\n")
            assert answer.headers["content-type"] == "application/javascript; charset=UTF-8"
            assert answer.headers["access-control-allow-origin"] == ORIGIN
            assert "no-store" in answer.headers["cache-control"]
            sent = await Browser(edge).ask("POST", f"{SESSION}/xhr_send", b'["x"]', Origin=ORIGIN)
            assert (sent.status, sent.headers["content-type"]) == (204, "text/plain; charset=UTF-8")
            assert await Polls(Browser(edge)).receive() == 'a["x"]\n'

    @pytest.mark.parametrize("body", ['["x', "", '"x"'])
    async def test_invalid_json(self, body: str) -> None:
        async with running_sockjs() as edge:
            polls = await Polls(Browser(edge)).open()
            assert await polls.send(body) == 400
            assert await polls.send('["a"]') == 204
            assert await polls.receive() == 'a["a"]\n'

    @pytest.mark.parametrize("kind", ["text/plain", "T", "application/json", "application/xml", "", "text/javascript"])
    async def test_content_types(self, kind: str) -> None:
        async with running_sockjs() as edge:
            polls = await Polls(Browser(edge)).open()
            body = '["€"]'.encode()
            status, _ = await Browser(edge).text("POST", f"{SESSION}/xhr_send", body, Content_Type=kind)
            assert (status, await polls.receive()) == (204, 'a["€"]\n')

    async def test_sending_empty_frame(self) -> None:
        async with running_sockjs() as edge:
            polls = await Polls(Browser(edge)).open()
            assert await polls.send("[]") == 204
            assert await polls.send('["a"]') == 204
            assert await polls.receive() == 'a["a"]\n'


@pytest.mark.contract("SockJS xhr-streaming")
class TestXhrStreaming:
    async def test_transport(self) -> None:
        async with running_sockjs() as edge:
            answer = await Browser(edge).ask("POST", f"{SESSION}/xhr_streaming")
            assert answer.headers["content-type"] == "application/javascript; charset=UTF-8"
            assert await answer.piece() == b"h" * 2048 + b"\n"
            assert await answer.piece() == b"o\n"
            assert await Polls(Browser(edge)).send('["x"]') == 204
            assert await answer.piece() == b'a["x"]\n'

    async def test_response_limit(self) -> None:
        async with running_sockjs(sockjs=SockjsLimits(response_bytes=4096)) as edge:
            answer = await Browser(edge).ask("POST", f"{SESSION}/xhr_streaming")
            assert await Polls(Browser(edge)).send('["%s"]' % ("x" * 4096)) == 204
            assert (await answer.rest()).endswith(b'x"]\n')
            again = await Browser(edge).ask("POST", f"{SESSION}/xhr_streaming")
            await again.piece()
            assert await Polls(Browser(edge)).send('["on"]') == 204
            assert await again.piece() == b'a["on"]\n'


@pytest.mark.contract("SockJS eventsource")
class TestEventSource:
    async def test_transport(self) -> None:
        async with running_sockjs() as edge:
            answer = await Browser(edge).ask("GET", f"{SESSION}/eventsource")
            assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=UTF-8")
            assert await answer.piece() == b"\r\n"
            assert await answer.piece() == b"data: o\r\n\r\n"
            assert await Polls(Browser(edge)).send('["x\\r\\n\\u0000"]') == 204
            assert await answer.piece() == b'data: a["x\\r\\n\\u0000"]\r\n\r\n'

    async def test_response_limit(self) -> None:
        async with running_sockjs(sockjs=SockjsLimits(response_bytes=4096)) as edge:
            answer = await Browser(edge).ask("GET", f"{SESSION}/eventsource")
            assert await Polls(Browser(edge)).send('["%s"]' % ("x" * 4096)) == 204
            assert (await answer.rest()).endswith(b'x"]\r\n\r\n')


class TestRawWebsocket:
    async def test_transport(self) -> None:
        async with running_sockjs() as edge:
            for path in ("/ws", "/ws/websocket"):
                socket = await edge.websocket(path)
                await socket.frame(TEXT, b"Hello world!")
                assert await socket.read() == (TEXT, b"Hello world!")


class TestJSONEncoding:
    @pytest.mark.parametrize("text", ["\x00\x1f\x7f", "\u200c\u2028\ufff0\ufffe", '"\\/\b', "漢字 🙂", "\u0300"])
    async def test_xhr_encodes_both_ways(self, text: str) -> None:
        async with running_sockjs() as edge:
            polls = await Polls(Browser(edge)).open()
            assert await polls.send(json.dumps([text])) == 204
            assert json.loads((await polls.receive())[1:]) == [text]


class TestHandlingClose:
    async def test_close_frame(self) -> None:
        async with running_sockjs(close_at_once) as edge:
            for number in range(2):
                answer = await Browser(edge).ask("POST", f"{SESSION}/xhr_streaming")
                assert await answer.piece() == b"h" * 2048 + b"\n"
                if not number:
                    assert await answer.piece() == b"o\n"
                assert await answer.rest() == b'c[3000,"Go away!"]\n'

    async def test_close_request(self) -> None:
        async with running_sockjs() as edge:
            one = await Browser(edge).ask("POST", f"{SESSION}/xhr_streaming")
            assert (await one.piece(), await one.piece()) == (b"h" * 2048 + b"\n", b"o\n")
            two = await Browser(edge).ask("POST", f"{SESSION}/xhr_streaming")
            assert await two.piece() == b"h" * 2048 + b"\n"
            assert await two.rest() == b'c[2010,"Another connection still open"]\n'
            assert await Polls(Browser(edge)).send('["still there"]') == 204
            assert await one.piece() == b'a["still there"]\n'

    @pytest.mark.parametrize("transport", ["xhr", "xhr_streaming"])
    async def test_abort(self, transport: str) -> None:
        async with running_sockjs() as edge:
            polls = await Polls(Browser(edge)).open()
            one = await Browser(edge).ask("POST", f"{SESSION}/{transport}")
            if transport == "xhr_streaming":
                await one.piece()
            assert await polls.receive() == 'c[2010,"Another connection still open"]\n'
            await one.aclose()
            with trio.fail_after(20):
                while (said := await polls.receive()) == 'c[2010,"Another connection still open"]\n':
                    pass
            assert said == 'c[1002,"Connection interrupted"]\n'


class TestHttp10:
    async def test_streaming(self) -> None:
        async with running_sockjs(close_at_once) as edge:
            stream = await edge.connect()
            await stream.send_all(b"POST " + SESSION.encode() + b"/xhr_streaming HTTP/1.0\r\n\r\n")
            received = b""
            with trio.fail_after(20):
                while data := await stream.receive_some():
                    received += data
            head, _, body = received.partition(b"\r\n\r\n")
            assert b"chunked" not in head.lower()
            assert body == b"h" * 2048 + b'\no\nc[3000,"Go away!"]\n'
