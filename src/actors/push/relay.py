"""Sends what is in the outbox of pushes."""

import random

import trio
from attrs import define, field, frozen

from actors.push.ports import Device, Job, Push, PushSender, PushStore, Told
from actors.rounds import RoundFigures, every
from chatcore.errors import ChatError


@frozen
class RelayPolicy:
    """Times in seconds. After each failure the wait doubles, from `backoff` to `backoff_max`, less up to half of it by
    chance. A push is given up after `attempts`. A node that does not end a push within `lease` has lost it to another.
    """

    interval: float = 1.0
    delay: float = 1.0
    concurrency: int = 8
    attempts: int = 10
    backoff: float = 1.0
    backoff_max: float = 300.0
    lease: float = 60.0


@define
class RelayFigures:
    """Of this node since its start. Sent, failed and gone count devices, the others pushes."""

    sent: int = 0
    failed: int = 0
    gone: int = 0
    dropped: int = 0
    void: int = 0
    rounds: RoundFigures = field(factory=RoundFigures)


class PushRelay:
    """Permanent, on every node. It takes no more than it can send at once; the rest waits in the outbox."""

    def __init__(self, store: PushStore, sender: PushSender, policy: RelayPolicy, rng: random.Random) -> None:
        self._store = store
        self._sender = sender
        self._policy = policy
        self._rng = rng
        self.figures = RelayFigures()

    async def run(self) -> None:
        await every(self._policy.interval, self._round, self.figures.rounds, trio.Event)

    async def _round(self) -> None:
        while jobs := await self._store.take(limit=self._policy.concurrency, lease=self._policy.lease):
            async with trio.open_nursery() as nursery:
                for job in jobs:
                    nursery.start_soon(self._do, job)

    async def _do(self, job: Job) -> None:
        remaining: list[str] = []
        if job.push is None:
            self.figures.void += 1
        else:
            for device in job.devices:
                try:
                    if not await self._tell(job.push, device):
                        remaining.append(device.id)
                except ChatError:
                    remaining.append(device.id)
        try:
            if remaining:
                await self._again(job, remaining)
            else:
                await self._store.sent(job, delay=self._policy.delay)
        except ChatError:
            # It is taken anew when the lease is over.
            self.figures.rounds.failed += 1

    async def _tell(self, push: Push, device: Device) -> bool:
        match await self._sender.send(push, device):
            case Told.SENT:
                self.figures.sent += 1
            case Told.GONE:
                self.figures.gone += 1
                await self._store.forget(device)
            case Told.FAILED:
                self.figures.failed += 1
                return False
        return True

    async def _again(self, job: Job, remaining: list[str]) -> None:
        policy = self._policy
        if job.attempt >= policy.attempts:
            self.figures.dropped += 1
            await self._store.failed(job, remaining, delay=None)
            return
        wait = min(policy.backoff_max, policy.backoff * 2.0 ** (job.attempt - 1))
        await self._store.failed(job, remaining, delay=wait * (1 - self._rng.random() / 2))
