"""In-memory twin of `Claims`."""

from datetime import datetime, timedelta
from uuid import UUID

from attrs import define

from actors.adapters.memory.state import ChatState
from actors.privacy.ports import START, Denied, Taken


@define
class _Claim:
    holder: UUID | None = None
    held_until: datetime | None = None
    position: UUID = START
    finished_at: datetime | None = None


class MemoryClaims:
    """`Claims` by the clock of a `ChatState`."""

    def __init__(self, state: ChatState) -> None:
        self._state = state
        self._claims: dict[str, _Claim] = {}

    async def take(self, name: str, holder: UUID, *, lease: float, interval: float) -> Taken | Denied:
        await self._state.faults.before("take")
        now = self._state.now()
        claim = self._claims.setdefault(name, _Claim())
        waits = [0.0]
        if claim.held_until is not None and claim.holder != holder:
            waits.append((claim.held_until - now).total_seconds())
        if claim.finished_at is not None:
            waits.append(interval - (now - claim.finished_at).total_seconds())
        if max(waits) > 0:
            return Denied(max(waits))
        claim.holder, claim.held_until = holder, now + timedelta(seconds=lease)
        self._state.faults.after("take")
        return Taken(claim.position)

    async def hold(self, name: str, holder: UUID, position: UUID, *, lease: float) -> bool:
        await self._state.faults.before("hold")
        claim = self._claims.get(name)
        if claim is None or claim.holder != holder:
            return False
        claim.position, claim.held_until = position, self._state.now() + timedelta(seconds=lease)
        return True

    async def finish(self, name: str, holder: UUID) -> None:
        await self._state.faults.before("finish")
        claim = self._claims.get(name)
        if claim is not None and claim.holder == holder:
            self._claims[name] = _Claim(finished_at=self._state.now())
