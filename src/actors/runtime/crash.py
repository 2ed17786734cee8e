"""Telling a crash from a cancellation."""

from collections.abc import Callable
from types import TracebackType
from typing import cast


class CrashGuard:
    """A context manager that catches the ordinary errors of its body and reports them to `on_crash`.

    `trio.Cancelled`, `KeyboardInterrupt` and the like pass. When a group mixes both (a crash while being
    cancelled), the errors are reported and the rest of the group passes.
    """

    def __init__(self, on_crash: Callable[[Exception], None]) -> None:
        self._on_crash = on_crash

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> bool:
        if isinstance(error, Exception):
            self._on_crash(error)
            return True
        if isinstance(error, BaseExceptionGroup):
            crash, rest = cast("BaseExceptionGroup[BaseException]", error).split(Exception)
            if crash is not None:
                self._on_crash(crash)
                if rest is not None:
                    raise rest
        return False
