"""Who is online, in memory: for a node that is alone, and as the twin for tests."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from uuid import UUID

import attrs
import trio

from actors.adapters.memory.faults import Faults
from actors.presence.ports import Seen


@attrs.define
class _Person:
    leases: set[UUID] = attrs.field(factory=set[UUID])
    seen_at: datetime | None = None


@attrs.define
class _Lease:
    lapses_at: float
    beat_at: datetime


class MemoryPresenceStore:
    """`PresenceStore` in memory. A lease lasts `lifetime` seconds by `clock`; when `memory` users are known, the one
    who came or left longest ago is forgotten if he is offline.
    """

    def __init__(
        self, lifetime: float, clock: Callable[[], float] = trio.current_time, *, memory: int = 100_000
    ) -> None:
        self.faults = Faults()
        self._lifetime = lifetime
        self._clock = clock
        self._memory = memory
        self._leases: dict[UUID, _Lease] = {}
        self._people: dict[UUID, _Person] = {}

    async def open(self, lease: UUID, at: datetime) -> None:
        await self.faults.before("open")
        self._leases[lease] = _Lease(self._clock() + self._lifetime, at)

    async def beat(self, lease: UUID, at: datetime) -> Collection[UUID] | None:
        await self.faults.before("beat")
        if not self._lasts(lease):
            return None
        self._leases[lease] = _Lease(self._clock() + self._lifetime, at)
        return {each for each in self._leases if self._lasts(each)}

    async def come(self, lease: UUID, user_ids: Collection[UUID], *, instead_of: UUID | None = None) -> None:
        await self.faults.before("come")
        for user_id in user_ids:
            person = self._touch(user_id)
            person.leases.add(lease)
            if instead_of is not None:
                person.leases.discard(instead_of)

    async def leave(self, lease: UUID, left: Mapping[UUID, datetime]) -> None:
        await self.faults.before("leave")
        for user_id, at in left.items():
            person = self._touch(user_id)
            person.leases.discard(lease)
            person.seen_at = at

    async def lookup(self, user_ids: Collection[UUID]) -> dict[UUID, Seen]:
        await self.faults.before("lookup")
        return {user_id: self._seen(self._people.get(user_id)) for user_id in user_ids}

    async def close(self, lease: UUID) -> None:
        await self.faults.before("close")
        if lease in self._leases:
            self.lapse(lease)

    def lapse(self, lease: UUID) -> None:
        """As if its beats had stayed away."""
        self._leases[lease].lapses_at = self._clock()

    def lose_all(self) -> None:
        """As a store does that starts again empty."""
        self._leases.clear()
        self._people.clear()

    def _lasts(self, lease: UUID) -> bool:
        return lease in self._leases and self._clock() < self._leases[lease].lapses_at

    def _touch(self, user_id: UUID) -> _Person:
        person = self._people[user_id] = self._people.pop(user_id, None) or _Person()
        if len(self._people) > self._memory:
            oldest = next(iter(self._people))
            if not any(map(self._lasts, self._people[oldest].leases)):
                del self._people[oldest]
        return person

    def _seen(self, person: _Person | None) -> Seen:
        if person is None:
            return Seen(online=False, last_seen_at=None)
        if any(map(self._lasts, person.leases)):
            return Seen(online=True, last_seen_at=None)
        for lease in person.leases:
            if lease in self._leases:
                beat_at = self._leases[lease].beat_at
                person.seen_at = beat_at if person.seen_at is None else max(person.seen_at, beat_at)
        person.leases.clear()
        return Seen(online=False, last_seen_at=person.seen_at)
