"""A running edge for tests, and a WebSocket client that can break every rule."""

import os
import socket
import struct
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Self

import trio
from attrs import define, evolve, field
from hypercorn.typing import ASGIFramework, ASGIReceiveCallable, ASGISendCallable, Scope

from chathttp.edge.connection import OnSession
from chathttp.edge.limits import EdgeLimits
from chathttp.edge.listener import open_listener
from chathttp.edge.server import EdgeServer
from chathttp.edge.transport import ConnectionEnded, FrameTransport, HandshakeInfo

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""Both from RFC 6455, section 1.3."""


async def lifespan(receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def respond(send: ASGISendCallable, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def hello_app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Answers every request with its path."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "http":
        await respond(send, scope["path"].encode())


async def echo(transport: FrameTransport, handshake: HandshakeInfo) -> None:
    """A session that sends every message back as text."""
    while True:
        try:
            message = await transport.receive()
        except ConnectionEnded:
            return
        transport.offer(transport.frame(message if isinstance(message, bytes) else message.encode()))


async def until(happened: Callable[[], object], *, within: float = 10) -> None:
    """Wait for something on the far side of a real socket, for which there is no event on this side."""
    with trio.fail_after(within):
        while True:
            if happened():
                return
            await trio.sleep(0.01)


@define
class Edge:
    server: EdgeServer
    port: int
    clients: list[trio.SocketStream] = field(factory=list["trio.SocketStream"])

    async def connect(self) -> trio.SocketStream:
        self.clients.append(await trio.open_tcp_stream("127.0.0.1", self.port))
        return self.clients[-1]

    async def websocket(self, path: str = "/ws", **headers: str) -> "RawWebSocket":
        client = RawWebSocket(await self.connect())
        await client.open(path, **headers)
        return client


@asynccontextmanager
async def running_edge(
    on_session: OnSession = echo,
    app: ASGIFramework = hello_app,
    *,
    limits: EdgeLimits | None = None,
    allowed_origins: Collection[str] = (),
    send_buffer: int | None = None,
) -> AsyncGenerator[Edge]:
    """An edge on a free port of 127.0.0.1, cancelled at the end. `send_buffer` is the connections' SO_SNDBUF."""
    listener = open_listener("127.0.0.1", 0)
    if send_buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    limits = evolve(limits or EdgeLimits(), close_timeout=1.0)
    edge = EdgeServer([listener], app, on_session, limits=limits, allowed_origins=allowed_origins)
    port = listener.getsockname()[1]
    async with trio.open_nursery() as nursery:
        await nursery.start(edge.run)
        running = Edge(edge, port)
        try:
            yield running
        finally:
            for client in running.clients:
                client.socket.close()
        nursery.cancel_scope.cancel()


class RawHttp:
    """Reads HTTP responses off a stream."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.buffer = bytearray()

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def request(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: chat.test",
            *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
        ]
        await self.send("\r\n".join([*lines, "", ""]).encode())
        return await self.response()

    async def response(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case, body."""
        while b"\r\n\r\n" not in self.buffer:
            await self.fill()
        head, _, _ = bytes(self.buffer).partition(b"\r\n\r\n")
        del self.buffer[: len(head) + 4]
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await self.take(int(headers.get("content-length", "0")))
        return int(first.split()[1]), headers, body

    async def fill(self) -> None:
        data = await self.stream.receive_some()
        if not data:
            raise EOFError
        self.buffer += data

    async def take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            await self.fill()
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    async def at_end(self) -> bool:
        """Wait for the server's end; whether nothing but the end came."""
        try:
            await self.fill()
        except (EOFError, trio.BrokenResourceError):
            return not self.buffer
        return False


class RawWebSocket(RawHttp):
    """Frame by frame, with nothing done by itself."""

    async def handshake(self, path: str = "/ws", **headers: str) -> tuple[int, dict[str, str], bytes]:
        fields = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec_WebSocket_Version": "13",
            "Sec_WebSocket_Key": KEY,
        }
        return await self.request(path, **{**fields, **headers})

    async def open(self, path: str = "/ws", **headers: str) -> Self:
        status, answer, _ = await self.handshake(path, **headers)
        assert status == 101, status
        assert answer["sec-websocket-accept"] == ACCEPT
        return self

    async def frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True) -> None:
        await self.send(client_frame(opcode, payload, fin=fin, masked=masked))

    async def read(self) -> tuple[int, bytes]:
        """One frame of the server: opcode and payload."""
        first, size = await self.take(2)
        assert first & 0x80
        if size == 126:
            (size,) = struct.unpack("!H", await self.take(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.take(8))
        return first & 0x0F, await self.take(size)

    async def close_code(self) -> int:
        """Read on to the close frame."""
        while True:
            opcode, payload = await self.read()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big") if payload else 1005


def client_frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True) -> bytes:
    size = len(payload)
    mask_bit = 0x80 if masked else 0
    if size < 126:
        header = struct.pack("!BB", opcode | (0x80 if fin else 0), mask_bit | size)
    elif size < 65_536:
        header = struct.pack("!BBH", opcode | (0x80 if fin else 0), mask_bit | 126, size)
    else:
        header = struct.pack("!BBQ", opcode | (0x80 if fin else 0), mask_bit | 127, size)
    if not masked:
        return header + payload
    mask = os.urandom(4)
    stretched = (mask * (size // 4 + 1))[:size]
    return header + mask + (int.from_bytes(payload, "big") ^ int.from_bytes(stretched, "big")).to_bytes(size, "big")
