"""Finds the messages that are to be pushed, by their ids, with nothing done when they are appended."""

from typing import Final
from uuid import UUID

import trio
from attrs import define, field, frozen

from actors.presence.ports import PresenceLookup
from actors.privacy.ports import START, Claims, Taken
from actors.push.ports import Found, Fresh, PushStore, Waiting, Wanted
from actors.rounds import RoundFigures, every

CLAIM: Final = "push"
_PAGE: Final = 500
_REMEMBERED: Final = 200_000
"""Messages remembered as looked at. Those beyond are looked at once more, which queues nothing twice."""
_LOOKUP: Final = 500
"""Users whose presence is asked for at once."""
_DONE_SECONDS: Final = 3600.0


@frozen
class FinderPolicy:
    """In seconds. `settle` is longer than a message may take from its id to its commit, and clocks differ."""

    interval: float = 1.0
    delay: float = 1.0
    settle: float = 40.0
    lease: float = 10.0


@define
class FinderFigures:
    """`queued` is of this node since its start, `waiting` of all nodes when last looked at."""

    queued: int = 0
    waiting: Waiting = field(factory=lambda: Waiting(0, 0.0))
    rounds: RoundFigures = field(factory=RoundFigures)


class PushFinder:
    """Permanent. Any number of nodes may run it: one at a time has the claim.

    Message ids rise with time (RFC 9562, section 5.7). Each round looks at what has come since the last one, so that a
    push is prompt, and once more at what has come up to `settle` seconds ago, so that what was committed late is not
    missed. Up to there, and no further, goes the position that is stored; whoever goes on after this node begins there.
    """

    def __init__(
        self, store: PushStore, claims: Claims, presence: PresenceLookup, policy: FinderPolicy, holder: UUID
    ) -> None:
        self._store = store
        self._claims = claims
        self._presence = presence
        self._policy = policy
        self._holder = holder
        self._newest = START
        self._seen: dict[UUID, None] = {}
        self._position: UUID | None = None
        self.figures = FinderFigures()

    async def run(self) -> None:
        await every(self._policy.interval, self._round, self.figures.rounds, trio.Event)

    async def _round(self) -> None:
        self.figures.waiting = await self._store.waiting()
        taken = await self._claims.take(CLAIM, self._holder, lease=self._policy.lease, interval=0.0)
        if not isinstance(taken, Taken):
            self._position = None
            return
        now, any_devices = await self._store.clock()
        settled = first_id_of(now - self._policy.settle)
        if self._position != taken.position:
            # Another node has been here meanwhile, or this one has just begun.
            self._seen.clear()
            self._newest = self._position = taken.position
        if taken.position == START or not any_devices:
            # A device hears of little that came before it was registered.
            await self._settle(max(settled, taken.position))
            self._newest = max(self._newest, settled)
            self._seen.clear()
            return
        await self._look_at_new()
        await self._look_at_settled(taken.position, settled)
        await self._store.sweep(older_than=_DONE_SECONDS)

    async def _look_at_new(self) -> None:
        while True:
            page = await self._store.scan(self._newest, None, limit=_PAGE)
            await self._look_at(page)
            if page:
                self._newest = page[-1].id
            for found in page[: _REMEMBERED - len(self._seen)]:
                self._seen[found.id] = None
            if len(page) < _PAGE or not await self._hold():
                return

    async def _look_at_settled(self, position: UUID, settled: UUID) -> None:
        while position < settled:
            page = await self._store.scan(position, settled, limit=_PAGE)
            await self._look_at([found for found in page if found.id not in self._seen])
            position = page[-1].id if len(page) == _PAGE else settled
            if not await self._settle(position):
                return
            for found in page:
                self._seen.pop(found.id, None)

    async def _hold(self) -> bool:
        position = self._position
        return position is not None and await self._settle(position)

    async def _settle(self, position: UUID) -> bool:
        """Store how far it is; False when another node has the claim."""
        if await self._claims.hold(CLAIM, self._holder, position, lease=self._policy.lease):
            self._position = position
            return True
        self._position = None
        return False

    async def _look_at(self, page: list[Found]) -> None:
        newest: dict[tuple[UUID, UUID], int] = {}
        for found in page:
            key = (found.conversation_id, found.sender_id)
            newest[key] = max(newest.get(key, 0), found.seq)
        fresh = [Fresh(conversation_id, seq, sender_id) for (conversation_id, sender_id), seq in newest.items()]
        if not fresh:
            return
        wanted = await self._store.wanted(fresh)
        for start in range(0, len(wanted), _LOOKUP):
            offline = await self._offline(wanted[start : start + _LOOKUP])
            if offline:
                self.figures.queued += await self._store.queue(offline, delay=self._policy.delay)

    async def _offline(self, wanted: list[Wanted]) -> list[Wanted]:
        seen = await self._presence.lookup({each.user_id for each in wanted})
        return [each for each in wanted if not seen[each.user_id].online]


def first_id_of(seconds: float) -> UUID:
    """The least id of that time, in seconds since 1970 (RFC 9562, section 5.7)."""
    return UUID(int=int(seconds * 1000) << 80)
