"""In-memory twin of `ExportSource`."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from actors.adapters.memory.relations import MemoryRelations
from actors.adapters.memory.state import ChatState, Room
from actors.privacy.ports import Audited, AuditEntry, Membership, OwnAttachment, OwnReaction, Said
from actors.relation_ports import Report


class AuditTrail:
    """What was audited, by id."""

    def __init__(self) -> None:
        self._entries: dict[UUID, Audited] = {}

    def add(self, entry: AuditEntry, at: datetime) -> None:
        self._entries.setdefault(entry.id, Audited(entry, at))

    def of(self, user_id: UUID) -> list[Audited]:
        mine = [each for each in self._entries.values() if each.entry.user_id == user_id]
        return sorted(mine, key=lambda each: each.entry.id)


class MemoryExport:
    """`ExportSource` over a `ChatState`."""

    def __init__(self, state: ChatState, relations: MemoryRelations, trail: AuditTrail) -> None:
        self._state = state
        self._relations = relations
        self._trail = trail

    async def memberships(self, user_id: UUID, after: UUID, *, limit: int) -> list[Membership]:
        await self._state.faults.before("export_memberships")
        return [
            _membership(room, user_id)
            for room in self._rooms()
            if room.id > after and (user_id in room.participants or user_id in room.former)
        ][:limit]

    async def said(self, user_id: UUID, conversation_id: UUID, after_seq: int, *, limit: int, others: bool) -> Said:
        await self._state.faults.before("said")
        room = self._state.rooms.get(conversation_id)
        if room is None:
            return Said((), None)
        found = [
            self._state.present(each)
            for seq, each in sorted(room.messages.items())
            if seq > after_seq and (each.sender_id == user_id or (others and "@" in each.text))
        ][:limit]
        more = len(found) == limit and found[-1].seq < room.last_seq
        return Said(found, found[-1].seq if more else None)

    async def reactions(self, user_id: UUID, after: OwnReaction | None, *, limit: int) -> list[OwnReaction]:
        await self._state.faults.before("export_reactions")
        found = [
            OwnReaction(room.id, seq, room.messages[seq].id, emoji)
            for room in self._rooms()
            for seq in sorted(room.reactions)
            for emoji in sorted(room.reactions[seq])
            if user_id in room.reactions[seq][emoji]
        ]
        return [each for each in found if after is None or _place(each) > _place(after)][:limit]

    async def reports(self, user_id: UUID, after: UUID, *, limit: int) -> list[Report]:
        await self._state.faults.before("export_reports")
        mine = [each for each in self._relations.all_reports if each.reporter_id == user_id]
        return sorted((each for each in mine if each.message_id > after), key=lambda each: each.message_id)[:limit]

    async def attachments(self, user_id: UUID, after: OwnAttachment | None, *, limit: int) -> list[OwnAttachment]:
        await self._state.faults.before("export_attachments")
        found = [
            OwnAttachment(each.attachment, each.created_at)
            for each in self._state.attachments.values()
            if each.attachment.owner_id == user_id and each.discarded_at is None
        ]
        order = sorted(found, key=_age)
        return [each for each in order if after is None or _age(each) > _age(after)][:limit]

    async def audit(self, user_id: UUID, after: UUID, *, limit: int) -> list[Audited]:
        await self._state.faults.before("export_audit")
        return [each for each in self._trail.of(user_id) if each.entry.id > after][:limit]

    async def note(self, entry: AuditEntry) -> None:
        await self._state.faults.before("note")
        self._trail.add(entry, self._state.now())

    def _rooms(self) -> Iterable[Room]:
        return sorted(self._state.rooms.values(), key=lambda room: room.id)


def _membership(room: Room, user_id: UUID) -> Membership:
    muted, mine = room.muted.get(user_id), room.participants.get(user_id)
    if mine is None:
        return Membership(room.id, room.type, room.name, None, None, None, None, muted)
    marks = (mine.last_read_seq, mine.last_delivered_seq)
    return Membership(room.id, room.type, room.name, mine.role, mine.joined_at, *marks, muted)


def _place(reaction: OwnReaction) -> tuple[UUID, int, str]:
    return reaction.conversation_id, reaction.seq, reaction.emoji


def _age(attachment: OwnAttachment) -> tuple[datetime, UUID]:
    return attachment.created_at, attachment.attachment.id
