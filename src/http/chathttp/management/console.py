"""What the console's routes do, in the management thread's loop."""

import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import structlog
import trio

from chatconsole.api import messages as api
from chatconsole.api.tasks import Stack
from chatcore.errors import ChatError, ErrorCode, invalid, not_found
from chathttp.management.actions import Action, Actions
from chathttp.management.crossing import Crossing, LoopBlockedError
from chathttp.management.following import Take
from chathttp.management.inspector import Inspector, LoopFacts, bounded
from chathttp.management.observer import Observer
from chathttp.management.repl import Repl
from chathttp.management.tree import find_task, stack

LOOK_TIMEOUT: Final = 15.0
"""Seconds for one look."""
CONFIRM_SECONDS: Final = 60.0
"""In which an action must be confirmed."""
_MOST_PENDING: Final = 8

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chathttp.console")


class Console:
    """One for each run of the management port."""

    def __init__(
        self,
        crossing: Crossing,
        inspector: Inspector,
        observer: Observer,
        actions: Actions,
        facts: LoopFacts,
        follow: Callable[[api.Follow], AbstractAsyncContextManager[Take]],
        repl: Callable[[], Repl] | None,
    ) -> None:
        self.follow: Final = follow
        """Given what to follow; while the block runs, what it gives tells what is new."""
        self._make_repl = repl
        self._crossing = crossing
        self._inspector = inspector
        self._observer = observer
        self._actions = actions
        self._facts = facts

    async def look(self, view: api.View, who: str) -> api.Snapshot:
        """A snapshot; of what is known beside it when the node's loop is blocked. `who` asks, for the log."""
        view = bounded(view)
        if view.reveal:
            _log.warning("console: users revealed", who=who, sections=[each.value for each in view.sections])

        async def look() -> api.Snapshot:
            return await self._inspector.look(view)

        try:
            return await self._crossing.look(look, timeout=LOOK_TIMEOUT)
        except LoopBlockedError:
            return self._inspector.look_beside(view, self._facts)

    async def stack(self, task_id: str) -> Stack:
        """Raises `NOT_FOUND`."""

        async def look() -> Stack:
            task = find_task(self._facts.root, task_id)
            if task is None:
                raise not_found("The task")
            return stack(task)

        try:
            return await self._crossing.call(look, timeout=LOOK_TIMEOUT)
        except LoopBlockedError:
            return await look()

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        """The observer is installed while the block runs."""
        async with self._held(self._observer.attach, self._observer.detach):
            yield

    @asynccontextmanager
    async def timing(self, view: api.View) -> AsyncGenerator[None]:
        """Steps are timed while the block runs, if `view` shows anything of that."""
        if not view.times_steps:
            yield
            return
        async with self._held(self._observer.time_steps, self._observer.time_no_steps):
            yield

    @asynccontextmanager
    async def _held(self, begin: Callable[[], None], end: Callable[[], None]) -> AsyncGenerator[None]:
        """In the node's loop `begin` is called, and `end` when the block ends, or the loop does."""
        asked = trio.Event()

        async def hold_until_cancelled() -> None:
            begin()
            try:
                await trio.sleep_forever()
            finally:
                end()

        async def keep() -> None:
            asked.set()
            await self._crossing.hold(hold_until_cancelled)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep)
            await asked.wait()
            yield
            nursery.cancel_scope.cancel()

    def repl(self) -> Repl:
        """A new one. Raises `FORBIDDEN` unless the node was started with it allowed."""
        if self._make_repl is None:
            raise ChatError(ErrorCode.FORBIDDEN, "This node was not started with STACKMENTOR_CONSOLE_REPL allowed")
        return self._make_repl()

    async def run(self, repl: Repl, request: api.Run, who: str) -> api.Ran:
        """Run what was typed, each line of which is noted in the log first. Raises `UNAVAILABLE`."""
        for number, line in enumerate(request.source.splitlines(), 1):
            _log.warning("console: python", who=who, number=number, line=line)
        try:
            ran = await repl.run(request.id, request.source)
        except LoopBlockedError:
            raise ChatError(ErrorCode.UNAVAILABLE, "The event loop is blocked", retry_after=1.0) from None
        failed = None if ran.failure is None else ran.failure.type
        _log.warning("console: python done", who=who, seconds=ran.seconds, failed=failed)
        return ran

    def prepare(self, request: api.Act) -> tuple[Action, str]:
        """What an action would do. Raises `FORBIDDEN` when actions are off, and what is wrong with the request."""
        return self._actions.prepare(request.action, request.target, request.value)

    async def perform(self, action: Action, who: str) -> str:
        """Do what was confirmed, and note it in the log. Raises `ChatError`."""
        _log.warning("console: action", who=who, action=action.name, target=action.target, value=action.value)
        try:
            says = await self._crossing.call(action.perform, timeout=LOOK_TIMEOUT)
        except LoopBlockedError:
            raise ChatError(ErrorCode.UNAVAILABLE, "The event loop is blocked", retry_after=1.0) from None
        except ChatError as error:
            _log.warning("console: action refused", who=who, action=action.name, target=action.target, why=str(error))
            raise
        _log.warning("console: action done", who=who, action=action.name, target=action.target, outcome=says)
        return says


class Pending:
    """The actions of one connection that wait to be confirmed."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[float, Action]] = {}

    def add(self, action: Action) -> str:
        """The nonce that confirms it, once."""
        while len(self._waiting) >= _MOST_PENDING:
            del self._waiting[next(iter(self._waiting))]
        nonce = secrets.token_urlsafe(12)
        self._waiting[nonce] = (trio.current_time() + CONFIRM_SECONDS, action)
        return nonce

    def take(self, nonce: str) -> Action:
        """Raises `VALIDATION_ERROR`."""
        until, action = self._waiting.pop(nonce, (0.0, None))
        if action is None or trio.current_time() > until:
            raise invalid("nonce", "nothing waits to be confirmed by it")
        return action
