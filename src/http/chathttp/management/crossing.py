"""The way from the management thread into the node's loop and back."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import trio
from attrs import define, field

from chatcore.errors import overloaded, unavailable

T = TypeVar("T")

JOB_NAME: Final = "management job"
"""Of the tasks that do the jobs in the node's loop."""
WAITING: Final = 64
"""Jobs that may wait to be taken by the loop; more are refused as `OVERLOADED`."""


class LoopBlockedError(Exception):
    """The node's loop did not take the job in time."""


@define(eq=False)
class _Job(Generic[T]):
    """A function for the node's loop, and who in the other loop waits for what comes of it."""

    work: Callable[[], Awaitable[T]]
    answered: trio.lowlevel.TrioToken
    taken: trio.Event = field(factory=trio.Event)
    done: trio.Event = field(factory=trio.Event)
    scope: trio.CancelScope = field(factory=trio.CancelScope)
    values: list[T] = field(factory=lambda: list[T]())
    error: Exception | None = None
    refused: bool = False

    async def run(self) -> None:
        """In the node's loop."""
        self._tell(self.taken)
        try:
            with self.scope:
                self.values.append(await self.work())
        # Not handled here but carried to who asked, in the other loop.
        except Exception as error:
            self.error = error
        finally:
            self._tell(self.done)

    def refuse(self) -> None:
        self.refused = True
        self._tell(self.taken)

    def _tell(self, event: trio.Event) -> None:
        with contextlib.suppress(trio.RunFinishedError):
            self.answered.run_sync_soon(event.set)


class Crossing:
    """Made in the node's loop, which performs the jobs while `run` runs."""

    def __init__(self, *, patience: float) -> None:
        """The loop counts as blocked when it has not taken a job after `patience` seconds."""
        self._token = trio.lowlevel.current_trio_token()
        self._patience = patience
        self._send, self._receive = trio.open_memory_channel[Callable[[], Awaitable[None]]](WAITING)

    async def run(self) -> None:
        """Forever."""
        async with trio.open_nursery() as jobs:
            async for job in self._receive:
                jobs.start_soon(job, name=JOB_NAME)

    async def call(self, work: Callable[[], Awaitable[T]], *, timeout: float) -> T:
        """In the other loop: have the node's do `work`. Raises what that raises, `LoopBlockedError`, `OVERLOADED`, and
        `UNAVAILABLE` when it takes more than `timeout` seconds.
        """
        job = _Job(work, trio.lowlevel.current_trio_token())

        def post() -> None:
            try:
                self._send.send_nowait(job.run)
            except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
                job.refuse()

        try:
            self._token.run_sync_soon(post)
            with trio.move_on_after(self._patience) as waiting:
                await job.taken.wait()
            if waiting.cancelled_caught:
                raise LoopBlockedError
            if job.refused:
                raise overloaded("Too much is asked of this node")
            with trio.move_on_after(timeout):
                await job.done.wait()
        except trio.RunFinishedError:
            raise unavailable("The node has ended") from None
        finally:
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(job.scope.cancel)
        if job.error is not None:
            raise job.error
        if not job.values:
            raise unavailable("The node gave no answer in time")
        return job.values[0]
