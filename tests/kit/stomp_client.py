"""A STOMP client over trio-websocket, for tests against a real server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import trio
from trio_websocket import WebSocketConnection, wrap_client_stream

from chathttp.stomp.codec import encode
from chathttp.stomp.decoder import Decoder
from chathttp.stomp.frame import Frame, HeartBeat, Version


class StompClient:
    """The frames of one WebSocket, in order."""

    def __init__(self, websocket: WebSocketConnection) -> None:
        self.websocket = websocket
        self._decoder = Decoder(version=Version.V12)
        self._frames: list[Frame] = []
        self.heard_at = trio.current_time()
        """When the server last sent anything, a heart-beat included; on Trio's clock."""

    async def send(self, command: str, headers: dict[str, str], body: bytes = b"") -> None:
        await self.websocket.send_message(encode(Frame.of(command, headers, body), Version.V12).decode())

    async def next(self) -> Frame:
        """The next frame. Raises `trio_websocket.ConnectionClosed` after the close."""
        while not self._frames:
            message: str | bytes = await self.websocket.get_message()
            self.heard_at = trio.current_time()
            data = message.encode() if isinstance(message, str) else message
            self._frames += [item for item in self._decoder.feed(data) if not isinstance(item, HeartBeat)]
        return self._frames.pop(0)

    async def expect(self, command: str) -> Frame:
        frame = await self.next()
        assert frame.command == command, frame
        return frame

    async def connect(self, token: str, heart_beat: str = "0,0") -> Frame:
        """CONNECTED, or whatever the server says instead."""
        headers = {
            "accept-version": "1.2",
            "host": "test",
            "heart-beat": heart_beat,
            "Authorization": f"Bearer {token}",
        }
        await self.send("CONNECT", headers)
        return await self.next()

    async def subscribe(self, destination: str, subscription_id: str = "s", **headers: str) -> None:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        await self.send(
            "SUBSCRIBE", {"id": subscription_id, "destination": destination, "receipt": subscription_id, **more}
        )
        await self.expect("RECEIPT")


@asynccontextmanager
async def raw_websocket(ws_url: str) -> AsyncGenerator[WebSocketConnection]:
    """A WebSocket that has said nothing. Its socket is closed when the block ends, whoever closed first."""
    address = urlsplit(ws_url)
    assert address.hostname is not None
    assert address.port is not None
    stream = await trio.open_tcp_stream(address.hostname, address.port)
    async with stream, trio.open_nursery() as nursery:
        yield await wrap_client_stream(
            nursery, stream, address.netloc, address.path, subprotocols=["v12.stomp"], message_queue_size=1
        )
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def stomp_client(ws_url: str, token: str, timeout: float = 30.0) -> AsyncGenerator[StompClient]:
    """A connected client. The block fails after `timeout` seconds."""
    with trio.fail_after(timeout):
        async with raw_websocket(ws_url) as websocket:
            client = StompClient(websocket)
            frame = await client.connect(token)
            assert frame.command == "CONNECTED", frame
            yield client
            await websocket.aclose()
