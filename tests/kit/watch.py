"""Who is online, as a test says."""

from collections.abc import Collection
from uuid import UUID

import attrs

from actors.conversation.directory import Conversations
from actors.conversation.messages import PresenceChanged
from chatcore.errors import ChatError


@attrs.define(eq=False)
class Watch:
    """Implements `PresenceWatch`."""

    conversations: Conversations | None = None
    online: set[UUID] = attrs.field(factory=set[UUID])
    watched: dict[UUID, frozenset[UUID]] = attrs.field(factory=dict[UUID, frozenset[UUID]])

    def watch(self, conversation_id: UUID, user_ids: Collection[UUID]) -> None:
        before = self.watched.get(conversation_id, frozenset())
        self.watched[conversation_id] = frozenset(user_ids)
        for user_id in self.watched[conversation_id] - before:
            if user_id in self.online:
                self._tell(conversation_id, PresenceChanged(user_id, True))

    def unwatch(self, conversation_id: UUID) -> None:
        self.watched.pop(conversation_id, None)

    def come(self, user_id: UUID) -> None:
        self.online.add(user_id)
        self._tell_all(PresenceChanged(user_id, True))

    def leave(self, user_id: UUID) -> None:
        self.online.remove(user_id)
        self._tell_all(PresenceChanged(user_id, False))

    def _tell_all(self, change: PresenceChanged) -> None:
        for conversation_id, users in self.watched.items():
            if change.user_id in users:
                self._tell(conversation_id, change)

    def _tell(self, conversation_id: UUID, change: PresenceChanged) -> None:
        assert self.conversations is not None
        live = self.conversations.live(conversation_id)
        try:
            if live is not None:
                live.tell(change)
        except ChatError:
            return
