"""What a conversation knows of presence, and what presence needs from where it is kept."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol
from uuid import UUID

from attrs import frozen


@frozen
class Seen:
    """A user's presence on all nodes together. `last_seen_at` is None while he is online, or when it is not known."""

    online: bool
    last_seen_at: datetime | None


class PresenceWatch(Protocol):
    """Whose coming and going a conversation wants to hear of. Nothing here waits."""

    def watch(self, conversation_id: UUID, user_ids: Collection[UUID]) -> None:
        """From now on the conversation's actor gets a `PresenceChanged` for each change of one of `user_ids`, and one
        for each of them who is online now and was not watched for it before. Replaces what it watched until now.
        """
        ...

    def unwatch(self, conversation_id: UUID) -> None: ...


class PresenceStore(Protocol):
    """Who is online where. A node whose beat stays away for its time to live takes its users offline with it.

    All may raise `ChatError` with `UNAVAILABLE`.
    """

    async def beat(self, node_id: UUID) -> Collection[UUID]:
        """This node lives. The nodes that do, this one included."""
        ...

    async def come(self, node_id: UUID, user_ids: Collection[UUID]) -> None:
        """The users' first connections to this node are there."""
        ...

    async def leave(self, node_id: UUID, user_ids: Collection[UUID], at: datetime) -> None:
        """The users' last connections to this node have ended."""
        ...

    async def lookup(self, user_ids: Collection[UUID]) -> dict[UUID, Seen]:
        """Of each of `user_ids`."""
        ...

    async def forget(self, node_id: UUID) -> None:
        """This node ends in good order: what it has told of itself is taken back."""
        ...
