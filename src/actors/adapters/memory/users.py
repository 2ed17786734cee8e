"""In-memory twin of `UserDirectory`."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from uuid import UUID

import attrs

from actors.adapters.memory.state import ChatState, Room
from actors.ports import ConversationCursor
from chatcore.errors import ChatError, ErrorCode, not_found
from chatcore.model import Conversation, User
from chatcore.validation import check_storable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_SIMILARITY = 0.3


class MemoryUserDirectory:
    """`UserDirectory` over a `ChatState`. The search compares trigrams nearly as PostgreSQL's pg_trgm does."""

    def __init__(self, state: ChatState) -> None:
        self._state = state

    async def get(self, user_ids: Collection[UUID]) -> list[User]:
        await self._state.faults.before("get")
        return [self._state.users[each] for each in set(user_ids) if each in self._state.users]

    async def add(self, user_id: UUID, email: str, name: str) -> tuple[User, bool]:
        await self._state.faults.before("add")
        if (known := self._state.users.get(user_id)) is not None:
            return known, False
        if any(each.email.lower() == email.lower() for each in self._state.users.values()):
            raise ChatError(ErrorCode.CONFLICT, "Another user has this e-mail address")
        user = User(user_id, email, name, None, self._state.now())
        self._state.users[user_id] = user
        self._state.faults.after("add")
        return user, True

    async def update(self, user_id: UUID, *, name: str | None, profile_picture_url: str | None) -> User:
        await self._state.faults.before("update")
        if (user := self._state.users.get(user_id)) is None or user_id in self._state.erased:
            raise not_found("The user")
        if name is not None:
            user = attrs.evolve(user, name=name)
        if profile_picture_url is not None:
            user = attrs.evolve(user, profile_picture_url=profile_picture_url or None)
        self._state.users[user_id] = user
        self._state.faults.after("update")
        return user

    async def search(self, text: str, *, offset: int, limit: int) -> tuple[list[User], int]:
        await self._state.faults.before("search")
        check_storable("search", text)
        ranked = [
            (rank, user.name.lower(), user.id, user)
            for user in self._state.users.values()
            if user.id not in self._state.erased
            and (rank := _rank(text.strip().lower(), user.name.lower())) is not None
        ]
        found = [user for *_, user in sorted(ranked, key=lambda each: each[:3])]
        return found[offset : offset + limit], len(found)

    async def conversations(
        self, user_id: UUID, *, before: ConversationCursor | None, limit: int
    ) -> list[tuple[Conversation, ConversationCursor]]:
        await self._state.faults.before("conversations")
        rooms = {_cursor(room): room for room in self._state.rooms_of(user_id)}
        order = sorted(rooms, key=_position, reverse=True)
        page = [each for each in order if before is None or _position(each) < _position(before)]
        return [(self._state.conversation(rooms[each]), each) for each in page[:limit]]

    async def conversation_ids(self, user_id: UUID) -> list[UUID]:
        await self._state.faults.before("conversation_ids")
        return [room.id for room in self._state.rooms_of(user_id)]


def _cursor(room: Room) -> ConversationCursor:
    return ConversationCursor((room.active_at - _EPOCH) // timedelta(microseconds=1), room.id)


def _position(cursor: ConversationCursor) -> tuple[int, UUID]:
    return cursor.activity_us, cursor.conversation_id


def _rank(text: str, name: str) -> tuple[bool, float] | None:
    """Smaller is better; None when the name does not match."""
    if not text:
        return False, 0.0
    words = name.split()
    begins = name.startswith(text) or any(word.startswith(text) for word in words)
    wanted = _trigrams(text)
    similarity = len(wanted & _trigrams(name)) / len(wanted) if wanted else 0.0
    return (not begins, -similarity) if begins or similarity >= _LEAST_SIMILARITY else None


def _trigrams(text: str) -> set[str]:
    padded = [f"  {word} " for word in text.split()]
    return {word[i : i + 3] for word in padded for i in range(len(word) - 2)}
