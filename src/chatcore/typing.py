"""Who types: memory only, each entry with a deadline. Times are seconds on any one monotonic clock."""

from math import inf
from uuid import UUID


class Typing:
    """The typists of one conversation.

    `timeout` is how long a start lasts, `min_interval` the least time between two starts of a user that are
    announced; a start that comes sooner after the last is dropped, a stop never is.
    """

    __slots__ = ("_deadlines", "_min_interval", "_started", "_timeout")

    def __init__(self, timeout: float, min_interval: float) -> None:
        self._timeout = timeout
        self._min_interval = min_interval
        self._deadlines: dict[UUID, float] = {}
        self._started: dict[UUID, float] = {}

    def start(self, user_id: UUID, now: float) -> bool:
        """True when this is news. A repeated start prolongs without being news."""
        if user_id in self._deadlines:
            self._deadlines[user_id] = now + self._timeout
            return False
        started = self._started.get(user_id)
        if started is not None and now - started < self._min_interval:
            return False
        self._started[user_id] = now
        self._deadlines[user_id] = now + self._timeout
        return True

    def stop(self, user_id: UUID) -> bool:
        """True when the user was typing."""
        return bool(self._deadlines) and self._deadlines.pop(user_id, None) is not None

    def expire(self, now: float) -> list[UUID]:
        """Those whose time has run out; they no longer type."""
        gone = [user_id for user_id, deadline in self._deadlines.items() if deadline <= now]
        for user_id in gone:
            del self._deadlines[user_id]
        for user_id in [u for u, at in self._started.items() if now - at >= self._min_interval]:
            del self._started[user_id]
        return gone

    @property
    def now_typing(self) -> tuple[UUID, ...]:
        return tuple(self._deadlines)

    @property
    def next_deadline(self) -> float:
        """When `expire` is due next; infinity when nobody types."""
        return min(self._deadlines.values()) if self._deadlines else inf
