"""How often one user is told of the messages of one conversation: the newest, at most once an interval."""

from heapq import heappop, heappush
from itertools import count
from math import inf
from uuid import UUID

import attrs
from attrs import frozen


@attrs.define
class _Last:
    """When something was told last, and the newest `seq` that is told or held back, of all and of mentions; `held` and
    `mention` are not told yet.
    """

    at: float
    seq: int
    held: bytes | None = None
    mentioned: int = 0
    mention: bytes | None = None


@frozen
class Due:
    """To be told now."""

    user_id: UUID
    conversation_id: UUID
    body: bytes


class Newest:
    """Of what comes within `interval` seconds after something was told, the newest is held back until they are over.
    So is the newest mention, which is told first; what is newer than it then waits another `interval`.

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

    def offer(self, due: Due, seq: int, now: float, *, mention: bool = False) -> bool:
        """Whether to tell it now. If not it is held back, or another node has told of this message or a newer one."""
        key = (due.user_id, due.conversation_id)
        last = self._last.get(key)
        if last is None:
            self._last[key] = _Last(now, seq, mentioned=seq if mention else 0)
            if len(self._last) > self._memory:
                oldest = self._last.pop(next(iter(self._last)))
                self.dropped += (oldest.held is not None) + (oldest.mention is not None)
            return True
        if mention:
            return self._offer_mention(key, last, due, seq, now)
        if seq <= last.seq:
            return False
        last.seq = seq
        if self._may_tell(key, last, now):
            return True
        last.held = due.body
        return False

    def _offer_mention(self, key: tuple[UUID, UUID], last: _Last, due: Due, seq: int, now: float) -> bool:
        if seq <= last.mentioned:
            return False
        last.mentioned = seq
        if self._may_tell(key, last, now):
            last.seq = max(last.seq, seq)
            return True
        if seq > last.seq:
            # It is the newest itself, and is told in the place of that.
            last.seq, last.held = seq, None
        last.mention = due.body
        return False

    def _may_tell(self, key: tuple[UUID, UUID], last: _Last, now: float) -> bool:
        """Whether something may be told now, and is; else it is to be held back, and found when it is due."""
        if last.held is None and last.mention is None:
            if now >= last.at + self._interval:
                self._note(key, last, now)
                return True
            heappush(self._held, (last.at + self._interval, next(self._order), key))
        return False

    def take_due(self, now: float) -> list[Due]:
        """What was held back long enough."""
        due: list[Due] = []
        while self._held and self._held[0][0] <= now:
            _, _, key = heappop(self._held)
            last = self._last.get(key)
            # One that was forgotten may have come anew meanwhile, and be held back until later.
            if last is None or last.at + self._interval > now:
                continue
            if last.mention is not None:
                due.append(Due(*key, last.mention))
                last.mention = None
                self._note(key, last, now)
                if last.held is not None:
                    heappush(self._held, (now + self._interval, next(self._order), key))
            elif last.held is not None:
                due.append(Due(*key, last.held))
                last.held = None
                self._note(key, last, now)
        return due

    def _note(self, key: tuple[UUID, UUID], last: _Last, now: float) -> None:
        last.at = now
        self._last[key] = self._last.pop(key)
