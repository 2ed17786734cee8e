"""Which conversations watch which users, and what they have to be told."""

from collections.abc import Callable, Collection, Iterable
from uuid import UUID

from attrs import frozen


@frozen
class Change:
    """What a change of one conversation's watch means for the node: users whom nobody, or still somebody, watched."""

    first: Collection[UUID]
    last: Collection[UUID]


class Watches:
    """For each watched user whether he is known to be online; of what is untold for a conversation, the newest."""

    def __init__(self) -> None:
        self._watched: dict[UUID, frozenset[UUID]] = {}
        self._watchers: dict[UUID, set[UUID]] = {}
        self._online: set[UUID] = set()
        self._untold: dict[UUID, dict[UUID, bool]] = {}

    def __contains__(self, user_id: object) -> bool:
        return user_id in self._watchers

    def __len__(self) -> int:
        return len(self._watchers)

    @property
    def users(self) -> Collection[UUID]:
        return self._watchers.keys()

    @property
    def has_untold(self) -> bool:
        return bool(self._untold)

    def knows_online(self, user_id: UUID) -> bool:
        return user_id in self._online

    def watch(self, conversation_id: UUID, user_ids: Iterable[UUID], *, anew: bool) -> Change:
        """Replace what the conversation watches. Who is online is told of if he was not watched before, or `anew`."""
        before = self._watched.get(conversation_id, frozenset[UUID]())
        after = frozenset(user_ids)
        first = [user_id for user_id in after - before if self._add(conversation_id, user_id)]
        last = [user_id for user_id in before - after if self._remove(conversation_id, user_id)]
        if after:
            self._watched[conversation_id] = after
        else:
            self._watched.pop(conversation_id, None)
        for user_id in (after if anew else after - before) & self._online:
            self._untold.setdefault(conversation_id, {})[user_id] = True
        return Change(first, last)

    def learn(self, user_id: UUID, *, online: bool) -> None:
        """What nobody watches, or is known already, is passed over."""
        watchers = self._watchers.get(user_id)
        if watchers is None or online is (user_id in self._online):
            return
        if online:
            self._online.add(user_id)
        else:
            self._online.discard(user_id)
        for conversation_id in watchers:
            self._untold.setdefault(conversation_id, {})[user_id] = online

    def tell(self, conversation_id: UUID, tell: Callable[[UUID, bool], bool]) -> bool:
        """Tell the conversation what is untold, until `tell` refuses. Whether all is told."""
        untold = self._untold.get(conversation_id)
        while untold:
            user_id = next(iter(untold))
            if not tell(user_id, untold[user_id]):
                return False
            del untold[user_id]
        self._untold.pop(conversation_id, None)
        return True

    def untold(self) -> list[UUID]:
        """The conversations that have to be told something."""
        return list(self._untold)

    def _add(self, conversation_id: UUID, user_id: UUID) -> bool:
        watchers = self._watchers.get(user_id)
        if watchers is None:
            self._watchers[user_id] = {conversation_id}
            return True
        watchers.add(conversation_id)
        return False

    def _remove(self, conversation_id: UUID, user_id: UUID) -> bool:
        untold = self._untold.get(conversation_id)
        if untold is not None:
            untold.pop(user_id, None)
            if not untold:
                del self._untold[conversation_id]
        watchers = self._watchers[user_id]
        watchers.discard(conversation_id)
        if watchers:
            return False
        del self._watchers[user_id]
        self._online.discard(user_id)
        return True
