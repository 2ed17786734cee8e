"""Whose accounts are erased: nobody may act for them any more, on any node."""

from collections.abc import Callable, Collection
from typing import Final
from uuid import UUID

import trio

from actors.privacy.ports import ErasureStore
from actors.rounds import RoundFigures, every

_OVERLAP: Final = 60.0
"""Seconds by which one look reaches back behind the one before: a transaction is seen later than its time."""


class Erased:
    """This node's copy of who is erased, all of them ever: an identity provider elsewhere may go on to issue tokens.

    Word of the other nodes comes by `hear`; that which is lost is found in the database within `refresh_seconds`.
    `tell_others` tells them, and `close` ends what is open for the given users on this node; neither waits. Permanent:
    it keeps what it knows.
    """

    def __init__(self, store: ErasureStore, *, refresh_seconds: float, tell_others: Callable[[UUID], None]) -> None:
        self._store = store
        self._refresh_seconds = refresh_seconds
        self._tell_others = tell_others
        self._known: set[UUID] = set()
        self._loaded = trio.Event()
        self._wanted = trio.Event()
        self._looked_at: float | None = None
        self.closers: list[Callable[[Collection[UUID]], None]] = []
        """Each ends what is open for these users here, at once."""
        self.rounds = RoundFigures()

    def __contains__(self, user_id: UUID) -> bool:
        return user_id in self._known

    def __len__(self) -> int:
        return len(self._known)

    async def loaded(self) -> None:
        """Wait until those of before the start are known: until then nobody's token may be believed."""
        await self._loaded.wait()

    def add(self, user_id: UUID) -> None:
        """Just now, by this node: told to the others, too."""
        self._learn([user_id])
        self._tell_others(user_id)

    def hear(self, user_ids: Collection[UUID]) -> None:
        """Another node has erased these, or some, for none."""
        if user_ids:
            self._learn(user_ids)
        else:
            self._wanted.set()

    async def run(self) -> None:
        await every(self._refresh_seconds, self._look, self.rounds, self._wake)

    def _wake(self) -> trio.Event:
        self._wanted = trio.Event()
        return self._wanted

    async def _look(self) -> None:
        now, last = trio.current_time(), self._looked_at
        found = await self._store.erased(within=None if last is None else now - last + _OVERLAP)
        self._looked_at = now
        self._learn(found)
        self._loaded.set()

    def _learn(self, user_ids: Collection[UUID]) -> None:
        new = set(user_ids) - self._known
        if new:
            self._known |= new
            for close in self.closers:
                close(new)
