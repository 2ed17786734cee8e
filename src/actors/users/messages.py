"""The closed union of what the users actor understands, and whom it tells."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from attrs import frozen


class Listener(Protocol):
    """One connection's subscription to `/user/queue/notification`."""

    closed: bool

    @property
    def user_id(self) -> UUID: ...

    def watches(self, conversation_id: UUID) -> bool:
        """Is the same connection subscribed to the conversation's messages?"""
        ...

    def notify(self, body: bytes) -> None:
        """Hand on without waiting."""
        ...


@frozen
class Listen:
    listener: Listener


@frozen
class Unlisten:
    listener: Listener


@frozen
class Notify:
    """Tell each user, on all his connections, `body`.

    With `seq` it tells of the message of that number: at most once a second for each user and conversation, the newest
    for all that came meanwhile, a number that was told already not again, and not to connections that watch the
    conversation. A `mention` is not replaced by a later message that is none: both are told, one after the other.
    """

    conversation_id: UUID
    bodies: Sequence[tuple[UUID, bytes]]
    seq: int | None = None
    mention: bool = False


UsersMessage = Listen | Unlisten | Notify
