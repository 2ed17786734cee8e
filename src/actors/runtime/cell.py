"""What a dynamic supervisor keeps for one key: the mailbox, and the life of the actor behind it."""

import random
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import attrs
import trio

from chatcore.errors import ChatError, ErrorCode

from .alarms import Alarms
from .child import UnexpectedReturn
from .crash import CrashGuard
from .events import EventKind
from .mailbox import Mailbox, MailboxClosed
from .snapshot import ActorSnapshot, ActorState
from .spec import RestartIntensity, RestartWindow

M = TypeVar("M")


@attrs.define(eq=False)
class ActorContext(Generic[M]):
    """What one incarnation of an actor is given.

    `in_hand` holds what earlier incarnations had received and not finished, in order of receipt. The actor settles
    it before its first receive, which marks it as done. `stopping` is set when the actor is asked to come to an
    end; its mailbox then gives what waits and after that raises `MailboxClosed`. `alarms` keeps its deadlines.
    """

    key: Hashable
    name: str
    mailbox: Mailbox[M]
    restart_count: int
    last_error: Exception | None
    in_hand: list[M]
    stopping: trio.Event
    alarms: Alarms
    on_leave: Callable[[], None] | None = None
    """Set by an actor that can be passivated on request: is to have it close its mailbox and return as soon as it has
    nothing in hand, or raises `CONFLICT` with why it must stay.
    """

    def done(self) -> None:
        """What was received so far is finished: a crash from here on does not hand it on."""
        self.mailbox.done()


ActorBehaviour = Callable[[ActorContext[M]], Awaitable[None]]


@attrs.frozen
class CellPolicy(Generic[M]):
    """What all actors of one dynamic supervisor share. `quarantine` is in seconds."""

    intensity: RestartIntensity
    quarantine: float
    rng: random.Random
    stopping: trio.Event
    alarms: Alarms
    refuse: Callable[[M, ChatError], None]
    report: Callable[[EventKind, str, Exception | None, float | None], None]


@attrs.define(eq=False)
class Cell(Generic[M]):
    """One actor over all its incarnations, until it is passivated, quarantined or stopped.

    The mailbox lives as long as the cell, so what waits survives a crash. Incarnations follow one another in one
    task: two of them never overlap.
    """

    key: Hashable
    name: str
    mailbox: Mailbox[M]
    make: Callable[[], ActorBehaviour[M]]
    policy: CellPolicy[M]
    window: RestartWindow
    state: ActorState = ActorState.STARTING
    restarts: int = 0
    failures: int = 0
    reopened: bool = False
    quarantined_until: float = 0.0
    error: Exception | None = None
    last_error: Exception | None = None
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    """Around the incarnation, or the pause after it."""
    context: ActorContext[M] | None = None
    gone: trio.Event = attrs.field(factory=trio.Event)

    def restart(self) -> None:
        """End the incarnation, or the pause, now. As after a crash, what is in hand goes to the next one; it counts as
        no failure.
        """
        self.scope.cancel()

    async def live(self) -> None:
        """Run incarnations until nothing waits and the last one ended in peace."""
        while await self._incarnate():
            pass

    def refuse_all(self, error: ChatError) -> None:
        """Close the mailbox; refuse what is in hand and what waits."""
        for message in self.mailbox.take_in_hand() + self.mailbox.close():
            self.policy.refuse(message, error)

    def snapshot(self) -> ActorSnapshot:
        mailbox = self.mailbox
        return ActorSnapshot(
            name=self.name,
            state=self.state,
            mailbox_depth=mailbox.depth,
            mailbox_capacity=mailbox.capacity,
            oldest_age=mailbox.oldest_age,
            handled=mailbox.handled_total,
            refused=mailbox.refused_total,
            restarts=self.restarts,
            last_error=None if self.last_error is None else repr(self.last_error),
            time_in_handler=mailbox.busy_seconds,
            busy_since=mailbox.busy_since,
            error=self.last_error,
        )

    async def _incarnate(self) -> bool:
        """One incarnation and the pause after it. Whether another one is to follow."""
        stopping = self.policy.stopping
        mailbox = self.mailbox
        started_at = trio.current_time()
        received = mailbox.received_total
        self.error = None
        self.reopened = False
        self.state = ActorState.RUNNING
        with trio.CancelScope() as self.scope, CrashGuard(self._crashed):
            context = self.context = ActorContext(
                self.key,
                self.name,
                mailbox,
                self.restarts,
                self.last_error,
                mailbox.in_hand,
                stopping,
                self.policy.alarms,
            )
            await self.make()(context)
        self.context = None
        mailbox.pause()
        if self.scope.cancelled_caught and self.error is None:
            return self._again()
        if self._ended_by_stop():
            self.error = None
        if self.error is None:
            mailbox.done()
            if stopping.is_set() or not len(mailbox):
                return False
            if self.reopened or mailbox.received_total > received:
                return True
            self._crashed(UnexpectedReturn(f"{self.name} returned without taking what waits"))
        return await self._recover(started_at)

    def _again(self) -> bool:
        """After a restart that was asked for."""
        if self.policy.stopping.is_set():
            return False
        self.restarts += 1
        self.mailbox.reopen()
        self.policy.report(EventKind.RESTARTING, self.name, None, 0.0)
        return True

    async def _recover(self, started_at: float) -> bool:
        """After a crash: wait before the next incarnation, or sit out the quarantine."""
        policy = self.policy
        now = trio.current_time()
        policy.report(EventKind.CRASHED, self.name, self.error, None)
        if policy.stopping.is_set():
            return False
        if not self.window.allow(now):
            self.state = ActorState.QUARANTINED
            self.quarantined_until = now + policy.quarantine
            policy.report(EventKind.QUARANTINED, self.name, self.error, policy.quarantine)
            self.refuse_all(self.quarantine_error())
            await self._pause(policy.quarantine)
            return False
        if now - started_at >= policy.intensity.within:
            self.failures = 0
        delay = policy.intensity.delay(self.failures, policy.rng)
        self.failures += 1
        self.restarts += 1
        self.state = ActorState.BACKOFF
        self.mailbox.reopen()
        policy.report(EventKind.RESTARTING, self.name, self.error, delay)
        await self._pause(delay)
        return not policy.stopping.is_set()

    def quarantine_error(self) -> ChatError:
        """What callers get meanwhile: `UNAVAILABLE`, with the seconds that are left."""
        left = max(0.0, self.quarantined_until - trio.current_time())
        return ChatError(ErrorCode.UNAVAILABLE, "Out of order for a moment, try again later", retry_after=left)

    async def _pause(self, seconds: float) -> None:
        with trio.move_on_after(seconds) as self.scope:
            await self.policy.stopping.wait()

    def _ended_by_stop(self) -> bool:
        """Whether its mailbox running dry at a stop is all that ended the actor."""
        error = self.error
        return self.policy.stopping.is_set() and isinstance(error, MailboxClosed) and error.mailbox == self.name

    def _crashed(self, error: Exception) -> None:
        self.error = error
        self.last_error = error
