"""Deletes messages that are older than the deployment keeps them."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

import trio
from attrs import define, field, frozen

from actors.privacy.ports import Claims, RetentionStore, Taken
from actors.rounds import RoundFigures, every

CLAIM: Final = "retention"
_SCAN_PAGE: Final = 500
"""Conversations whose first message is looked at in one query."""
_DAY: Final = 86_400.0

Changed = Callable[[UUID, int], None]
"""Told of a conversation that changed otherwise than by its actor, and of the rev of that. It must not wait."""


@frozen
class RetentionPolicy:
    """Messages older than `days` go, none where that is 0. A pass over all conversations begins `interval` seconds
    after the last one ended; it deletes `batch` messages of a conversation at a time, and rests `pause` seconds after
    each. A node that is silent for `lease` seconds has lost the pass to another.
    """

    days: int = 0
    interval: float = 3600.0
    batch: int = 200
    pause: float = 0.05
    lease: float = 30.0
    look: float = 10.0
    """Seconds between looks whether a pass is due, or was left by a node that died."""


@define
class RetentionFigures:
    """Since the start of this node. `oldest_age` is the age in seconds of the oldest message that its last whole pass
    has left; None where it has made none.
    """

    deleted: int = 0
    passes: int = 0
    oldest_age: float | None = None
    passed_at: float | None = None
    rounds: RoundFigures = field(factory=RoundFigures)


class Retention:
    """Permanent. Any number of nodes may run it: one at a time has the claim, and goes on where the one before it was
    cut off. While the database is away it tries again at the next look. It holds nothing that is not stored.
    """

    def __init__(
        self, store: RetentionStore, claims: Claims, policy: RetentionPolicy, holder: UUID, changed: Changed
    ) -> None:
        self._store = store
        self._claims = claims
        self._policy = policy
        self._holder = holder
        self._changed = changed
        self._prolonged_at = 0.0
        self.figures = RetentionFigures()

    async def run(self) -> None:
        if not self._policy.days:
            await trio.sleep_forever()
        await every(min(self._policy.look, self._policy.interval), self._round, self.figures.rounds, trio.Event)

    async def _round(self) -> None:
        policy = self._policy
        self._prolonged_at = trio.current_time()
        taken = await self._claims.take(CLAIM, self._holder, lease=policy.lease, interval=policy.interval)
        if isinstance(taken, Taken) and await self._pass(taken.position):
            await self._claims.finish(CLAIM, self._holder)

    async def _pass(self, position: UUID) -> bool:
        """False when it was lost to another node."""
        kept = policy_seconds = self._policy.days * _DAY
        oldest: float | None = None
        while True:
            page = await self._store.scan(position, limit=_SCAN_PAGE)
            for each in page:
                if each.age is None:
                    continue
                if each.age > policy_seconds:
                    if not await self._cut(each.conversation_id, position):
                        return False
                    # What is left is younger, and at most as old as is kept.
                    oldest = max(oldest or 0.0, min(each.age, kept))
                else:
                    oldest = max(oldest or 0.0, each.age)
            if len(page) < _SCAN_PAGE:
                break
            position = page[-1].conversation_id
            if not await self._prolong(position):
                return False
            await trio.sleep(self._policy.pause)
        self.figures.passes += 1
        self.figures.oldest_age, self.figures.passed_at = oldest, trio.current_time()
        return True

    async def _cut(self, conversation_id: UUID, position: UUID) -> bool:
        """False when the claim was lost."""
        policy = self._policy
        while True:
            cut = await self._store.cut(conversation_id, older_than=policy.days * _DAY, limit=policy.batch)
            if cut.deleted:
                self.figures.deleted += cut.deleted
                self._changed(conversation_id, cut.rev)
            if cut.deleted < policy.batch:
                return True
            if trio.current_time() - self._prolonged_at > policy.lease / 3 and not await self._prolong(position):
                return False
            await trio.sleep(policy.pause)

    async def _prolong(self, position: UUID) -> bool:
        self._prolonged_at = trio.current_time()
        return await self._claims.hold(CLAIM, self._holder, position, lease=self._policy.lease)
