"""Who is connected to this node."""

from collections.abc import Iterator
from datetime import datetime
from math import inf
from uuid import UUID


class Here:
    """The users who have a connection here, or had one `grace` seconds ago. Times are seconds on the caller's clock."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._connections: dict[UUID, int] = {}
        self._leaving: dict[UUID, tuple[float, datetime]] = {}  # who left first is first

    def __contains__(self, user_id: object) -> bool:
        return user_id in self._connections or user_id in self._leaving

    def __iter__(self) -> Iterator[UUID]:
        yield from self._connections
        yield from self._leaving

    def __len__(self) -> int:
        return len(self._connections) + len(self._leaving)

    @property
    def next_due(self) -> float:
        """When `take_gone` has somebody; infinite when nobody is leaving."""
        return next((due for due, _ in self._leaving.values()), inf)

    def change(self, user_id: UUID, by: int, now: float, at: datetime) -> bool:
        """So many more connections, or fewer, at the wall clock's `at`; 0 when as many came as left. True when he was
        not here before.
        """
        before = self._connections.pop(user_id, 0)
        after = before + by
        if after > 0:
            self._connections[user_id] = after
            return self._leaving.pop(user_id, None) is None and not before
        was_leaving = self._leaving.pop(user_id, None) is not None
        self._leaving[user_id] = (now + self._grace, at)
        return not (before or was_leaving)

    def take_gone(self, now: float) -> list[tuple[UUID, datetime]]:
        """Who has been without a connection for too long, and since when; they are here no more."""
        gone: list[tuple[UUID, datetime]] = []
        for user_id, (due, at) in self._leaving.items():
            if due > now:
                break
            gone.append((user_id, at))
        for user_id, _ in gone:
            del self._leaving[user_id]
        return gone
