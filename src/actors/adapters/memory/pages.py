"""In-memory twin of `HistoryPages`."""

from uuid import UUID

from actors.ports import MessageHistory
from chatcore.model import Message


class MemoryHistoryPages:
    """`HistoryPages` over a history that lacks nothing."""

    def __init__(self, history: MessageHistory) -> None:
        self._history = history

    async def newest(
        self, conversation_id: UUID, *, before_seq: int, limit: int, user_id: UUID, seen_rev: int
    ) -> list[Message]:
        del user_id, seen_rev
        return await self._history.newest(conversation_id, before_seq=before_seq, limit=limit)

    async def oldest(
        self, conversation_id: UUID, *, after_seq: int, limit: int, user_id: UUID, seen_rev: int
    ) -> list[Message]:
        del user_id, seen_rev
        return await self._history.oldest(conversation_id, after_seq=after_seq, limit=limit)

    async def changed(
        self, conversation_id: UUID, *, after_rev: int, limit: int, user_id: UUID, seen_rev: int
    ) -> list[Message]:
        del user_id, seen_rev
        return await self._history.changed(conversation_id, after_rev=after_rev, limit=limit)
