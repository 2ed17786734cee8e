"""In-memory twin of `ErasureStore`."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import attrs

from actors.adapters.memory.export import AuditTrail
from actors.adapters.memory.state import ChatState
from actors.privacy.ports import DELETED_NAME, AuditEntry, ErasureJob, Tombstoned, erased_email
from chatcore.errors import not_found
from chatcore.model import ConversationType


@attrs.define
class _Job:
    job: ErasureJob
    holder: UUID | None = None
    held_until: datetime | None = None
    finished: bool = False


class MemoryErasures:
    """`ErasureStore` over a `ChatState`. `forget_account` ends the user's account and sign-ins."""

    def __init__(self, state: ChatState, trail: AuditTrail, forget_account: Callable[[UUID], None]) -> None:
        self._state = state
        self._trail = trail
        self._forget_account = forget_account
        self._jobs: dict[UUID, _Job] = {}

    async def accept(self, user_id: UUID, *, tombstone: bool, entry: AuditEntry) -> bool:
        await self._state.faults.before("accept")
        state, now = self._state, self._state.now()
        if (user := state.users.get(user_id)) is None:
            raise not_found("The user")
        if user_id in state.erased:
            return False
        state.users[user_id] = attrs.evolve(
            user, name=DELETED_NAME, email=erased_email(user_id), profile_picture_url=None
        )
        state.erased[user_id] = now
        self._forget_account(user_id)
        state.blocks.pop(user_id, None)
        for mine in state.blocks.values():
            if user_id in mine:
                mine.remove(user_id)
        for room in state.rooms.values():
            room.muted.pop(user_id, None)
        for kept in state.attachments.values():
            if kept.is_unused and kept.attachment.owner_id == user_id:
                kept.discarded_at = now
        self._jobs[user_id] = _Job(ErasureJob(user_id, tombstone))
        self._trail.add(entry, now)
        state.faults.after("accept")
        return True

    async def erased(self, *, within: float | None) -> list[UUID]:
        await self._state.faults.before("erased")
        since = None if within is None else self._state.now() - timedelta(seconds=within)
        return [user_id for user_id, at in self._state.erased.items() if since is None or at > since]

    async def next_job(self, holder: UUID, *, lease: float) -> ErasureJob | None:
        await self._state.faults.before("next_job")
        now = self._state.now()
        for each in self._jobs.values():
            free = each.held_until is None or each.held_until < now
            if free and not each.finished:
                each.holder, each.held_until = holder, now + timedelta(seconds=lease)
                return each.job
        return None

    async def save(self, job: ErasureJob, holder: UUID, *, lease: float) -> bool:
        await self._state.faults.before("save")
        found = self._jobs[job.user_id]
        if found.holder != holder or found.finished:
            return False
        found.job, found.held_until = job, self._state.now() + timedelta(seconds=lease)
        return True

    async def finish(self, job: ErasureJob, holder: UUID, entry: AuditEntry) -> None:
        await self._state.faults.before("finish_job")
        found = self._jobs[job.user_id]
        if found.holder == holder and not found.finished:
            found.finished = True
            for room in self._state.rooms.values():
                room.former.discard(job.user_id)
            self._trail.add(entry, self._state.now())
        self._state.faults.after("finish_job")

    async def waiting(self) -> int:
        await self._state.faults.before("waiting")
        return sum(not each.finished for each in self._jobs.values())

    async def memberships(self, user_id: UUID, after: UUID, *, limit: int) -> list[tuple[UUID, ConversationType]]:
        await self._state.faults.before("memberships")
        found = sorted((room.id, room.type) for room in self._state.rooms_of(user_id) if room.id > after)
        return found[:limit]

    async def seal(self, conversation_id: UUID, user_id: UUID) -> int | None:
        await self._state.faults.before("seal")
        room = self._state.rooms.get(conversation_id)
        if room is None or all(each.silenced == (each.user_id == user_id) for each in room.participants.values()):
            return None
        for each in list(room.participants.values()):
            room.participants[each.user_id] = attrs.evolve(each, silenced=each.user_id == user_id)
        rev = room.change(self._state.now())
        self._state.faults.after("seal")
        return rev

    async def spoken_in(self, user_id: UUID, after: UUID, *, limit: int) -> list[UUID]:
        await self._state.faults.before("spoken_in")
        rooms = [room for room in self._state.rooms.values() if user_id in room.participants or user_id in room.former]
        return sorted(room.id for room in rooms if room.id > after)[:limit]

    async def tombstone(self, conversation_id: UUID, user_id: UUID, after_seq: int, *, limit: int) -> Tombstoned:
        await self._state.faults.before("tombstone")
        room = self._state.rooms.get(conversation_id)
        if room is None:
            return Tombstoned(0, 0, None)
        now = self._state.now()
        mine = [
            each
            for _, each in sorted(room.messages.items())
            if each.seq > after_seq and each.sender_id == user_id and each.deleted_at is None
        ][:limit]
        for old in mine:
            room.put(attrs.evolve(old, text="", deleted_at=now, rev=room.change(now), attachment_ids=()))
            room.reactions.pop(old.seq, None)
            self._state.discard(old.attachment_ids, now)
        more = len(mine) == limit and mine[-1].seq < room.last_seq
        self._state.faults.after("tombstone")
        return Tombstoned(len(mine), room.rev, mine[-1].seq if more else None)
