"""The ASGI lifespan protocol (asgiref, lifespan 2.0), run by hand around the serving of requests."""

from typing import Final

import trio
from hypercorn.typing import (
    ASGIFramework,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    ASGISendEvent,
    LifespanScope,
)


class LifespanError(Exception):
    """The application could not start, or could not stop, and says why."""


class Lifespan:
    """One run of an application. `run` is a task for as long as it serves."""

    def __init__(self, app: ASGIFramework) -> None:
        self._app = app
        self._asked = False
        self._stop: Final = trio.Event()
        self._started: Final = trio.Event()
        self._stopped: Final = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reports as started once the application has. Raises `LifespanError`."""
        scope: LifespanScope = {"type": "lifespan", "asgi": {"spec_version": "2.0", "version": "3.0"}, "state": {}}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._report, task_status)
            await self._app(scope, self._receive, self._send)
            if not self._started.is_set():
                raise LifespanError("the application ended before it had started")
            self._stopped.set()

    async def stop(self) -> None:
        """Have the application stop, and wait for it."""
        self._stop.set()
        await self._stopped.wait()

    async def _report(self, task_status: trio.TaskStatus[None]) -> None:
        await self._started.wait()
        task_status.started()

    async def _receive(self) -> ASGIReceiveEvent:
        if not self._asked:
            self._asked = True
            await trio.lowlevel.checkpoint()
            return {"type": "lifespan.startup"}
        await self._stop.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: ASGISendEvent) -> None:
        await trio.lowlevel.checkpoint()
        match message["type"]:
            case "lifespan.startup.complete":
                self._started.set()
            case "lifespan.shutdown.complete":
                self._stopped.set()
            case "lifespan.startup.failed" | "lifespan.shutdown.failed":
                raise LifespanError(message["message"])
            case unexpected:
                raise LifespanError(f"the application sent {unexpected}")


async def serve_lifespan(receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """The other side of it, for an application that has nothing to start or to stop."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
