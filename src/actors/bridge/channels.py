"""The names of the channels that nodes share, and what this node follows of them."""

from enum import Enum
from typing import Final
from uuid import UUID

NODES: Final = "nodes"
"""All nodes follow it; each beats there."""
NOTICES: Final = tuple(f"notices.{number}" for number in range(8))
"""All nodes follow them: notifications for more users than there are nodes. Several, so that in a cluster no master has
them all; each conversation keeps to one."""


class Kind(Enum):
    CONVERSATION = "conversation"
    USER = "user"
    PRESENCE = "presence"


def notices_of(conversation_id: UUID) -> str:
    """The channel of its notifications."""
    return NOTICES[conversation_id.bytes[-1] % len(NOTICES)]


class Channels:
    """The channels that are followed, by name and by what they are of: names are made once."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[Kind, UUID]] = {}
        self._names: dict[Kind, dict[UUID, str]] = {kind: {} for kind in Kind}
        self.users: dict[bytes, UUID] = {}
        """Those who are followed, by the bytes of their ids."""

    def add(self, kind: Kind, key: UUID) -> str:
        name = self.name(kind, key)
        self._of[name] = (kind, key)
        self._names[kind][key] = name
        if kind is Kind.USER:
            self.users[key.bytes] = key
        return name

    def discard(self, kind: Kind, key: UUID) -> str:
        name = self._names[kind].pop(key, None) or self.name(kind, key)
        self._of.pop(name, None)
        if kind is Kind.USER:
            self.users.pop(key.bytes, None)
        return name

    def name(self, kind: Kind, key: UUID) -> str:
        """Whether it is followed or not."""
        return self._names[kind].get(key) or f"{kind.value}.{key}"

    def find(self, name: str) -> tuple[Kind, UUID] | None:
        """What the channel is of, if it is followed."""
        return self._of.get(name)
