"""Long looks in short steps: the loop goes on between them."""

from collections.abc import Generator
from time import perf_counter
from typing import TypeVar

import trio

T = TypeVar("T")
Looking = Generator[None, None, T]
"""A look that may be interrupted at each `yield`."""


class Budget:
    """How long one look may work, in seconds, and how long it holds the loop at a time."""

    def __init__(self, whole: float, slice_: float) -> None:
        self._whole = whole
        self._slice = slice_
        self.spent = 0.0
        self.pause = 0.0
        """The longest that it held the loop for."""

    @property
    def over(self) -> bool:
        """No more time: the look is to come to an end with what it has."""
        return self.spent >= self._whole

    async def run(self, looking: Looking[T]) -> T:
        """In the loop: works for a slice, then lets the others work for as long. Another look after it begins in a turn
        of its own.
        """
        while True:
            began = perf_counter()
            try:
                while perf_counter() - began < self._slice:
                    next(looking)
            except StopIteration as end:
                found: T = end.value
                break
            finally:
                self._account(perf_counter() - began)
            await trio.sleep(self._slice)
        await trio.lowlevel.checkpoint()
        return found

    def run_beside(self, looking: Looking[T]) -> T:
        """In another thread, while the loop stands still."""
        while True:
            began = perf_counter()
            try:
                next(looking)
            except StopIteration as end:
                return end.value
            finally:
                self.spent += perf_counter() - began

    def _account(self, seconds: float) -> None:
        self.spent += seconds
        self.pause = max(self.pause, seconds)
