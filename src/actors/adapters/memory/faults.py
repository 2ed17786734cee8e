"""What tests make go wrong in the in-memory twins."""

from collections import Counter, deque

import trio
from attrs import frozen

from chatcore.errors import unavailable


@frozen
class _Failure:
    method: str | None
    error: Exception
    after_commit: bool


class Faults:
    """Failures and pauses for the methods of all four ports, named as in `actors.ports`."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        """Calls of each method so far, those that failed or wait included."""
        self._failures: deque[_Failure] = deque()
        self._gates: dict[str | None, trio.Event] = {}

    def fail_next(
        self, error: Exception | None = None, *, method: str | None = None, after_commit: bool = False
    ) -> None:
        """Let the next call (of `method`) raise `error`, else `UNAVAILABLE`; failures queue up.

        With `after_commit` the call does its work first: the outcome that the caller cannot know.
        """
        self._failures.append(_Failure(method, error or unavailable(), after_commit))

    def pause(self, method: str | None = None) -> None:
        """Let calls (of `method`, else all) wait before they do anything, until `resume` with the same argument."""
        self._gates.setdefault(method, trio.Event())

    def resume(self, method: str | None = None) -> None:
        self._gates.pop(method).set()

    async def before(self, method: str) -> None:
        self.calls[method] += 1
        await trio.lowlevel.checkpoint()
        for key in (None, method):
            while (gate := self._gates.get(key)) is not None:
                await gate.wait()
        self._raise(method, after_commit=False)

    def after(self, method: str) -> None:
        self._raise(method, after_commit=True)

    def _raise(self, method: str, *, after_commit: bool) -> None:
        for failure in self._failures:
            if failure.method in (None, method) and failure.after_commit is after_commit:
                self._failures.remove(failure)
                raise failure.error
