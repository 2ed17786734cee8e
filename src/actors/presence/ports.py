"""What a conversation knows of presence, and what presence needs from where it is kept."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from attrs import frozen


@frozen
class Seen:
    """A user's presence on all nodes together. `last_seen_at` is None while he is online, or when it is not known."""

    online: bool
    last_seen_at: datetime | None


class PresenceDesk(Protocol):
    """Where the connections of this node are counted. Nothing here waits or is refused."""

    def came(self, user_id: UUID) -> None:
        """One more connection. Every `came` needs a `left`."""
        ...

    def left(self, user_id: UUID) -> None:
        """One connection less."""
        ...


class PresenceLookup(Protocol):
    async def lookup(self, user_ids: Collection[UUID]) -> dict[UUID, Seen]:
        """Of each of `user_ids`, on all nodes; what this node knows by itself while the others cannot be asked."""
        ...


class PresenceWatch(Protocol):
    """Whose coming and going a conversation wants to hear of. Nothing here waits."""

    def watch(self, conversation_id: UUID, user_ids: Collection[UUID]) -> None:
        """From now on the conversation's actor gets a `PresenceChanged` for each change of one of `user_ids`, and one
        for each of them who is online now and was not watched for it before. Replaces what it watched until now.
        """
        ...

    def unwatch(self, conversation_id: UUID) -> None: ...


class PresenceRelay(Protocol):
    """The way to the presence actors of the other nodes. Nothing here waits; what is told is best effort.

    What comes in goes to the `PresenceNews` of this node.
    """

    def follow_presence(self, user_id: UUID) -> None:
        """Hand on what the other nodes tell of the user. `doubt` is called once that is in force."""
        ...

    def unfollow_presence(self, user_id: UUID) -> None: ...

    def tell_presence(self, user_id: UUID, *, online: bool) -> None:
        """To the other nodes: the user's first connection here has come, or his last one has ended."""
        ...


class PresenceNews(Protocol):
    """What the presence actor of a node is told by its relay. Nothing here waits or is refused."""

    def heard(self, user_id: UUID, *, online: bool) -> None:
        """Another node's `tell_presence`."""
        ...

    def doubt(self, user_ids: Collection[UUID]) -> None:
        """Something may have been told of these users that was not heard: they are looked up."""
        ...

    def restored(self) -> None:
        """What carries the news was away and is back, perhaps without what it knew."""
        ...


class PresenceStore(Protocol):
    """Who is online where.

    A node holds a lease, which lapses when its beat stays away for the lease's time to live. What was stored under it
    goes with it: a lease never comes back, the node opens another.

    All may raise `ChatError` with `UNAVAILABLE`; the outcome is unknown then, and each may be repeated.
    """

    async def open(self, lease: UUID, at: datetime) -> None:
        """A new lease."""
        ...

    async def beat(self, lease: UUID, at: datetime) -> Collection[UUID] | None:
        """Prolong the lease. The leases that last, this one included; None when this one does not."""
        ...

    async def come(self, lease: UUID, user_ids: Collection[UUID], *, instead_of: UUID | None = None) -> None:
        """The users have connections to this node, which held the lease `instead_of` before this one."""
        ...

    async def leave(self, lease: UUID, left: Mapping[UUID, datetime]) -> None:
        """The users have no connections to this node any more, and since when."""
        ...

    async def lookup(self, user_ids: Collection[UUID]) -> dict[UUID, Seen]:
        """Of each of `user_ids`. Who was at a node whose lease lapsed was last seen at its last beat."""
        ...

    async def close(self, lease: UUID) -> None:
        """The lease ends now. Who is still under it was last seen at its last beat."""
        ...
