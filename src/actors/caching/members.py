"""Who is a member of what, kept for a moment."""

from uuid import UUID

from actors.caching.cache import Cache
from actors.ports import Standings


class Members:
    """Whether a user is a member, for those who need to know no more. A copy is believed for the cache's age at most,
    and only where it says that he is: who is not in it is looked for in the database.
    """

    def __init__(self, standings: Standings, members: Cache[UUID, frozenset[UUID]]) -> None:
        self._standings = standings
        self._members = members

    async def check(self, conversation_id: UUID, user_id: UUID) -> None:
        """Errors: `NOT_FOUND` (no such conversation), `FORBIDDEN` (not a member)."""

        async def load() -> frozenset[UUID] | None:
            return await self._standings.members(conversation_id) or None

        members = await self._members.get(conversation_id, load)
        if members is None or user_id not in members:
            await self._standings.standing(conversation_id, user_id)
