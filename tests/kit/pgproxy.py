"""Stands between a client and PostgreSQL, and loses what the server answers."""

import os
import socket
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trio
from psycopg.conninfo import conninfo_to_dict

_PORT = "5432"


class PostgresProxy:
    """Forwards a Unix socket of its own to the server's. `url` is like the server's, but through the proxy."""

    def __init__(self, url: str, directory: Path) -> None:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
        self._server = f"{parts['host']}/.s.PGSQL.{parts.get('port', '5432')}"
        self._listening = directory / f".s.PGSQL.{_PORT}"
        self.url = f"postgresql:///{parts['dbname']}?host={directory}&port={_PORT}&user={parts['user']}"
        self._cut_after: int | None = None
        self.cuts = 0
        self._open = 0
        self.limit: int | None = None
        """Connections at once; more are closed as soon as they come."""

    def cut_answer_after(self, requests: int) -> None:
        """Forward the next `requests` writes of any client; swallow what the server answers to the last of them, and
        close that client's connection once the server has answered.
        """
        self._cut_after = requests

    async def run(self, *, task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED) -> None:
        sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        await sock.bind(os.fspath(self._listening))
        sock.listen()
        listener = trio.SocketListener(sock)
        await trio.serve_listeners(self._serve, [listener], task_status=task_status)

    async def _serve(self, client: trio.SocketStream) -> None:
        if self.limit is not None and self._open >= self.limit:
            await client.aclose()
            return
        self._open += 1
        try:
            await self._forward(client)
        finally:
            self._open -= 1

    async def _forward(self, client: trio.SocketStream) -> None:
        doomed = False
        server = await trio.open_unix_socket(self._server)

        async def requests() -> None:
            nonlocal doomed
            with suppress(trio.BrokenResourceError):
                async for data in client:
                    if self._cut_after is not None:
                        self._cut_after -= 1
                        if self._cut_after == 0:
                            self._cut_after, doomed = None, True
                    await server.send_all(data)
            nursery.cancel_scope.cancel()

        async def answers() -> None:
            with suppress(trio.BrokenResourceError):
                async for data in server:
                    if doomed:
                        self.cuts += 1
                        break
                    await client.send_all(data)
            nursery.cancel_scope.cancel()

        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(requests)
            nursery.start_soon(answers)


@asynccontextmanager
async def postgres_proxy(url: str) -> AsyncGenerator[PostgresProxy]:
    """A proxy to the server of `url`, around the block."""
    with tempfile.TemporaryDirectory() as directory:
        proxy = PostgresProxy(url, Path(directory))
        async with trio.open_nursery() as nursery:
            await nursery.start(proxy.run)
            try:
                yield proxy
            finally:
                nursery.cancel_scope.cancel()
