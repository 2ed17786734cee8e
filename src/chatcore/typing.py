"""Who types: memory only, each entry with a deadline. Times are seconds on any one monotonic clock."""

from math import inf
from uuid import UUID

from attrs import define


@define
class _Told:
    """When the other nodes were told of a start last, and whether it was prolonged since."""

    at: float
    prolonged: bool = False


class Typing:
    """The typists of one conversation.

    `timeout` is how long a start lasts, `min_interval` the least time between two starts of a user that are
    announced; a start that comes sooner after the last is dropped, a stop never is.

    Each node keeps its own, and what begins on one is told to the others (`tell`). Since a start ends by itself, one
    that lasts is told again every half `timeout`: it then lasts elsewhere for as long as here, and no longer than
    `timeout` when the node that tells of it dies.
    """

    __slots__ = ("_deadlines", "_min_interval", "_started", "_timeout", "_told")

    def __init__(self, timeout: float, min_interval: float) -> None:
        self._timeout = timeout
        self._min_interval = min_interval
        self._deadlines: dict[UUID, float] = {}
        self._started: dict[UUID, float] = {}
        self._told: dict[UUID, _Told] = {}

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

    def heard(self, user_id: UUID, now: float) -> bool:
        """Another node told of a start. True when this is news; else it prolongs."""
        news = user_id not in self._deadlines
        self._deadlines[user_id] = now + self._timeout
        return news

    def tell(self, user_id: UUID, now: float) -> bool:
        """After a start here: whether the other nodes are to be told now. If not, they are in time (`take_untold`)."""
        if user_id not in self._deadlines:
            return False
        told = self._told.get(user_id)
        if told is None:
            self._told[user_id] = _Told(now)
            return True
        told.prolonged = True
        return self._tell_again(told, now)

    def take_untold(self, now: float) -> list[UUID]:
        """Whose prolonged starts the other nodes are to be told of again."""
        return [user_id for user_id, told in self._told.items() if told.prolonged and self._tell_again(told, now)]

    def retell(self, now: float) -> list[UUID]:
        """All whose starts the other nodes were told of, to be told again, since one of them has asked."""
        for user_id in self._told:
            self._told[user_id] = _Told(now)
        return list(self._told)

    def untell(self, user_id: UUID) -> bool:
        """The user types here no more. True when the other nodes were told that he does."""
        return bool(self._told) and self._told.pop(user_id, None) is not None

    def _tell_again(self, told: _Told, now: float) -> bool:
        if now < told.at + self._timeout / 2:
            return False
        told.at, told.prolonged = now, False
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
        """When `expire` or `take_untold` is due next; infinity when nobody types."""
        if not self._deadlines:
            return inf
        again = [told.at + self._timeout / 2 for told in self._told.values() if told.prolonged]
        return min(*self._deadlines.values(), *again, inf)
