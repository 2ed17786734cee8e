"""How users stand to conversations, in memory."""

from collections.abc import Collection
from uuid import UUID

from actors.adapters.memory.state import ChatState
from actors.ports import Standing
from chatcore.errors import forbidden


class MemoryStandings:
    """`Standings` over a `ChatState`."""

    def __init__(self, state: ChatState) -> None:
        self._state = state

    async def standing(self, conversation_id: UUID, user_id: UUID) -> Standing:
        await self._state.faults.before("standing")
        room = self._state.room(conversation_id)
        participant = room.participants.get(user_id)
        if participant is None:
            raise forbidden()
        return Standing(room.first_seq, room.last_seq, participant.last_read_seq, room.rev)

    async def revs(self, conversation_ids: Collection[UUID]) -> dict[UUID, int]:
        await self._state.faults.before("revs")
        rooms = self._state.rooms
        return {each: rooms[each].rev for each in conversation_ids if each in rooms}

    async def members(self, conversation_id: UUID) -> frozenset[UUID]:
        await self._state.faults.before("members")
        room = self._state.rooms.get(conversation_id)
        return frozenset() if room is None else frozenset(room.participants)

    async def companions(self, user_id: UUID, of: Collection[UUID]) -> set[UUID]:
        await self._state.faults.before("companions")
        mine = [room.participants for room in self._state.rooms.values() if user_id in room.participants]
        return {each for each in of if any(each in participants for participants in mine)}

    async def marks_sums(self, conversation_ids: Collection[UUID]) -> dict[UUID, int]:
        await self._state.faults.before("marks_sums")
        found = {each: self._state.rooms[each] for each in conversation_ids if each in self._state.rooms}
        return {
            each: sum(p.last_read_seq + p.last_delivered_seq for p in room.participants.values())
            for each, room in found.items()
            if room.participants
        }
