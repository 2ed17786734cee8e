"""Management ports in a thread, so that a browser can be driven from the test's own."""

import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import Self

import trio

from chatconsole.beacon import Beacon
from chathttp.management.server import ManagementOptions, ManagementServer
from tests.kit.console import PlantedNode


class ManagementThread:
    """Runs one port at a time, of a node that is `planted`."""

    def __init__(self, planted: PlantedNode) -> None:
        self._node = planted
        self._tokens: SimpleQueue[trio.lowlevel.TrioToken] = SimpleQueue()
        self._thread = threading.Thread(target=trio.run, args=(self._live,))

    def __enter__(self) -> Self:
        self._thread.start()
        self._token = self._tokens.get(timeout=20)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._token.run_sync_soon(self._over.set)
        self._thread.join()

    def make(self, options: ManagementOptions) -> ManagementServer:
        return ManagementServer(options, lambda: self._node, self._node.drain)

    def start(self, server: ManagementServer) -> Beacon:
        """Returns when it accepts connections."""

        async def start() -> None:
            await self._nursery.start(self._run, server)

        trio.from_thread.run(start, trio_token=self._token)
        return Beacon(0, "127.0.0.1", server.port, server.token, 0.0, "")

    def stop(self) -> None:
        """Returns when its port is closed."""

        async def stop() -> None:
            self._scope.cancel()
            await self._ended.wait()

        trio.from_thread.run(stop, trio_token=self._token)

    async def run(self, work: Callable[[], None]) -> None:
        """In the node's loop; from a Trio loop of the test's own."""
        await trio.to_thread.run_sync(partial(trio.from_thread.run_sync, work, trio_token=self._token))

    async def block_until(self, over: threading.Event, *, task_status: trio.TaskStatus[None]) -> None:
        """The node's loop, for a minute at most; from a Trio loop of the test's own. Has started once it is blocked."""
        held = threading.Event()

        def block() -> None:
            held.set()
            over.wait(60)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.run, block)
            await trio.to_thread.run_sync(held.wait)
            task_status.started()

    async def _live(self) -> None:
        self._over = trio.Event()
        async with trio.open_nursery() as self._nursery:
            self._tokens.put(trio.lowlevel.current_trio_token())
            await self._over.wait()
            self._nursery.cancel_scope.cancel()

    async def _run(self, server: ManagementServer, *, task_status: trio.TaskStatus[None]) -> None:
        self._ended = trio.Event()
        with trio.CancelScope() as self._scope:
            await server.run(task_status=task_status)
        self._ended.set()
