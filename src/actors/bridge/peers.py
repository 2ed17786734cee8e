"""Which other nodes there are, and whether one of them has fallen silent."""

from typing import Final
from uuid import UUID

MEMORY_SECONDS: Final = 600.0
"""How long a node that fell silent is waited for."""


class Peers:
    """A node that beats each `interval` seconds, and is silent for three of them, may be cut off from the broker and
    still write to the database: until it is heard again, or says farewell, or for `MEMORY_SECONDS`, the database is
    what tells of it. All times are the caller's.
    """

    def __init__(self, interval: float) -> None:
        self._patience = 3 * interval
        self._heard: dict[UUID, float] = {}

    def __len__(self) -> int:
        return len(self._heard)

    def heard(self, node_id: UUID, now: float, *, leaves: bool = False) -> None:
        if leaves:
            self._heard.pop(node_id, None)
        else:
            self._heard[node_id] = now

    def any_silent(self, now: float) -> bool:
        for node_id in [each for each, at in self._heard.items() if now - at > MEMORY_SECONDS]:
            del self._heard[node_id]
        return any(now - at > self._patience for at in self._heard.values())
