"""A client of the console's WebSocket."""

import json
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import trio
from attrs import define
from trio_websocket import WebSocketConnection, open_websocket_url

from chatconsole.api.messages import PREFIX
from tests.kit.console import ConsoleClient


@define
class Talk:
    socket: WebSocketConnection

    async def say(self, **request: Any) -> None:
        await self.socket.send_message(json.dumps(request))

    async def hear(self) -> Any:
        with trio.fail_after(60):
            return json.loads(await self.socket.get_message())

    async def ask(self, **request: Any) -> Any:
        await self.say(**request)
        return await self.hear()


def talking(client: ConsoleClient) -> AbstractAsyncContextManager[Talk]:
    return talking_to(client.server.port, client.server.token)


@asynccontextmanager
async def talking_to(port: int, token: str) -> AsyncGenerator[Talk]:
    headers = [(b"Authorization", f"Bearer {token}".encode())]
    url = f"ws://127.0.0.1:{port}{PREFIX}/ws"
    async with open_websocket_url(url, extra_headers=headers) as socket:
        yield Talk(socket)
