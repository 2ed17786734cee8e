"""SockJS's endpoints on a running edge, and an HTTP client that sees each piece of a response as it comes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Self

import trio
from attrs import define
from quart_trio import QuartTrio

from chathttp.edge.connection import OnSession
from chathttp.edge.limits import EdgeLimits
from chathttp.edge.transport import ConnectionEnded, FrameTransport, HandshakeInfo
from chathttp.rest.common import install
from chathttp.settings import Settings
from chathttp.sockjs.desk import SockjsDesk
from chathttp.sockjs.limits import SockjsLimits
from chathttp.sockjs.routes import sockjs_blueprint
from tests.chathttp.edge.edge_kit import Edge, RawHttp, running_edge


async def echo(transport: FrameTransport, handshake: HandshakeInfo) -> None:
    """Sends every message back, as `echo` of the tests of SockJS does; of `flood:N` N bytes, 1,000 at a time."""
    while True:
        try:
            message = await transport.receive()
        except ConnectionEnded:
            return
        assert isinstance(message, str)
        kind, _, size = message.partition(":")
        if kind == "flood":
            for _ in range(int(size) // 1000):
                transport.offer(transport.frame(b"x" * 1000))
        else:
            transport.offer(transport.frame(message.encode()))


async def close_at_once(transport: FrameTransport, handshake: HandshakeInfo) -> None:
    transport.close(3000, "Go away!")


@asynccontextmanager
async def running_sockjs(
    on_session: OnSession = echo,
    *,
    sockjs: SockjsLimits | None = None,
    settings: Settings | None = None,
    limits: EdgeLimits | None = None,
    send_buffer: int | None = None,
) -> AsyncGenerator[Edge]:
    settings = settings or Settings()
    sockjs = sockjs or SockjsLimits()
    app = QuartTrio(__name__, static_folder=None)
    app.config["RESPONSE_TIMEOUT"] = None
    app.url_map.merge_slashes = False
    install(app, settings)
    desk = SockjsDesk(sockjs, lambda session, handshake, forget: edge.server.open_session(session, handshake, forget))
    app.register_blueprint(sockjs_blueprint(desk, settings))
    limits = limits or EdgeLimits(sockjs=sockjs)
    running = running_edge(
        on_session, app, limits=limits, allowed_origins=settings.cors_origins, send_buffer=send_buffer
    )
    async with running as edge:
        yield edge


@define
class Answer:
    """One response, its head read already."""

    http: RawHttp
    status: int
    headers: dict[str, str]
    ended: bool = False

    async def piece(self) -> bytes:
        """The next chunk, empty at the end. Raises `EOFError` when the connection ends before the response does."""
        while b"\r\n" not in self.http.buffer:
            await self.http.fill()
        size, _, _ = bytes(self.http.buffer).partition(b"\r\n")
        await self.http.take(len(size) + 2)
        data = await self.http.take(int(size, 16))
        await self.http.take(2)
        self.ended = not data
        return data

    async def rest(self) -> bytes:
        if "content-length" in self.headers:
            return await self.http.take(int(self.headers["content-length"]))
        pieces = list[bytes]()
        while not self.ended and self.status != 204:
            pieces.append(await self.piece())
        return b"".join(pieces)

    async def aclose(self) -> None:
        await self.http.stream.aclose()


class Browser:
    """Requests to one server, each on a connection of its own."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def ask(self, method: str, path: str, body: bytes = b"", /, **headers: str) -> Answer:
        http = RawHttp(await self._edge.connect())
        fields = {"Host": "chat.test", "Content-Length": str(len(body)), **headers}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
        await http.send("\r\n".join([*lines, "", ""]).encode() + body)
        while b"\r\n\r\n" not in http.buffer:
            await http.fill()
        head, _, _ = bytes(http.buffer).partition(b"\r\n\r\n")
        await http.take(len(head) + 4)
        first, *rest = head.decode().split("\r\n")
        pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in rest)]
        return Answer(http, int(first.split()[1]), dict(pairs))

    async def text(self, method: str, path: str, body: bytes = b"", /, **headers: str) -> tuple[int, str]:
        """Status and body of a whole response."""
        with trio.fail_after(20):
            answer = await self.ask(method, path, body, **headers)
            text = (await answer.rest()).decode()
        await answer.aclose()
        return answer.status, text


class Polls:
    """A session over `xhr`."""

    def __init__(self, browser: Browser, path: str = "/ws/000/abcdefgh") -> None:
        self.browser = browser
        self.path = path

    async def open(self) -> Self:
        assert await self.receive() == "o\n"
        return self

    async def receive(self) -> str:
        status, text = await self.browser.text("POST", f"{self.path}/xhr")
        assert status == 200, text
        return text

    async def send(self, body: str) -> int:
        status, _ = await self.browser.text("POST", f"{self.path}/xhr_send", body.encode())
        return status
