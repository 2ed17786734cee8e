"""The one-shot answer that a trio task waits for while the database works on it."""

from collections.abc import Callable
from typing import Generic, TypeVar

import trio
from trio.lowlevel import Abort, Task

from chatcore.errors import unavailable

T = TypeVar("T")


class Ticket(Generic[T]):
    """Settled once, from either side; what comes later, or after the asker gave up, is ignored. One task may wait, or
    nobody does and `told` is called when it is settled; it must not raise.
    """

    __slots__ = ("_asker", "_error", "_told", "_values", "deadline", "settled")

    def __init__(self, deadline: float, told: Callable[[T | Exception], None] | None = None) -> None:
        self.deadline = deadline
        self._told = told
        self.settled = False
        self._asker: Task | None = None
        self._values: list[T] = []
        self._error: Exception | None = None

    def succeed(self, value: T) -> None:
        if not self.settled:
            self._values.append(value)
            self._settle()

    def fail(self, error: Exception) -> None:
        if not self.settled:
            self._error = error
            self._settle()

    def expire(self) -> None:
        """The deadline has passed: the work goes on, its outcome is unknown."""
        self.fail(unavailable("The database did not answer in time"))

    async def wait(self) -> T:
        """The value, or raises the error: `UNAVAILABLE` at the deadline."""
        with trio.move_on_at(self.deadline) as patience:
            return await self.result()
        assert patience.cancelled_caught
        self.expire()
        return self._outcome()

    async def result(self) -> T:
        """As `wait`, where somebody else sees to the deadline."""
        if self.settled:
            await trio.lowlevel.checkpoint()
        else:
            self._asker = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._give_up)
        return self._outcome()

    def _outcome(self) -> T:
        if self._error is not None:
            raise self._error
        return self._values[0]

    def _settle(self) -> None:
        self.settled = True
        if self._asker is not None:
            trio.lowlevel.reschedule(self._asker)
            self._asker = None
        elif self._told is not None:
            self._told(self._values[0] if self._error is None else self._error)
            self._told = None

    def _give_up(self, _: object) -> Abort:
        self._asker = None
        return Abort.SUCCEEDED
