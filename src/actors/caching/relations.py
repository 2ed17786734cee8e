"""Whom users have blocked, kept."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from actors.caching.cache import Cache
from actors.relation_ports import Relations, Report
from chatcore.model import Message


class CachedRelations:
    """`Relations` that keeps each user's list of blocks. What a block forbids is never decided by it: the append and
    the opening of a conversation look at the rows. `changed` as in `CachedUserDirectory`.
    """

    def __init__(
        self, relations: Relations, blocks: Cache[UUID, Sequence[UUID]], *, changed: Callable[[UUID], None]
    ) -> None:
        self._relations = relations
        self._blocks = blocks
        self._changed = changed

    async def block(self, blocker_id: UUID, blocked_id: UUID, *, max_blocks: int) -> UUID | None:
        try:
            return await self._relations.block(blocker_id, blocked_id, max_blocks=max_blocks)
        finally:
            self._outdated(blocker_id)

    async def unblock(self, blocker_id: UUID, blocked_id: UUID) -> UUID | None:
        try:
            return await self._relations.unblock(blocker_id, blocked_id)
        finally:
            self._outdated(blocker_id)

    async def blocked_by(self, blocker_id: UUID) -> Sequence[UUID]:
        return await self._blocks.get(blocker_id, lambda: self._relations.blocked_by(blocker_id)) or ()

    async def mute(self, conversation_id: UUID, user_id: UUID, until: datetime | None) -> None:
        await self._relations.mute(conversation_id, user_id, until)

    async def report(self, report_id: UUID, message: Message, reporter_id: UUID, reason: str) -> tuple[Report, bool]:
        return await self._relations.report(report_id, message, reporter_id, reason)

    async def reports(self, *, before: UUID | None, limit: int) -> Sequence[Report]:
        return await self._relations.reports(before=before, limit=limit)

    def _outdated(self, blocker_id: UUID) -> None:
        self._blocks.invalidate([blocker_id])
        self._changed(blocker_id)
