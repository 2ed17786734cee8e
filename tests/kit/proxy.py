"""Stands between a client and a server, and does to their connections what networks do."""

import os
import random
import socket
import struct
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

import attrs
import trio

Place = tuple[str, int] | Path
"""Host and port of TCP, or the path of a Unix socket."""
Dial = Callable[[], Awaitable[trio.SocketStream]]
"""Makes a connection to a server, or raises OSError."""

_CHUNK: Final = 65_536
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset."""


class Proxy:
    """Forwards what comes to `listening` to `server`. Its controls are for the thread that runs it.

    `freeze` keeps connections open, and new ones too, and lets nothing through until `thaw`; `refuse` resets all, and
    new ones as soon as they come, until `admit`.
    """

    def __init__(self, server: Place | Dial, listening: Place, rng: random.Random | None = None) -> None:
        self._server = server
        self._listening = listening
        self._rng = rng or random.Random(1)
        self._pairs: set[_Pair] = set()
        self._refusing = False
        self._thawed = trio.Event()
        self._thawed.set()
        self._cut_after: int | None = None
        self.delay = 0.0
        """Seconds by which each write is late, in both directions."""
        self.cuts = 0
        """Connections that were cut."""
        self.limit: int | None = None
        """Connections at once; more are closed as soon as they come."""

    def cut_answer_after(self, requests: int) -> None:
        """Forward the next `requests` writes of any client; swallow what the server answers to the last of them, and
        close that client's connection once the server has answered.
        """
        self._cut_after = requests

    def cut_in_mid_frame(self) -> None:
        """Of what each connection carries next, in the one direction or the other, let a part through and cut it."""
        for pair in self._pairs:
            pair.doomed = self._rng.choice([pair.client, pair.server])

    def freeze(self) -> None:
        if self._thawed.is_set():
            self._thawed = trio.Event()

    def thaw(self) -> None:
        self._thawed.set()

    def refuse(self) -> None:
        self._refusing = True
        for pair in self._pairs:
            self._cut(pair)

    def admit(self) -> None:
        self._refusing = False

    async def run(self, *, task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED) -> None:
        if isinstance(self._listening, Path):
            sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            await sock.bind(os.fspath(self._listening))
        else:
            sock = trio.socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            await sock.bind(self._listening)
        sock.listen()
        await trio.serve_listeners(self._serve, [trio.SocketListener(sock)], task_status=task_status)

    async def _serve(self, client: trio.SocketStream) -> None:
        async with client:
            if self._refusing or (self.limit is not None and len(self._pairs) >= self.limit):
                return
            try:
                server = await (self._server() if callable(self._server) else _connect(self._server))
            except OSError:
                return
            async with server, trio.open_nursery() as nursery:
                pair = _Pair(client, server, nursery.cancel_scope)
                self._pairs.add(pair)
                nursery.start_soon(self._pump, pair, client, server, self._seen_request)
                nursery.start_soon(self._pump, pair, server, client, self._seen_answer)
            self._pairs.discard(pair)

    async def _pump(
        self,
        pair: "_Pair",
        source: trio.SocketStream,
        target: trio.SocketStream,
        passes: Callable[["_Pair"], bool],
    ) -> None:
        with suppress(trio.BrokenResourceError):
            async for data in source:
                if self.delay:
                    await trio.sleep(self.delay)
                await self._thawed.wait()
                if pair.doomed is source:
                    await target.send_all(data[: self._rng.randrange(len(data))])
                    self._cut(pair)
                if not passes(pair):
                    self.cuts += 1
                    break
                await target.send_all(data)
        pair.scope.cancel()

    def _seen_request(self, pair: "_Pair") -> bool:
        if self._cut_after is not None:
            self._cut_after -= 1
            if self._cut_after == 0:
                self._cut_after, pair.answerless = None, True
        return True

    def _seen_answer(self, pair: "_Pair") -> bool:
        return not pair.answerless

    def _cut(self, pair: "_Pair") -> None:
        """By resets or by orderly ends, as it happens."""
        if self._rng.random() < 0.5 and not isinstance(self._server, Path):
            for stream in (pair.client, pair.server):
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.cuts += 1
        pair.scope.cancel()


@attrs.define(eq=False)
class _Pair:
    """One connection on both sides. `doomed` is the side whose next bytes are its last."""

    client: trio.SocketStream
    server: trio.SocketStream
    scope: trio.CancelScope
    doomed: trio.SocketStream | None = None
    answerless: bool = False


async def _connect(place: Place) -> trio.SocketStream:
    if isinstance(place, Path):
        return await trio.open_unix_socket(os.fspath(place))
    return await trio.open_tcp_stream(*place)


@asynccontextmanager
async def running_proxy(proxy: Proxy) -> AsyncGenerator[None]:
    """The proxy's task around the block."""
    async with trio.open_nursery() as nursery:
        await nursery.start(proxy.run)
        try:
            yield
        finally:
            nursery.cancel_scope.cancel()


class ProxyThread:
    """Proxies that run in a thread of their own, as those must that outlive a test's event loop."""

    def __init__(self, proxies: list[Proxy]) -> None:
        self._proxies = proxies
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()

    def control(self, action: Callable[[], None]) -> None:
        """Have one of the proxies' controls called, soon."""
        assert self._token is not None
        self._token.run_sync_soon(action)

    async def _main(self, started: Callable[[], None]) -> None:
        with self._scope:
            async with trio.open_nursery() as nursery:
                for proxy in self._proxies:
                    start: Callable[..., Awaitable[object]] = proxy.run
                    await nursery.start(start)
                self._token = trio.lowlevel.current_trio_token()
                started()

    @classmethod
    @contextmanager
    def running(cls, *proxies: Proxy) -> Generator["ProxyThread"]:
        """A thread with these proxies around the block."""
        host = cls(list(proxies))
        started = threading.Event()
        thread = threading.Thread(target=trio.run, args=(host._main, started.set), daemon=True)
        thread.start()
        assert started.wait(10), "the proxies did not start"
        try:
            yield host
        finally:
            host.control(host._scope.cancel)
            thread.join(10)
