"""Presence where nobody is ever seen to come or go."""

from collections.abc import Collection
from uuid import UUID


class Nobody:
    """Implements `PresenceWatch`."""

    def watch(self, conversation_id: UUID, user_ids: Collection[UUID]) -> None:
        del conversation_id, user_ids

    def unwatch(self, conversation_id: UUID) -> None:
        del conversation_id
