"""The way from the management thread into the node's loop and back."""

import contextlib
from collections.abc import Awaitable, Callable
from math import inf
from typing import Final, Generic, TypeVar

import trio
from attrs import define, field

from chatcore.errors import ChatError, ErrorCode, overloaded, unavailable

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
        _tell(self.answered, self.taken)
        try:
            # Nobody waits any more: what is not begun has no effect that gets lost.
            if self.scope.cancel_called:
                return
            with self.scope:
                self.values.append(await self.work())
        # Not handled here but carried to who asked, in the other loop.
        except Exception as error:
            self.error = error
        finally:
            _tell(self.answered, self.done)

    def refuse(self) -> None:
        self.refused = True
        _tell(self.answered, self.taken)


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
        """In the other loop: have the node's do `work`. Raises what that raises, `LoopBlockedError` when it was not
        begun, `OVERLOADED`, and `UNAVAILABLE` when it takes more than `timeout` seconds.
        """
        return await self._have_done(work, self._patience, timeout, trio.Event.wait)

    async def look(self, work: Callable[[], Awaitable[T]], *, timeout: float) -> T:
        """As `call`, for what has no effect: it is left where it is when the loop blocks in the midst of it."""
        return await self._have_done(work, self._patience, timeout, self._wait_watchfully)

    async def hold(self, work: Callable[[], Awaitable[None]]) -> None:
        """As `call`, for what goes on until it is cancelled; a loop that is blocked, or overloaded, is waited for.

        It raises what `work` raises. The end of the node is none of its errors: who holds something ends with it.
        """
        while True:
            try:
                await self._have_done(work, inf, inf, trio.Event.wait)
            except ChatError as error:
                if error.code is not ErrorCode.OVERLOADED:
                    await trio.sleep_forever()
                await trio.sleep(self._patience)

    async def _have_done(
        self,
        work: Callable[[], Awaitable[T]],
        patience: float,
        timeout: float,
        wait: Callable[[trio.Event], Awaitable[None]],
    ) -> T:
        job = _Job(work, trio.lowlevel.current_trio_token())

        def post() -> None:
            try:
                self._send.send_nowait(job.run)
            except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
                job.refuse()

        try:
            self._token.run_sync_soon(post)
            with trio.move_on_after(patience) as waiting:
                await job.taken.wait()
            if waiting.cancelled_caught:
                raise LoopBlockedError
            if job.refused:
                raise overloaded("Too much is asked of this node")
            with trio.move_on_after(timeout):
                await wait(job.done)
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

    async def _wait_watchfully(self, done: trio.Event) -> None:
        """Raises `LoopBlockedError` when the loop gives no sign of life."""
        here = trio.lowlevel.current_trio_token()
        while not done.is_set():
            with trio.move_on_after(self._patience):
                await done.wait()
                return
            alive = trio.Event()
            self._token.run_sync_soon(_tell, here, alive)
            with trio.move_on_after(self._patience) as waiting:
                await alive.wait()
            if waiting.cancelled_caught and not done.is_set():
                raise LoopBlockedError


def _tell(loop: trio.lowlevel.TrioToken, event: trio.Event) -> None:
    """Set an event of another loop, unless that has ended."""
    with contextlib.suppress(trio.RunFinishedError):
        loop.run_sync_soon(event.set)
