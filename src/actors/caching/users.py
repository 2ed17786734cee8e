"""Profiles of users, kept."""

from collections.abc import Callable, Collection
from uuid import UUID

from actors.caching.cache import Cache
from actors.ports import ConversationCursor, UserDirectory
from chatcore.model import Conversation, User


class CachedUserDirectory:
    """`UserDirectory` that keeps the profiles that are asked for one by one; a user who is not there is looked for
    anew each time. `changed` is told of a profile that this node may have changed: an update whose outcome is unknown
    counts.
    """

    def __init__(
        self, directory: UserDirectory, profiles: Cache[UUID, User], *, changed: Callable[[UUID], None]
    ) -> None:
        self._directory = directory
        self._profiles = profiles
        self._changed = changed

    async def get(self, user_ids: Collection[UUID]) -> list[User]:
        if len(user_ids) != 1:
            return await self._directory.get(user_ids)
        (user_id,) = user_ids

        async def load() -> User | None:
            found = await self._directory.get([user_id])
            return found[0] if found else None

        user = await self._profiles.get(user_id, load)
        return [] if user is None else [user]

    async def add(self, user_id: UUID, email: str, name: str) -> tuple[User, bool]:
        return await self._directory.add(user_id, email, name)

    async def update(self, user_id: UUID, *, name: str | None, profile_picture_url: str | None) -> User:
        try:
            return await self._directory.update(user_id, name=name, profile_picture_url=profile_picture_url)
        finally:
            self._profiles.invalidate([user_id])
            self._changed(user_id)

    async def search(self, text: str, *, offset: int, limit: int) -> tuple[list[User], int]:
        return await self._directory.search(text, offset=offset, limit=limit)

    async def conversations(
        self, user_id: UUID, *, before: ConversationCursor | None, limit: int
    ) -> list[tuple[Conversation, ConversationCursor]]:
        return await self._directory.conversations(user_id, before=before, limit=limit)

    async def conversation_ids(self, user_id: UUID) -> list[UUID]:
        return await self._directory.conversation_ids(user_id)
