"""Which other nodes there are, and whether one of them is not heard or not understood."""

from math import inf
from typing import Final
from uuid import UUID

MEMORY_SECONDS: Final = 600.0
"""How long a node that fell silent is waited for."""


class Peers:
    """A node that beats each `interval` seconds, and is silent for three of them, may be cut off from the broker and
    still write to the database: until it is heard again, or says farewell, or for `MEMORY_SECONDS`, the database is
    what tells of it. So it is with nodes of another version, which are not understood and beat as often. All times are
    the caller's.
    """

    def __init__(self, interval: float) -> None:
        self._patience = 3 * interval
        self._heard: dict[UUID, float] = {}
        self._foreign_at = -inf

    def __len__(self) -> int:
        return len(self._heard)

    def heard(self, node_id: UUID, now: float, *, leaves: bool = False) -> None:
        if leaves:
            self._heard.pop(node_id, None)
        else:
            self._heard[node_id] = now

    def heard_foreign(self, now: float) -> None:
        """Something came that only a node of another version understands."""
        self._foreign_at = now

    def any_unheard(self, now: float) -> bool:
        for node_id in [each for each, at in self._heard.items() if now - at > MEMORY_SECONDS]:
            del self._heard[node_id]
        if now - self._foreign_at <= self._patience:
            return True
        return any(now - at > self._patience for at in self._heard.values())
