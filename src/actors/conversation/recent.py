"""The events that a conversation delivered last."""

from collections import deque
from collections.abc import Sequence

from actors.conversation.subscription import Encoded


class Recent:
    """Events kept at hand, so that a subscription which joins just behind need not read them from the database.

    At most `max_events` of together at most `max_bytes` of bodies: the oldest are dropped. Everything that happened
    after `floor`, a `rev`, is there.
    """

    __slots__ = ("_bytes", "_events", "_max_bytes", "_max_events", "floor")

    def __init__(self, floor: int, *, max_events: int, max_bytes: int) -> None:
        self.floor = floor
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._events: deque[Encoded] = deque()
        self._bytes = 0

    def extend(self, events: Sequence[Encoded]) -> None:
        """Add what happened next, by `rev`."""
        for event in events:
            self._events.append(event)
            self._bytes += len(event.body)
        while len(self._events) > self._max_events or self._bytes > self._max_bytes:
            self._drop()

    def forget_below(self, seq: int) -> None:
        """Drop everything up to the last event of a message below `seq`."""
        last = max((event.rev for event in self._events if event.seq < seq), default=self.floor)
        while self._events and self._events[0].rev <= last:
            self._drop()

    def _drop(self) -> None:
        dropped = self._events.popleft()
        self._bytes -= len(dropped.body)
        self.floor = dropped.rev

    def after(self, rev: int) -> list[Encoded] | None:
        """What happened after `rev`; None when that is more than what is at hand."""
        if rev < self.floor:
            return None
        return [event for event in self._events if event.rev > rev]
