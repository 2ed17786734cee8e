"""One-shot answers: how an actor answers one request."""

import logging
import math
from collections.abc import Callable
from typing import Generic, TypeVar

import trio
from trio.lowlevel import Abort, Task

from chatcore.errors import ChatError, ErrorCode

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Reply(Generic[T]):
    """The place for one answer. The first of `succeed` and `fail` settles it, later ones do nothing.

    `deadline` is on Trio's clock: after it the asker has given up. Nothing here watches it: an actor may skip
    what is `expired`, and an asker with a callback settles by its own timer what it no longer waits for.
    """

    __slots__ = ("_callback", "deadline", "settled")

    def __init__(self, callback: Callable[[T | ChatError], None] | None, deadline: float) -> None:
        self._callback = callback
        self.deadline = deadline
        self.settled = False

    @classmethod
    def to(cls, callback: Callable[[T | ChatError], None], deadline: float = math.inf) -> "Reply[T]":
        """A reply that calls `callback` once, synchronously, in the task that settles it.

        The callback must not raise; if it does, the error is logged and the settling task goes on.
        """
        return cls(callback, deadline)

    @classmethod
    def discard(cls) -> "Reply[T]":
        """A reply that nobody reads: fire and forget."""
        return cls(None, math.inf)

    @property
    def expired(self) -> bool:
        """Whether the deadline has passed."""
        return trio.current_time() >= self.deadline

    def succeed(self, value: T) -> None:
        """Answer with `value`."""
        self._settle(value)

    def fail(self, error: ChatError) -> None:
        """Answer with a refusal, which `ask` raises."""
        self._settle(error)

    def abandon(self) -> None:
        """The asker gave up: whatever comes is ignored."""
        self.settled = True
        self._callback = None

    def _settle(self, result: T | ChatError) -> None:
        self.settled = True
        callback, self._callback = self._callback, None
        if callback is None:
            return
        try:
            callback(result)
        except Exception:
            _log.exception("a reply's callback failed")


class Waiter(Generic[T]):
    """Waits in the asker's own task for one reply."""

    __slots__ = ("_result", "_task")

    def __init__(self) -> None:
        self._result: list[T | ChatError] = []
        self._task: Task | None = None

    def settle(self, result: T | ChatError) -> None:
        self._result.append(result)
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None

    async def wait(self, reply: Reply[T]) -> T:
        """The value. Raises the `ChatError` it was failed with, or `UNAVAILABLE` at the reply's deadline."""
        try:
            if self._result:
                await trio.lowlevel.checkpoint()
            else:
                with trio.move_on_at(reply.deadline):
                    self._task = trio.lowlevel.current_task()
                    await trio.lowlevel.wait_task_rescheduled(self._give_up)
        finally:
            reply.abandon()
        if not self._result:
            raise ChatError(ErrorCode.UNAVAILABLE, "No answer in time, the outcome is unknown", retry_after=1.0)
        result = self._result[0]
        if isinstance(result, ChatError):
            # One error may refuse many requests: each raise starts with a traceback of its own.
            raise result.with_traceback(None)
        return result

    def _give_up(self, _: object) -> Abort:
        self._task = None
        return Abort.SUCCEEDED
