"""One child of a supervisor: its task, and what is remembered between its incarnations."""

import math
import random
from collections.abc import Callable

import attrs
import trio

from .crash import CrashGuard
from .snapshot import ActorSnapshot, ActorState, ChildSnapshot
from .spec import ChildSpec, RestartIntensity


class UnexpectedReturn(Exception):  # what happened, as in OTP
    """A permanent child came to an end without an error, or an actor left messages without taking any."""


@attrs.define(eq=False)
class Child:
    """The scope shields the child from cancellation from outside, so that the supervisor can stop its children
    one by one: the supervisor always cancels it, and waits for it with a deadline.
    """

    spec: ChildSpec
    notify: Callable[[], None]
    state: ActorState = ActorState.WAITING
    start_at: float = -math.inf
    started_at: float = 0.0
    failures: int = 0
    restarts: int = 0
    incarnation: int = 0
    alive: bool = False
    error: Exception | None = None
    last_error: Exception | None = None
    scope: trio.CancelScope = attrs.field(factory=lambda: trio.CancelScope(shield=True))
    ended: trio.Event = attrs.field(factory=trio.Event)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def restart_count(self) -> int:
        return self.restarts

    def reset(self) -> None:
        """Forget the incarnations of an earlier run of the supervisor."""
        self.state = ActorState.WAITING
        self.start_at = -math.inf
        self.failures = 0
        self.incarnation = 0

    def back_off(self, until: float) -> None:
        """To be started again at `until`."""
        self.state = ActorState.BACKOFF
        self.start_at = until

    def prepare(self, now: float) -> None:
        """Ready for one incarnation, which `live` runs in a task of its own."""
        self.scope = trio.CancelScope(shield=True)
        self.ended = trio.Event()
        self.alive = True
        self.error = None
        self.started_at = now
        self.state = ActorState.STARTING
        self.restarts += self.incarnation > 0
        self.incarnation += 1

    def started(self) -> None:
        """See `ChildContext.started`."""
        if self.state is ActorState.STARTING:
            self.state = ActorState.RUNNING
            self.notify()

    async def live(self) -> None:
        """Run one incarnation to its end."""
        try:
            with self.scope, CrashGuard(self._crashed):
                await self.spec.run(self)
        finally:
            self.alive = False
            if self.state is ActorState.STOPPING:
                self.state = ActorState.FINISHED
            self.ended.set()
            self.notify()

    def restart_delay(self, now: float, intensity: RestartIntensity, rng: random.Random) -> float:
        """Seconds to wait before the next incarnation; longer with each failure in a row."""
        if now - self.started_at >= intensity.within:
            self.failures = 0
        self.failures += 1
        return intensity.delay(self.failures - 1, rng)

    def snapshot(self) -> ChildSnapshot:
        error = None if self.last_error is None else repr(self.last_error)
        return ChildSnapshot(
            child=ActorSnapshot(
                name=self.name, state=self.state, restarts=self.restarts, last_error=error, error=self.last_error
            ),
            inside=self.spec.inspect() if self.spec.inspect is not None else None,
        )

    def _crashed(self, error: Exception) -> None:
        self.error = error
        self.last_error = error
