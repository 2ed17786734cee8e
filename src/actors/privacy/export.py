"""Exports of all that is kept about a user: how many there may be, and their pages."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, TypeVar
from uuid import UUID

import trio
from attrs import frozen

from actors.privacy.ports import START, AuditEntry, Claims, Denied, ExportSource
from chatcore.errors import ChatError, ErrorCode, overloaded, unavailable

T = TypeVar("T")
PAGE: Final = 100
_FINISH_SECONDS: Final = 2.0


@frozen
class ExportPolicy:
    """Seconds: after one export of a user the next may begin `interval` later; one that is not read for `lease`
    seconds is given up. `limit` run on a node at once.
    """

    interval: float = 60.0
    limit: int = 4
    lease: float = 60.0


class Exports:
    """One at a time for each user, on all nodes together, and a bounded number on this one."""

    def __init__(self, source: ExportSource, claims: Claims, policy: ExportPolicy, new_id: Callable[[], UUID]) -> None:
        self.source = source
        self._claims = claims
        self._policy = policy
        self._new_id = new_id
        self._running = 0
        self.begun = 0
        self.broken_off = 0

    @property
    def running(self) -> int:
        return self._running

    async def begin(self, user_id: UUID, address: str | None, request_id: str | None) -> "Export":
        """Errors: `RATE_LIMITED`, `OVERLOADED`. To be ended by `Export.end`, else it ends with its lease."""
        if self._running >= self._policy.limit:
            raise overloaded("Too many exports at once", retry_after=10.0)
        self._running += 1
        try:
            export = await self._begin(user_id, address, request_id)
        except BaseException:
            self._running -= 1
            raise
        self.begun += 1
        return export

    async def _begin(self, user_id: UUID, address: str | None, request_id: str | None) -> "Export":
        holder, name, policy = self._new_id(), f"export {user_id}", self._policy
        claim = await self._claims.take(name, holder, lease=policy.lease, interval=policy.interval)
        if isinstance(claim, Denied):
            raise ChatError(ErrorCode.RATE_LIMITED, "One export at a time", retry_after=claim.wait)
        await self.source.note(AuditEntry(self._new_id(), user_id, "export", address, request_id))
        return Export(self, name, holder)

    async def prolong(self, export: "Export") -> None:
        """Raises `UNAVAILABLE` when it was given up."""
        if not await self._claims.hold(export.name, export.holder, START, lease=self._policy.lease):
            raise unavailable("The export took too long")

    async def finish(self, export: "Export", *, whole: bool) -> None:
        self._running -= 1
        self.broken_off += not whole
        with trio.move_on_after(_FINISH_SECONDS, shield=True):
            try:
                await self._claims.finish(export.name, export.holder)
            except ChatError:
                # Then it ends with its lease.
                return

    @property
    def lease(self) -> float:
        return self._policy.lease


class Export:
    """One that was begun. Its pages come as fast as they are asked for."""

    def __init__(self, exports: Exports, name: str, holder: UUID) -> None:
        self.name = name
        self.holder = holder
        self._exports = exports
        self._prolonged_at = trio.current_time()
        self._ended = False

    async def end(self, *, whole: bool) -> None:
        if not self._ended:
            self._ended = True
            await self._exports.finish(self, whole=whole)

    async def keep(self) -> None:
        """Called for each page."""
        now = trio.current_time()
        if now - self._prolonged_at > self._exports.lease / 3:
            self._prolonged_at = now
            await self._exports.prolong(self)


async def paged(read: Callable[[T | None], Awaitable[list[T]]]) -> AsyncGenerator[list[T]]:
    """Pages of `PAGE` until one is not full; `read` is given the last item of the one before."""
    last: T | None = None
    while page := await read(last):
        yield page
        if len(page) < PAGE:
            return
        last = page[-1]
