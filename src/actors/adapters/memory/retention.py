"""In-memory twin of `RetentionStore`."""

from datetime import timedelta
from uuid import UUID

from actors.adapters.memory.state import ChatState
from actors.privacy.ports import Cut, Oldest


class MemoryRetention:
    """`RetentionStore` over a `ChatState`."""

    def __init__(self, state: ChatState) -> None:
        self._state = state

    async def scan(self, after: UUID, *, limit: int) -> list[Oldest]:
        await self._state.faults.before("scan")
        now = self._state.now()
        page = sorted((room for room in self._state.rooms.values() if room.id > after), key=lambda room: room.id)
        found: list[Oldest] = []
        for room in page[:limit]:
            first = room.messages.get(room.first_seq)
            found.append(Oldest(room.id, None if first is None else (now - first.created_at).total_seconds()))
        return found

    async def cut(self, conversation_id: UUID, *, older_than: float, limit: int) -> Cut:
        await self._state.faults.before("cut")
        room = self._state.rooms.get(conversation_id)
        if room is None:
            return Cut(0, 0)
        now = self._state.now()
        before, seq = now - timedelta(seconds=older_than), room.first_seq
        while seq in room.messages and seq < room.first_seq + limit and room.messages[seq].created_at < before:
            seq += 1
        deleted = self._state.delete_before(room, seq)
        if deleted:
            room.rev += 1
            for user_id in list(room.participants):
                room.raise_marks(user_id, seq - 1, seq - 1)
        self._state.faults.after("cut")
        return Cut(deleted, room.rev)
