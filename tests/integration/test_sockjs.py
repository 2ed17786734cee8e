"""STOMP over SockJS's HTTP transports on a running `stackmentor dev`: a client that reads too slowly, and the drain."""

import json
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Final, Self, cast

import httpx
import pytest
import trio

from tests.kit.api import Api
from tests.kit.devserver import DevServer

PATIENCE: Final = 60.0
TEXT: Final = "🙂" * 9000
"""36 KB; four of them are more than one response takes."""
POSTS: Final = 12


@pytest.fixture
def server(data_dir: Path) -> Generator[DevServer]:
    """One whose clients have little room, and time to come back."""
    env = {
        "STACKMENTOR_OUTBOX_LIMIT_BYTES": "100000",
        "STACKMENTOR_SOCKJS_DISCONNECT_DELAY": "30",
        "STACKMENTOR_DRAIN_TIME": "3",
    }
    with DevServer(data_dir, env=env) as server:
        yield server


class Fallback:
    """One SockJS session over `xhr_streaming`, with a browser's cookies."""

    def __init__(self, server: DevServer, session: str) -> None:
        self._http = httpx.AsyncClient(base_url=server.url, timeout=PATIENCE)
        self._path = f"/ws/000/{session}"

    async def __aenter__(self) -> Self:
        assert (await self._http.get("/ws/info")).json()["websocket"] is True
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def frames(self) -> AsyncGenerator[str]:
        """Of one response."""
        async with self._http.stream("POST", f"{self._path}/xhr_streaming") as answer:
            assert answer.status_code == 200
            async with aclosing(cast("AsyncGenerator[str]", answer.aiter_lines())) as lines:
                assert await anext(lines) == "h" * 2048
                async for line in lines:
                    yield line

    async def send(self, command: str, body: str = "", **headers: str) -> None:
        lines = [command, *(f"{name.replace('_', '-')}:{value}" for name, value in headers.items()), "", body + "\0"]
        sent = await self._http.post(f"{self._path}/xhr_send", content=json.dumps(["\n".join(lines)]))
        assert sent.status_code == 204, sent.text

    async def connect(self, frames: AsyncGenerator[str], token: str) -> None:
        assert await anext(frames) == "o"
        await self.send("CONNECT", accept_version="1.2", host="x", Authorization=f"Bearer {token}")
        assert (await anext(frames)).startswith('a["CONNECTED')

    async def subscribe(self, frames: AsyncGenerator[str], conversation_id: str, **headers: str) -> None:
        destination = f"/topic/conversation.{conversation_id}"
        await self.send("SUBSCRIBE", id="1", destination=destination, receipt="r", **headers)
        assert (await anext(frames)).startswith('a["RECEIPT')


def seqs_of(frame: str) -> list[int]:
    """Of the messages in one frame."""
    if not frame.startswith("a"):
        return []
    messages = [text for text in json.loads(frame[1:]) if text.startswith("MESSAGE")]
    return [json.loads(text.partition("\n\n")[2].rstrip("\0"))["seq"] for text in messages]


async def test_who_reads_too_slowly_is_closed_and_resumes_and_a_drain_tells_him(server: DevServer) -> None:
    with Api(server.url) as alice, Api(server.url) as bob:
        await trio.to_thread.run_sync(alice.sign_in, "alice@example.com")
        await trio.to_thread.run_sync(bob.sign_in, "bob@example.com")
        group = await trio.to_thread.run_sync(alice.demo_group)
        with trio.fail_after(2 * PATIENCE):
            seen = await read_too_slowly(server, alice, bob.access_token, group)
            async with Fallback(server, "resuming1") as client, aclosing(client.frames()) as frames:
                await client.connect(frames, bob.access_token)
                await client.subscribe(frames, group, last_seq=str(seen[-1]))
                last = (await trio.to_thread.run_sync(partial(alice.send, group, "now live")))["seq"]
                while seen[-1] < last:
                    try:
                        seen += seqs_of(await anext(frames))
                    except StopAsyncIteration:
                        frames = client.frames()
                assert seen == list(range(seen[0], last + 1))
                await drain(server, frames)


async def read_too_slowly(server: DevServer, writer: Api, token: str, group: str) -> list[int]:
    """Read nothing while more is written than waits; the `seq`s of what came in the end."""
    async with Fallback(server, "tooslow01") as client:
        seen: list[int] = []
        async with aclosing(client.frames()) as frames:
            await client.connect(frames, token)
            await client.subscribe(frames, group)
            for _ in range(POSTS):
                await trio.to_thread.run_sync(partial(writer.send, group, TEXT))
            async for frame in frames:
                seen += seqs_of(frame)
        assert 0 < len(seen) < POSTS
        async with aclosing(client.frames()) as frames:
            assert [frame async for frame in frames] == ['c[1013,"reads too slowly"]']
        return seen


async def drain(server: DevServer, frames: AsyncGenerator[str]) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, server.stop)
        rest = [frame async for frame in frames if not seqs_of(frame) and "MESSAGE" not in frame and frame != "h"]
        assert [frame for frame in rest if frame != 'a["\\n"]'] == ['c[1012,"the server restarts"]']
