"""Copies of what the database has: who keeps some hears when they may be out of date."""

from collections.abc import Callable
from enum import Enum
from typing import Protocol
from uuid import UUID

from attrs import frozen


class Copied(Enum):
    """What nodes keep copies of."""

    FEATURES = "features"
    USERS = "users"
    """Profiles, by user."""
    BLOCKS = "blocks"
    """Lists of whom a user has blocked, by that user."""
    MEMBERS = "members"
    """Who is a member, by conversation."""
    ERASED = "erased"
    """Whose accounts are erased, by user."""


@frozen
class Stale:
    """Copies of these are out of date; of all of that kind when `keys` is empty. `what` may be one not known here."""

    what: str
    keys: tuple[UUID, ...] = ()


class StaleRelay(Protocol):
    """The way to those who keep copies on the other nodes. Nothing here waits; what is told is best effort, so a copy
    also has an age beyond which it is not believed.
    """

    def tell_stale(self, what: Copied, *keys: UUID) -> None: ...


class CopyKeepers:
    """Who keeps copies on this node."""

    def __init__(self) -> None:
        self._keepers: dict[str, Callable[[tuple[UUID, ...]], None]] = {}

    def add(self, what: Copied, outdated: Callable[[tuple[UUID, ...]], None]) -> None:
        """`outdated` gets the keys, none for all; it must not wait, nor raise."""
        self._keepers[what.value] = outdated

    def hear(self, stale: Stale) -> None:
        keeper = self._keepers.get(stale.what)
        if keeper is not None:
            keeper(stale.keys)

    def doubt_all(self) -> None:
        """Word may have been lost."""
        for keeper in self._keepers.values():
            keeper(())
