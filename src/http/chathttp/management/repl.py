"""Python in the node's loop, for who is allowed to: bounded in time and output."""

import ast
import ctypes
import inspect
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from types import CodeType, FunctionType, coroutine
from typing import Any, Final, cast

import trio
from attrs import define, field, frozen

from chatconsole.api.messages import Ran
from chatconsole.api.parts import Failure
from chathttp.management.crossing import Crossing
from chathttp.management.places import failure

FILE: Final = "<console>"
_GRACE: Final = 1.0
"""Seconds for what was interrupted to end."""


class TooSlow(BaseException):  # what happened; no `except Exception` of what runs is to catch it
    """The time for it was over."""


@frozen
class ReplLimits:
    """`seconds` for one run, `characters` of its output."""

    seconds: float
    characters: int


@define
class _Output:
    limit: int
    parts: list[str] = field(factory=list[str])
    size: int = 0

    def write(self, text: str) -> None:
        kept = text[: max(0, self.limit - self.size)]
        self.size += len(text)
        if kept:
            self.parts.append(kept)

    def print(self, *values: object, sep: str = " ", end: str = "\n") -> None:
        self.write(sep.join(map(str, values)) + end)


class _Guard:
    """Interrupts steps of the loop's thread from another one: an exception is raised in them, and nowhere else."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: int | None = None
        self.over = False

    @contextmanager
    def step(self) -> Generator[None]:
        """In the loop's thread."""
        with self._lock:
            if self.over:
                raise TooSlow
            self._thread = threading.get_ident()
        try:
            yield
        finally:
            with self._lock:
                self._thread = None
                if self.over:
                    # One that was sent too late to arrive in the step must not arrive anywhere else.
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.get_ident()), None)

    def interrupt(self) -> None:
        """From another thread."""
        with self._lock:
            self.over = True
            if self._thread is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(TooSlow))


class Repl:
    """The names of one console. `run` is called in the management thread's loop."""

    def __init__(self, crossing: Crossing, limits: ReplLimits, names: Mapping[str, object]) -> None:
        self._crossing = crossing
        self._limits = limits
        self._names: dict[str, Any] = {"__name__": FILE, "trio": trio, **names}

    async def run(self, number: int, source: str) -> Ran:
        """Raises `LoopBlockedError` when it was not begun."""
        output = _Output(self._limits.characters)
        guard = _Guard()
        began = time.perf_counter()

        async def work() -> Failure | None:
            return await self._work(source, output, guard)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(_interrupt_after, guard, self._limits.seconds)
            failed = await self._crossing.call(work, timeout=self._limits.seconds + _GRACE)
            nursery.cancel_scope.cancel()
        took = round(time.perf_counter() - began, 6)
        return Ran(number, "".join(output.parts), output.size > output.limit, failed, took)

    async def _work(self, source: str, output: _Output, guard: _Guard) -> Failure | None:
        """In the node's loop."""
        self._names["print"] = output.print
        with trio.move_on_after(self._limits.seconds):
            try:
                for code, is_expression in _compiled(source):
                    value = await _stepwise(self._call(code), guard)
                    if is_expression and value is not None:
                        with guard.step():
                            output.write(f"{value!r}\n")
            # What was typed may fail in any way: that is the answer, not an error of the node.
            except (Exception, TooSlow, SystemExit) as error:
                return failure(error)
            return None
        return failure(TooSlow(f"it took longer than {self._limits.seconds:g} s"))

    async def _call(self, code: CodeType) -> object:
        value: object = FunctionType(code, self._names)()
        return await cast("Coroutine[Any, Any, object]", value) if code.co_flags & inspect.CO_COROUTINE else value


def _compiled(source: str) -> Generator[tuple[CodeType, bool]]:
    """Statement by statement, and whether it is an expression, whose value is told. Raises `SyntaxError`."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    module = compile(source, FILE, "exec", flags | ast.PyCF_ONLY_AST)
    for statement in cast("ast.Module", module).body:
        tree: ast.Expression | ast.Module
        if isinstance(statement, ast.Expr):
            tree, mode = ast.Expression(statement.value), "eval"
        else:
            tree, mode = ast.Module([statement], []), "exec"
        yield compile(tree, FILE, mode, flags), mode == "eval"


@coroutine
def _stepwise(running: Coroutine[Any, Any, object], guard: _Guard) -> Generator[Any, Any, object]:
    """Drives `running` as `await` does, each step within the guard."""
    resume: Callable[[], Any] = lambda: running.send(None)  # noqa: E731  # one of three ways to go on
    while True:
        try:
            with guard.step():
                trap = resume()
        except StopIteration as end:
            return end.value
        try:
            sent = yield trap
        except BaseException as error:  # handed on to what runs, `Cancelled` included
            thrown = error
            resume = lambda thrown=thrown: running.throw(thrown)  # noqa: E731
        else:
            resume = lambda sent=sent: running.send(sent)  # noqa: E731


async def _interrupt_after(guard: _Guard, seconds: float) -> None:
    await trio.sleep(seconds)
    guard.interrupt()
