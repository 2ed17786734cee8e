"""A STOMP session over a transport in memory, and the client's end of it."""

import math
from collections.abc import Callable
from typing import Self

import trio
import trio.testing
from wsproto.frame_protocol import FrameProtocol, Opcode

from chathttp.edge.transport import ConnectionEnded, HandshakeInfo, Peer
from chathttp.stomp.codec import encode
from chathttp.stomp.decoder import Decoder
from chathttp.stomp.frame import Frame, HeartBeat, Version
from chathttp.stomp.websocket_frame import text_frame


class MemoryTransport:
    """Implements `FrameTransport`. While `congested` nothing that is offered reaches the client."""

    name = "memory"
    frame = staticmethod(text_frame)

    def __init__(self) -> None:
        self.peer = Peer("192.0.2.1", 50_000)
        self.on_drained: Callable[[], None] | None = None
        self.congested = False
        self.pings = 0
        self.close_code: int | None = None
        self.close_reason = ""
        self.last_received = trio.current_time()
        self._queued: list[bytes] = []
        self._released = trio.Event()
        self._to_server, self._from_client = trio.open_memory_channel[bytes | str](math.inf)
        self._to_client, self._from_server = trio.open_memory_channel[bytes](math.inf)

    @property
    def queued_bytes(self) -> int:
        return sum(map(len, self._queued))

    @property
    def closed(self) -> bool:
        return self.close_code is not None

    @property
    def outlet(self) -> "MemoryTransport":
        return self

    def direct(self, frames: bytes) -> int:
        if self.closed or self.congested:
            raise BlockingIOError
        self._to_client.send_nowait(frames)
        return len(frames)

    def rest(self, frames: bytes, taken: int) -> None:
        raise AssertionError("takes all or nothing")

    def offer(self, frames: bytes) -> bool:
        if self.closed:
            return False
        if self.congested:
            self._queued.append(frames)
            return False
        self._to_client.send_nowait(frames)
        return True

    async def send(self, frames: bytes) -> None:
        while self.congested:
            await self._released.wait()
        await trio.lowlevel.checkpoint()
        if self.closed:
            raise ConnectionEnded(1006)
        self._to_client.send_nowait(frames)

    async def receive(self) -> bytes | str:
        try:
            message = await self._from_client.receive()
        except trio.EndOfChannel:
            raise ConnectionEnded(1006 if self.close_code is None else self.close_code) from None
        self.last_received = trio.current_time()
        return message

    def ping(self) -> None:
        self.pings += 1

    def close(self, code: int, reason: str = "") -> None:
        if self.close_code is None:
            self.close_code, self.close_reason = code, reason
            self._to_server.close()
            self._to_client.close()

    def relieve(self) -> None:
        """The client reads again: what was queued goes out."""
        self.congested = False
        for frames in self._queued:
            self._to_client.send_nowait(frames)
        self._queued.clear()
        self._released.set()
        self._released = trio.Event()
        if self.on_drained is not None:
            self.on_drained()

    def hang_up(self) -> None:
        """The client's end is gone without a word."""
        self.close(1006)

    def put(self, message: bytes | str) -> None:
        """One WebSocket message from the client."""
        self._to_server.send_nowait(message)

    async def take(self) -> bytes:
        """The next bytes that the server wrote. Raises `trio.EndOfChannel` after the close."""
        return await self._from_server.receive()

    def take_nowait(self) -> bytes:
        return self._from_server.receive_nowait()


class MemoryClient:
    """The client's end: sends frames, and collects what comes, in order."""

    def __init__(self, transport: MemoryTransport, version: Version = Version.V12) -> None:
        self.transport = transport
        self.version = version
        self.heart_beats = 0
        self._websocket = FrameProtocol(client=True, extensions=[])
        self._decoder = Decoder(version=version)
        self._frames: list[Frame] = []

    def send(self, command: str, body: bytes = b"", **headers: str) -> None:
        """Header names with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.transport.put(encode(Frame.of(command, named, body), self.version))

    def connect(self, token: str, heart_beat: str = "0,0", **headers: str) -> Self:
        headers = {"accept-version": "1.2,1.1,1.0", "host": "x", "heart-beat": heart_beat} | headers
        self.send("CONNECT", b"", Authorization=f"Bearer {token}", **headers)
        return self

    async def next(self) -> Frame:
        """The next frame from the server. Raises `trio.EndOfChannel` after its close."""
        while not self._frames:
            self._decode(await self.transport.take())
        return self._frames.pop(0)

    async def expect(self, command: str) -> Frame:
        """The next frame, which must be a `command`."""
        frame = await self.next()
        assert frame.command == command, frame
        return frame

    async def settled(self) -> list[Frame]:
        """All frames that are there once nothing on the node runs any more."""
        await trio.testing.wait_all_tasks_blocked()
        while True:
            try:
                self._decode(self.transport.take_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                break
        frames, self._frames = self._frames, []
        return frames

    def _decode(self, data: bytes) -> None:
        self._websocket.receive_bytes(data)
        for frame in self._websocket.received_frames():
            assert frame.opcode is Opcode.TEXT, frame
            assert isinstance(frame.payload, str)
            for item in self._decoder.feed(frame.payload.encode()):
                if isinstance(item, HeartBeat):
                    self.heart_beats += 1
                else:
                    self._frames.append(item)


def handshake(query: bytes = b"", authorization: bytes | None = None, subprotocol: str | None = None) -> HandshakeInfo:
    headers = () if authorization is None else ((b"authorization", authorization),)
    return HandshakeInfo("/ws", query, headers, subprotocol, Peer("192.0.2.1", 50_000))
