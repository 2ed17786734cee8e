"""How users stand to conversations, in memory."""

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
        return Standing(room.first_seq, room.last_seq, participant.last_read_seq)
