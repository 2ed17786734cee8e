"""In-memory twin of `GroupStore`."""

from uuid import UUID

import attrs

from actors.adapters.memory.state import ChatState
from actors.adapters.rules import check_end, check_role
from actors.ports import Roster
from chatcore.model import Role


class MemoryGroupStore:
    """`GroupStore` over a `ChatState`."""

    def __init__(self, state: ChatState) -> None:
        self._state = state

    async def change_role(self, conversation_id: UUID, by: UUID, user_id: UUID, role: Role) -> Roster:
        await self._state.faults.before("change_role")
        room = self._state.room(conversation_id)
        changed = check_role(room.type, room.participants.get(by), room.participants.get(user_id), role)
        if changed.role is not role:
            if role is Role.OWNER:
                room.participants[by] = attrs.evolve(room.participants[by], role=Role.ADMIN)
            room.participants[user_id] = attrs.evolve(changed, role=role)
            room.change(self._state.now())
        self._state.faults.after("change_role")
        return Roster(self._state.conversation(room))

    async def delete(self, conversation_id: UUID, by: UUID, *, administrator: bool) -> Roster:
        await self._state.faults.before("delete_conversation")
        room = self._state.room(conversation_id)
        check_end(room.type, room.participants.get(by), administrator=administrator)
        last = self._state.conversation(room)
        self._state.end(room)
        self._state.faults.after("delete_conversation")
        return Roster(last, removed=tuple(each.user_id for each in last.participants), deleted=True)

    async def purge(self, limit: int) -> int:
        await self._state.faults.before("purge")
        return self._state.purge(limit)
