"""Lines of source code: where tasks are, and where errors came from."""

import contextlib
import traceback
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Final, cast

import outcome
import trio
from trio.lowlevel import Task

from chatconsole.api.parts import Failure
from chatconsole.api.tasks import Place

MAX_STACK: Final = 50
"""Lines of one stack; of a longer one the innermost are kept."""
MAX_MESSAGE: Final = 500
_MAX_DEPTH: Final = 5
_MACHINERY: Final = (
    f"{Path(trio.__file__).parent}/",
    f"{Path(outcome.__file__).parent}/",
    contextlib.__file__,
)
_LIBRARIES: Final = ("/site-packages/", str(Path(contextlib.__file__).parent) + "/", "<frozen ")


@lru_cache(8192)
def _is_machinery(code: CodeType) -> bool:
    return code.co_filename.startswith(_MACHINERY)


def is_library(place: Place) -> bool:
    return any(part in place.file for part in _LIBRARIES)


def place_of(frame: FrameType, line: int | None = None) -> Place:
    return Place(frame.f_code.co_filename, (line or frame.f_lineno) or 0, frame.f_code.co_qualname)


def where(task: Task) -> tuple[Place | None, str | None]:
    """The innermost line of `task` that is not Trio's, and the function of Trio's that is called in there."""
    found: tuple[FrameType, int] | None = None
    trap: str | None = None
    for frame, line in task.iter_await_frames():
        if not _is_machinery(frame.f_code):
            found, trap = (frame, line), None
        elif trap is None:
            trap = frame.f_code.co_qualname
    return (None if found is None else place_of(*found)), trap


def stack_of(frame: FrameType | None) -> list[Place]:
    """The calls that led to `frame`, and it, innermost last."""
    found: list[Place] = []
    while frame is not None and len(found) < MAX_STACK:
        found.append(place_of(frame))
        frame = frame.f_back
    found.reverse()
    return found


def innermost_own(stack: Iterable[Place]) -> Place | None:
    """The last line that is neither Trio's nor a library's; else the last of all."""
    places = list(stack)
    own = [each for each in places if not is_library(each)]
    return own[-1] if own else (places[-1] if places else None)


def failure(error: BaseException, depth: int = 0) -> Failure:
    """An exception as the console shows it, its groups and causes some levels deep."""
    stack = [
        Place(frame.f_code.co_filename, line, frame.f_code.co_qualname)
        for frame, line in traceback.walk_tb(error.__traceback__)
    ][-MAX_STACK:]
    inner: list[Failure] = []
    kind, message = type(error).__qualname__, str(error)[:MAX_MESSAGE]
    if isinstance(error, BaseExceptionGroup) and depth < _MAX_DEPTH:
        group = cast("BaseExceptionGroup[BaseException]", error)
        inner = [failure(each, depth + 1) for each in group.exceptions[:MAX_STACK]]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return Failure(
        type=kind,
        message=message,
        where=innermost_own(stack),
        stack=stack,
        inner=inner,
        cause=failure(cause, depth + 1) if cause is not None and depth < _MAX_DEPTH else None,
    )
