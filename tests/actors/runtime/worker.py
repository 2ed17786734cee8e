"""An actor whose messages say what is to happen to it, and the dynamic supervisor of such actors."""

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from actors.runtime import (
    ActorBehaviour,
    ActorContext,
    DynamicSupervisor,
    MailboxClosed,
    RestartIntensity,
    SupervisorEvent,
)
from chatcore.errors import ChatError

PATIENT = RestartIntensity(max_restarts=3, within=100, backoff_initial=1, backoff_max=60, jitter=0)


class Broken(Exception):
    pass


@attrs.frozen
class Work:
    """Takes `takes` seconds; then crashes the actor if `crash`."""

    id: int
    takes: float = 0.0
    crash: bool = False


@attrs.define
class Pool:
    """Actors that pass themselves off after `idle` seconds and take `flush` seconds to finish.

    `handled` and `refused` list what became of each message; `in_hand` what later incarnations were handed.
    """

    idle: float = 10.0
    flush: float = 0.0
    batch: int = 1
    crash_in_flush: bool = False
    handled: list[tuple[str, int]] = attrs.field(factory=list[tuple[str, int]])
    in_hand: list[tuple[str, int]] = attrs.field(factory=list[tuple[str, int]])
    refused: list[tuple[int, ChatError]] = attrs.field(factory=list[tuple[int, ChatError]])
    lives: list[tuple[str, float, int, Exception | None]] = attrs.field(
        factory=list[tuple[str, float, int, Exception | None]]
    )
    events: list[SupervisorEvent] = attrs.field(factory=list[SupervisorEvent])
    alive: set[str] = attrs.field(factory=lambda: set[str]())

    def supervisor(
        self,
        *,
        capacity: int = 100,
        max_children: int = 10,
        intensity: RestartIntensity = PATIENT,
        behaviour: ActorBehaviour[Work] | None = None,
    ) -> DynamicSupervisor[str, Work]:
        return DynamicSupervisor(
            "pool",
            self.behaviour if behaviour is None else lambda _: behaviour,
            capacity=capacity,
            max_children=max_children,
            intensity=intensity,
            rng=random.Random(1),
            refuse=lambda work, error: self.refused.append((work.id, error)),
            quarantine=30.0,
            on_event=self.events.append,
        )

    def behaviour(self, key: str) -> ActorBehaviour[Work]:
        async def live(context: ActorContext[Work]) -> None:
            assert key not in self.alive, "two incarnations at once"
            self.alive.add(key)
            self.lives.append((key, trio.current_time(), context.restart_count, context.last_error))
            try:
                await self._live(key, context)
            finally:
                self.alive.remove(key)

        return live

    async def _live(self, key: str, context: ActorContext[Work]) -> None:
        self.in_hand.extend((key, work.id) for work in context.in_hand)
        context.done()
        while True:
            batch = await self._next(context)
            if batch is None:
                await self._flush()
                return
            for work in batch:
                await trio.sleep(work.takes)
                if work.crash:
                    raise Broken(work.id)
            self.handled.extend((key, work.id) for work in batch)

    async def _next(self, context: ActorContext[Work]) -> list[Work] | None:
        """The next messages, or None when it is time to go."""
        while True:
            with trio.move_on_after(self.idle):
                try:
                    return await context.mailbox.receive_batch(self.batch)
                except MailboxClosed:
                    return None
            if context.mailbox.close_if_empty():
                return None

    async def _flush(self) -> None:
        await trio.sleep(self.flush)
        if self.crash_in_flush:
            self.crash_in_flush = False
            raise Broken("flush")


@asynccontextmanager
async def running(supervisor: DynamicSupervisor[str, Work]) -> AsyncGenerator[trio.Nursery]:
    """Run it until the block ends, then cancel it."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await wait_all_tasks_blocked()
        yield nursery
        nursery.cancel_scope.cancel()
