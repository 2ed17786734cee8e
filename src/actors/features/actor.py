"""The feature flags of a node."""

from collections.abc import Callable
from uuid import UUID

import trio

from actors.features.ports import FeatureStore
from chatcore.errors import ChatError, unavailable
from chatcore.features import Feature


class Features:
    """All flags in memory, so that asking for one costs nothing.

    Mailbox: none; any number of `refresh` make one reading. Owns the node's copy, which is read anew each
    `refresh_seconds`, after every change here, and when another node says that it changed one; until it has been read
    once, nothing is on and `of` refuses. Permanent: a restart keeps the copy and reads it anew.
    """

    def __init__(
        self, store: FeatureStore, *, limit: int, refresh_seconds: float, tell_others: Callable[[], None]
    ) -> None:
        self.read_failures = 0
        self._store = store
        self._limit = limit
        self._refresh_seconds = refresh_seconds
        self._tell_others = tell_others
        self._features: dict[str, Feature] | None = None
        self._readings = 0
        self._applied = 0
        self._wanted = trio.Event()

    def is_on(self, name: str, user_id: UUID) -> bool:
        """False for what is not known."""
        feature = (self._features or {}).get(name)
        return feature is not None and feature.is_on_for(user_id)

    def of(self, user_id: UUID) -> dict[str, bool]:
        """Each flag's state for the user, by name. Errors: `UNAVAILABLE` while none has been read yet."""
        if self._features is None:
            raise unavailable()
        return {name: each.is_on_for(user_id) for name, each in self._features.items()}

    async def all(self) -> list[Feature]:
        """As stored, by name."""
        return await self._store.all()

    async def put(self, feature: Feature, by: UUID) -> None:
        """In force here when this returns, on the other nodes a moment later. Errors: as the store's."""
        await self._store.put(feature, by, limit=self._limit)
        await self._changed()

    async def delete(self, name: str) -> bool:
        """As `put`; whether there was one."""
        was_there = await self._store.delete(name)
        if was_there:
            await self._changed()
        return was_there

    def refresh(self) -> None:
        """Another node may have changed them."""
        self._wanted.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._wanted = trio.Event()
            try:
                await self._read()
            except ChatError:
                # The copy stays as it is: old flags serve better than none.
                self.read_failures += 1
            with trio.move_on_after(self._refresh_seconds):
                await self._wanted.wait()

    async def _changed(self) -> None:
        self._tell_others()
        try:
            await self._read()
        except ChatError:
            # It is stored, which is what was promised; `run` reads it as soon as that is possible.
            self._wanted.set()

    async def _read(self) -> None:
        self._readings += 1
        reading = self._readings
        found = {each.name: each for each in await self._store.all()}
        # Of two that overlap, the one that began later has seen more.
        if reading > self._applied:
            self._applied, self._features = reading, found
