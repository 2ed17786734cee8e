"""Messages of the console's WebSocket come whole and in order, however they are cut, mixed and stopped."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import trio
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import Ping, Pong, TextMessage

from chatconsole.api.messages import PREFIX, Section
from tests.kit.console import ConsoleClient, console


@define
class Client:
    """One that offers compression and sends its messages in parts."""

    stream: trio.SocketStream
    answered: str
    """The head of the answer to its handshake."""
    frames: Connection = field(factory=lambda: Connection(ConnectionType.CLIENT))
    pongs: list[bytes] = field(factory=list[bytes])
    _heard: list[Any] = field(factory=list[Any])
    _part: str = ""

    async def send(self, data: bytes, cuts: list[int]) -> None:
        for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            await self.stream.send_all(data[begin:end])

    async def hear(self) -> Any:
        with trio.fail_after(30):
            while not self._heard:
                self.frames.receive_data(await self.stream.receive_some(333))
                self._take()
        return self._heard.pop(0)

    def _take(self) -> None:
        for event in self.frames.events():
            if isinstance(event, TextMessage):
                self._part += event.data
                if event.message_finished:
                    self._heard.append(json.loads(self._part))
                    self._part = ""
            else:
                assert isinstance(event, Pong), event
                self.pongs.append(bytes(event.payload))


@asynccontextmanager
async def connected(server: ConsoleClient) -> AsyncGenerator[Client]:
    lines = [
        f"GET {PREFIX}/ws HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {server.server.token}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    ]
    async with await trio.open_tcp_stream("127.0.0.1", server.server.port) as stream:
        await stream.send_all("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await stream.receive_some(1)
        yield Client(stream, head.decode())


@define
class Piece:
    """A request, in how many parts of a message, a ping among them or not, its bytes cut somewhere."""

    parts: int
    is_pinged: bool
    cuts: list[float]
    sections: list[str]


pieces = st.builds(
    Piece,
    st.integers(1, 4),
    st.booleans(),
    st.lists(st.floats(0, 1), max_size=4).map(sorted),
    st.lists(st.sampled_from(["loop", "tasks", "ended", "warnings", "supervision"]), min_size=1, unique=True),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(pieces, min_size=1, max_size=5))
async def test_requests_are_understood_and_answered_whole_however_they_are_cut(asked: list[Piece]) -> None:
    async with console() as server, connected(server) as talk:
        for number, piece in enumerate(asked):
            text = json.dumps(
                {"op": "look", "id": number, "view": {"sections": piece.sections, "limit": 7 * number + 1}}
            )
            size = len(text) // piece.parts
            data = b""
            for part in range(piece.parts):
                is_last = part == piece.parts - 1
                data += talk.frames.send(
                    TextMessage(text[part * size : None if is_last else (part + 1) * size], message_finished=is_last)
                )
                if piece.is_pinged and not is_last:
                    data += talk.frames.send(Ping(payload=b"%d" % number))
            await talk.send(data, [int(cut * len(data)) for cut in piece.cuts])
        for number, piece in enumerate(asked):
            answer = await talk.hear()
            assert (answer["type"], answer["id"]) == ("snapshot", number)
            assert set(piece.sections) == answer["snapshot"].keys() & set(Section)
        pinged = [
            b"%d" % number for number, piece in enumerate(asked) for _ in range(piece.parts - 1) if piece.is_pinged
        ]
        assert talk.pongs == pinged


async def test_compression_is_not_agreed_on_though_it_is_offered() -> None:
    async with console() as server, connected(server) as talk:
        assert talk.answered.startswith("HTTP/1.1 101")
        assert "sec-websocket-extensions" not in talk.answered.lower()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=30))
async def test_watches_that_are_stopped_leave_whole_messages_behind(changes: list[tuple[int, bool]]) -> None:
    async with console() as server, connected(server) as talk:
        for number, is_stop in changes:
            request = {"op": "stop", "id": number} if is_stop else {"op": "watch", "id": number, "every": 0.1}
            await talk.send(talk.frames.send(TextMessage(json.dumps(request))), [])
        await talk.send(talk.frames.send(TextMessage(json.dumps({"op": "look", "id": 9}))), [])
        while (answer := await talk.hear())["id"] != 9:
            assert answer["type"] == "snapshot"
