"""In-memory twin of `Relations`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import attrs

from actors.adapters.memory.state import ChatState, Room
from actors.adapters.rules import check_blocked, check_blocks
from actors.relation_ports import Report
from chatcore.errors import forbidden, not_found
from chatcore.model import Message


class MemoryRelations:
    """`Relations` over a `ChatState`."""

    def __init__(self, state: ChatState) -> None:
        self._state = state
        self._reports: dict[UUID, Report] = {}

    @property
    def all_reports(self) -> Collection[Report]:
        return self._reports.values()

    async def block(self, blocker_id: UUID, blocked_id: UUID, *, max_blocks: int) -> UUID | None:
        await self._state.faults.before("block")
        check_blocked(blocker_id, blocked_id)
        if not {blocker_id, blocked_id} <= self._state.users.keys():
            raise not_found("User")
        mine = self._state.blocks.setdefault(blocker_id, [])
        if blocked_id in mine:
            return None
        check_blocks(len(mine) + 1, max_blocks)
        mine.insert(0, blocked_id)
        return self._silence(blocker_id, blocked_id, silenced=True)

    async def unblock(self, blocker_id: UUID, blocked_id: UUID) -> UUID | None:
        await self._state.faults.before("unblock")
        mine = self._state.blocks.get(blocker_id, [])
        if blocked_id not in mine:
            return None
        mine.remove(blocked_id)
        return self._silence(blocker_id, blocked_id, silenced=False)

    async def blocked_by(self, blocker_id: UUID) -> Sequence[UUID]:
        await self._state.faults.before("blocked_by")
        return list(self._state.blocks.get(blocker_id, ()))

    async def mute(self, conversation_id: UUID, user_id: UUID, until: datetime | None) -> None:
        await self._state.faults.before("mute")
        room = self._state.rooms.get(conversation_id)
        if room is None:
            raise not_found("Conversation")
        if user_id not in room.participants:
            raise forbidden()
        room.muted.pop(user_id, None)
        if until is not None:
            room.muted[user_id] = until

    async def report(self, report_id: UUID, message: Message, reporter_id: UUID, reason: str) -> tuple[Report, bool]:
        await self._state.faults.before("report")
        for each in self._reports.values():
            if (each.message_id, each.reporter_id) == (message.id, reporter_id):
                return each, False
        report = Report(
            id=report_id,
            message_id=message.id,
            conversation_id=message.conversation_id,
            sender_id=message.sender_id,
            text=message.text,
            reporter_id=reporter_id,
            reason=reason,
            created_at=self._state.now(),
        )
        self._reports[report_id] = report
        return report, True

    async def reports(self, *, before: UUID | None, limit: int) -> Sequence[Report]:
        await self._state.faults.before("reports")
        newest = sorted(self._reports.values(), key=lambda each: each.id, reverse=True)
        return [each for each in newest if before is None or each.id < before][:limit]

    def _silence(self, blocker_id: UUID, blocked_id: UUID, *, silenced: bool) -> UUID | None:
        room = self._pair(blocker_id, blocked_id)
        if room is None:
            return None
        room.participants[blocked_id] = attrs.evolve(room.participants[blocked_id], silenced=silenced)
        room.change(self._state.now())
        return room.id

    def _pair(self, one: UUID, other: UUID) -> Room | None:
        pair = (min(one, other), max(one, other))
        return next((room for room in self._state.rooms.values() if room.pair == pair), None)
