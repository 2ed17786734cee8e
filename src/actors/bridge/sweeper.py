"""Compares the live conversations with the database, so that nothing that the bridge has lost stays unseen."""

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from typing import Protocol
from uuid import UUID

import trio
from attrs import frozen

from actors.bridge.news import DELETED_REV, Advanced, MarksStored
from chatcore.errors import ChatError


@frozen
class SweepPolicy:
    """In seconds; `page` conversations a statement, `gather_seconds` for channels that come into force together."""

    interval: float = 10.0
    interval_away: float = 1.0
    gather_seconds: float = 0.005
    page: int = 1000


class Progress(Protocol):
    """The part of `Standings` in use."""

    async def revs(self, conversation_ids: Collection[UUID]) -> dict[UUID, int]: ...

    async def marks_sums(self, conversation_ids: Collection[UUID]) -> dict[UUID, int]: ...


class Sweeper:
    """Tells a conversation how far the database is when that changed since the last look, or that it is deleted.

    All live conversations are looked at each `interval`, each `interval_away` while `hurried()`, and those whose
    channel has come into force at once. While the database does not answer, it is asked again each `interval_away`.
    """

    def __init__(
        self,
        progress: Progress,
        live: Callable[[], Collection[UUID]],
        marks_watched: Callable[[], Collection[UUID]],
        tell: Callable[[UUID, Advanced | MarksStored], None],
        hurried: Callable[[], bool],
        policy: SweepPolicy,
    ) -> None:
        self.sweeps = 0
        self.told = 0
        """Conversations that were told that the database had gone on."""
        self.failures = 0
        self._progress = progress
        self._live = live
        self._marks_watched = marks_watched
        self._tell = tell
        self._hurried = hurried
        self._policy = policy
        self._revs: dict[UUID, int] = {}
        self._sums: dict[UUID, int] = {}
        self._followed: set[UUID] = set()
        self._last = 0.0
        self._work = trio.Event()

    def check(self, conversation_ids: Iterable[UUID]) -> None:
        """Look at these soon: from now on the bridge hears of them."""
        self._followed.update(conversation_ids)
        if self._followed:
            self._work.set()

    def hurry(self) -> None:
        """What `hurried` says may have changed."""
        self._work.set()

    async def run(self) -> None:
        self._last = trio.current_time()
        while True:
            await self._wait()
            try:
                await self._sweep()
            except ChatError:
                self.failures += 1
                await trio.sleep(self._policy.interval_away)

    async def _wait(self) -> None:
        while not self._followed and trio.current_time() < (next_at := self._next_at()):
            with trio.move_on_at(next_at):
                await self._work.wait()
                self._work = trio.Event()
        if self._followed:
            await trio.sleep(self._policy.gather_seconds)

    def _next_at(self) -> float:
        policy = self._policy
        return self._last + (policy.interval_away if self._hurried() else policy.interval)

    async def _sweep(self) -> None:
        now = trio.current_time()
        if now >= self._next_at():
            await self._sweep_all()
            self._last = now
        elif self._followed:
            followed, self._followed = self._followed, set()
            try:
                await self._compare_revs(followed)
            except ChatError:
                self._followed |= followed
                raise

    async def _sweep_all(self) -> None:
        followed, self._followed = self._followed, set()
        live = self._live()
        try:
            await self._compare_revs(live)
            await self._compare_marks(self._marks_watched())
        except ChatError:
            self._followed |= followed
            raise
        self.sweeps += 1
        self._revs = {each: self._revs[each] for each in live if each in self._revs}

    async def _compare_revs(self, conversation_ids: Collection[UUID]) -> None:
        for page in _pages(conversation_ids, self._policy.page):
            revs = await self._progress.revs(page)
            for conversation_id in page:
                if conversation_id not in revs:
                    self.told += 1
                    self._tell(conversation_id, Advanced(DELETED_REV))
            for conversation_id, rev in revs.items():
                if rev > self._revs.get(conversation_id, -1):
                    self._revs[conversation_id] = rev
                    self.told += 1
                    self._tell(conversation_id, Advanced(rev))

    async def _compare_marks(self, conversation_ids: Collection[UUID]) -> None:
        known, self._sums = self._sums, {}
        for page in _pages(conversation_ids, self._policy.page):
            for conversation_id, total in (await self._progress.marks_sums(page)).items():
                self._sums[conversation_id] = total
                if total != known.get(conversation_id):
                    self._tell(conversation_id, MarksStored(total))


def _pages(ids: Collection[UUID], size: int) -> Iterable[Sequence[UUID]]:
    left = iter(ids)
    while page := list(islice(left, size)):
        yield page
