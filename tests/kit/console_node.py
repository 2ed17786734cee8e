"""A management port that says what a test wants, and remembers what was asked of it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import msgspec
from attrs import define, field
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from chatconsole.api import messages as api
from chatconsole.api.loop import Loop
from chatconsole.beacon import Beacon

TOKEN: Final = "the-token"
ACTIONS: Final = ["disconnect", "log-level", "drain", "snapshot", "restart", "passivate"]
CALM: Final = Loop(0.0005, 0.001, 0.002, 12, None, [], [])
_decode: Final = msgspec.json.Decoder(api.Request).decode


@define
class FakeNode:
    """Each watch is answered at once, and again when `tell` is called, from `parts`: the sections by their names."""

    pid: int = 4711
    port: int = 0
    read_only: bool = False
    repl: bool = False
    parts: dict[str, object] = field(factory=lambda: {"loop": CALM, "warnings": list[object]()})
    asked: list[api.Request] = field(factory=list[api.Request])
    answers: dict[type[api.Request], api.Answer] = field(factory=dict[type[api.Request], api.Answer])
    _watches: dict[int, api.Watch] = field(factory=dict[int, api.Watch])
    connections: list[ServerConnection] = field(factory=list[ServerConnection])

    @property
    def beacon(self) -> Beacon:
        return Beacon(self.pid, "127.0.0.1", self.port, TOKEN, float(self.pid), f"http://127.0.0.1:{self.pid}")

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["FakeNode"]:
        async with serve(self._converse, "127.0.0.1", self.port, process_request=_check_token) as server:
            self.port = _port_of(server)
            yield self
            self._watches.clear()
            self.connections.clear()

    async def tell(self, **parts: object) -> None:
        """To who watches; with some sections changed."""
        self.parts.update(parts)
        for connection in self.connections:
            for watch in list(self._watches.values()):
                await self._show(connection, watch.id, watch.view)

    async def send(self, answer: api.Answer) -> None:
        for connection in self.connections:
            await connection.send(msgspec.json.encode(answer).decode())

    def snapshot(self, view: api.View) -> api.Snapshot:
        node = api.Node(
            self.pid, "1.0", self.beacon.serves, 0.0, self.read_only, 1, [] if self.read_only else ACTIONS, self.repl
        )
        wanted = {name: part for name, part in self.parts.items() if view.wants(api.Section(name))}
        return api.Snapshot(api.VERSION, 0.0, 0.0, 0.0, node, **wanted)  # pyright: ignore[reportArgumentType]  # sections by name

    def last(self, kind: type[api.Request]) -> api.Request:
        return [each for each in self.asked if isinstance(each, kind)][-1]

    async def _converse(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                request = _decode(message)
                self.asked.append(request)
                await self._answer(connection, request)

    async def _answer(self, connection: ServerConnection, request: api.Request) -> None:
        if isinstance(request, api.Watch):
            self._watches[request.id] = request
            await self._show(connection, request.id, request.view)
        elif isinstance(request, api.Look):
            await self._show(connection, request.id, request.view)
        elif isinstance(request, api.Stop):
            self._watches.pop(request.id, None)
        elif type(request) in self.answers:
            answer = msgspec.structs.replace(self.answers[type(request)], id=request.id)
            await connection.send(msgspec.json.encode(answer).decode())

    async def _show(self, connection: ServerConnection, number: int, view: api.View) -> None:
        answer = api.Seen(number, self.snapshot(view))
        with contextlib.suppress(ConnectionClosed):
            await connection.send(msgspec.json.encode(answer).decode())


async def until(condition: object, patience: float = 10.0) -> None:
    """Until `condition()` holds. Raises AssertionError."""
    assert callable(condition)
    deadline = asyncio.get_running_loop().time() + patience
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not come to be"
        await asyncio.sleep(0.01)


def _check_token(connection: ServerConnection, request: Request) -> Response | None:
    if request.path == f"{api.PREFIX}/ws" and request.headers.get("Authorization") == f"Bearer {TOKEN}":
        return None
    return connection.respond(HTTPStatus.UNAUTHORIZED, "no")


def _port_of(server: Server) -> int:
    [address, *_] = [each.getsockname() for each in server.sockets]
    return int(address[1])
