"""The one-shot answer that a trio task waits for while the database works on it."""

from typing import Generic, TypeVar

import trio

from chatcore.errors import unavailable

T = TypeVar("T")


class Ticket(Generic[T]):
    """Settled once, from either side; what comes later, or after the asker gave up, is ignored."""

    __slots__ = ("_error", "_settled", "_values", "deadline")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self._settled = trio.Event()
        self._values: list[T] = []
        self._error: Exception | None = None

    def succeed(self, value: T) -> None:
        if not self._settled.is_set():
            self._values.append(value)
            self._settled.set()

    def fail(self, error: Exception) -> None:
        if not self._settled.is_set():
            self._error = error
            self._settled.set()

    async def wait(self) -> T:
        """The value, or raises the error. `UNAVAILABLE` at the deadline: the work goes on, its outcome is unknown."""
        with trio.move_on_at(self.deadline):
            await self._settled.wait()
        if self._error is not None:
            raise self._error
        if not self._values:
            raise unavailable("The database did not answer in time")
        return self._values[0]
