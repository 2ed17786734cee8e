"""How often one user is told of the messages of one conversation: the newest, at most once an interval."""

from heapq import heappop, heappush
from itertools import count
from math import inf
from uuid import UUID

import attrs
from attrs import frozen


@attrs.define
class _Last:
    """When something was told last, and the newest `seq` that is told or held back; `held` is not told yet."""

    at: float
    seq: int
    held: bytes | None = None


@frozen
class Due:
    """To be told now."""

    user_id: UUID
    conversation_id: UUID
    body: bytes


class Newest:
    """Of what comes within `interval` seconds after something was told, the newest is held back until they are over.

    Of at most `memory` pairs of user and conversation it is known when, and of what, they were told. Beyond that the
    one that was told longest ago is forgotten: a repeat may be told again, and what it held back is dropped.
    """

    def __init__(self, interval: float, memory: int) -> None:
        self.dropped = 0
        self._interval = interval
        self._memory = memory
        self._last: dict[tuple[UUID, UUID], _Last] = {}  # those told longest ago first
        self._held: list[tuple[float, int, tuple[UUID, UUID]]] = []
        self._order = count()

    @property
    def next_due(self) -> float:
        """When `take_due` may have something; infinite when nothing is held back."""
        return self._held[0][0] if self._held else inf

    def offer(self, due: Due, seq: int, now: float) -> bool:
        """Whether to tell it now. If not it is held back, or another node has told of this message or a newer one."""
        key = (due.user_id, due.conversation_id)
        last = self._last.get(key)
        if last is None:
            self._last[key] = _Last(now, seq)
            if len(self._last) > self._memory:
                oldest = self._last.pop(next(iter(self._last)))
                self.dropped += oldest.held is not None
            return True
        if seq <= last.seq:
            return False
        last.seq = seq
        if last.held is None:
            if now >= last.at + self._interval:
                self._note(key, last, now)
                return True
            heappush(self._held, (last.at + self._interval, next(self._order), key))
        last.held = due.body
        return False

    def take_due(self, now: float) -> list[Due]:
        """What was held back long enough."""
        due: list[Due] = []
        while self._held and self._held[0][0] <= now:
            _, _, key = heappop(self._held)
            last = self._last.get(key)
            # One that was forgotten may have come anew meanwhile, and be held back until later.
            if last is not None and last.held is not None and last.at + self._interval <= now:
                due.append(Due(*key, last.held))
                last.held = None
                self._note(key, last, now)
        return due

    def _note(self, key: tuple[UUID, UUID], last: _Last, now: float) -> None:
        last.at = now
        self._last[key] = self._last.pop(key)
