"""A registry of actors, one a key, started when they are needed and supervised one by one."""

import logging
import random
from collections.abc import Callable, Generator, Hashable
from contextvars import Context, copy_context
from functools import partial
from heapq import nlargest
from typing import Generic, TypeVar

import attrs
import trio
from trio import TASK_STATUS_IGNORED, Nursery, TaskStatus

from chatcore.errors import ChatError, ErrorCode, not_found, overloaded, unavailable

from .alarms import Alarms
from .cell import ActorBehaviour, Cell, CellPolicy
from .events import EventKind, OnEvent, SupervisorEvent, report
from .mailbox import Mailbox
from .ref import MailboxRef, Ref
from .snapshot import ActorSnapshot, ActorState, DynamicSnapshot
from .spec import ChildContext, ChildSpec, Restart, RestartIntensity, RestartWindow

K = TypeVar("K", bound=Hashable)
M = TypeVar("M")

_log = logging.getLogger(__name__)

_TOLD = 32
"""Actors of which the parent's snapshot tells."""
_STEP = 64
"""Actors that are looked at in one step."""


@attrs.define
class _Totals:
    """What is remembered of actors that are gone, and counts that belong to none."""

    started: int = 0
    passivated: int = 0
    crashes: int = 0
    quarantines: int = 0
    refused: int = 0
    handled: int = 0
    time_in_handler: float = 0.0


class DynamicSupervisor(Generic[K, M]):
    """One actor per key: started by the first message, passivated when it returns with nothing waiting.

    `behaviour(key)` makes the behaviour of each incarnation. A behaviour that has nothing to do for a while calls
    `mailbox.close_if_empty()` and, if that is True, finishes and returns; a message that arrives from then on is
    kept for a new incarnation, which starts when the old one has returned.

    An actor that crashes is restarted after a jittered back-off; what waits stays in its mailbox, what was in
    hand goes to the next incarnation. Over `intensity` the actor is quarantined: for `quarantine` seconds every
    message for it is refused with `UNAVAILABLE`, after that the next message starts it anew. It never escalates.

    Mailboxes hold `capacity` messages and refuse more with `OVERLOADED`, as does a key beyond `max_children`
    live actors. What was accepted and will not be handled is given to `refuse`, which must not raise.
    """

    def __init__(
        self,
        name: str,
        behaviour: Callable[[K], ActorBehaviour[M]],
        *,
        capacity: int,
        max_children: int,
        intensity: RestartIntensity,
        rng: random.Random,
        refuse: Callable[[M, ChatError], None],
        quarantine: float = 30.0,
        on_event: OnEvent | None = None,
    ) -> None:
        self.name = name
        self._behaviour = behaviour
        self._capacity = capacity
        self._max_children = max_children
        self._intensity = intensity
        self._rng = rng
        self._refuse_message = refuse
        self._quarantine = quarantine
        self._on_event = on_event
        self._cells: dict[K, Cell[M]] = {}
        self._nursery: Nursery | None = None
        self._context = Context()
        self._stopping = trio.Event()
        self._finished = trio.Event()
        self._alarms = Alarms()
        self._policy = self._make_policy()
        self._totals = _Totals()

    def __len__(self) -> int:
        return len(self._cells)

    def keys(self) -> list[K]:
        """The keys that have an actor, the quarantined included."""
        return list(self._cells)

    def ref(self, key: K) -> Ref[M]:
        """The address of the actor of `key`, live or not; costs nothing and never goes stale."""
        return _KeyRef(self, key)

    def live(self, key: K) -> Ref[M] | None:
        """The address of the actor of `key` if there is one that takes messages. It is of use only now: it never
        starts an actor, and is closed once this one has gone.
        """
        cell = self._cells.get(key)
        return MailboxRef(cell.mailbox) if cell is not None and cell.mailbox.is_open else None

    def mailbox(self, key: K) -> Mailbox[M]:
        """The open mailbox of the actor of `key`, starting the actor if there is none.

        Raises `OVERLOADED` at `max_children`, `UNAVAILABLE` in quarantine, while stopping and when not running.
        """
        cell = self._cells.get(key)
        if cell is None:
            cell = self._start(key)
        elif not cell.mailbox.is_open:
            self._reopen(cell)
        return cell.mailbox

    def restart(self, key: K) -> None:
        """Replace the actor's incarnation by a new one now, for an operator: all is as after a crash, but it does not
        count towards quarantine, which it ends, and there is no wait. Raises `NOT_FOUND` without an actor.
        """
        self._cell(key).restart()

    async def passivate(self, key: K, timeout: float) -> None:
        """Have the actor go now as it goes when idle, once it has handled what is in hand.

        Raises `NOT_FOUND` without an actor, `CONFLICT` when it must stay, or cannot be asked, and `UNAVAILABLE` when it
        has not gone after `timeout` seconds, because it is busy or was needed again.
        """
        cell = self._cell(key)
        if cell.context is None or cell.context.on_leave is None:
            raise ChatError(ErrorCode.CONFLICT, f"{cell.name} is {cell.state.value} and cannot be asked to go")
        cell.context.on_leave()
        with trio.move_on_after(timeout):
            await cell.gone.wait()
        if not cell.gone.is_set():
            raise unavailable(f"{cell.name} is still in use")

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Keep the actors until `stop` or cancellation; what is unhandled then is refused as `UNAVAILABLE`."""
        self._stopping = trio.Event()
        self._finished = trio.Event()
        self._alarms = Alarms()
        self._policy = self._make_policy()
        # Actors must not inherit the context variables of whoever happens to send the first message.
        self._context = copy_context()
        try:
            async with trio.open_nursery() as clocks:
                clocks.start_soon(self._alarms.run, name=f"{self.name}: alarms")
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    try:
                        task_status.started()
                        await self._stopping.wait()
                    finally:
                        self._seal()
                clocks.cancel_scope.cancel()
        finally:
            self._nursery = None
            self._finished.set()

    async def stop(self, timeout: float) -> None:
        """Take no more messages, let the actors handle what waits and finish for `timeout` seconds, then cancel
        those that are left. Returns when `run` has nothing left.
        """
        nursery = self._nursery
        if nursery is None:
            return
        self._seal()
        try:
            with trio.move_on_after(timeout):
                await self._finished.wait()
        finally:
            nursery.cancel_scope.cancel()
        await self._finished.wait()

    def spec(self, restart: Restart = Restart.TRANSIENT, shutdown_timeout: float = 10.0) -> ChildSpec:
        """This supervisor as a child of another; transient, so that `stop` is final and a failure is not."""

        async def run(context: ChildContext) -> None:
            context.started()
            await self.run()

        return ChildSpec(self.name, run, restart, shutdown_timeout, partial(self.snapshot, _TOLD))

    def snapshot(self, limit: int | None = None) -> DynamicSnapshot:
        """The totals, and at most `limit` actors: those that do not run first, then by the depth of their mailboxes."""
        steps = self.snapshot_in_steps(limit)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value

    def snapshot_in_steps(self, limit: int | None = None) -> Generator[None, None, DynamicSnapshot]:
        """As `snapshot`, with chances between to let the loop go on; each actor is as it was at its step."""
        refused, handled, time_in_handler = self._totals.refused, self._totals.handled, self._totals.time_in_handler
        cells = list(self._cells.values())
        urgency: list[tuple[bool, int]] = []
        for number, cell in enumerate(cells, 1):
            mailbox = cell.mailbox
            refused += mailbox.refused_total
            handled += mailbox.handled_total
            time_in_handler += mailbox.busy_seconds
            urgency.append((cell.state is not ActorState.RUNNING, mailbox.depth))
            if number % _STEP == 0:
                yield
        most = len(cells) if limit is None else limit
        actors: list[ActorSnapshot] = []
        for number, at in enumerate(nlargest(most, range(len(cells)), key=urgency.__getitem__), 1):
            actors.append(cells[at].snapshot())
            if number % _STEP == 0:
                yield
        return DynamicSnapshot(
            name=self.name,
            live=len(self._cells),
            max_children=self._max_children,
            started=self._totals.started,
            passivated=self._totals.passivated,
            crashes=self._totals.crashes,
            quarantines=self._totals.quarantines,
            refused=refused,
            handled=handled,
            time_in_handler=time_in_handler,
            actors=tuple(actors),
        )

    def _cell(self, key: K) -> Cell[M]:
        cell = self._cells.get(key)
        if cell is None:
            raise not_found("The actor")
        return cell

    def _make_policy(self) -> CellPolicy[M]:
        return CellPolicy(
            self._intensity, self._quarantine, self._rng, self._stopping, self._alarms, self._refuse, self._report
        )

    def _start(self, key: K) -> Cell[M]:
        nursery = self._nursery
        if nursery is None or self._stopping.is_set():
            self._totals.refused += 1
            raise unavailable()
        if len(self._cells) >= self._max_children:
            self._totals.refused += 1
            raise overloaded()
        name = f"{self.name}/{key}"
        cell = Cell(
            key=key,
            name=name,
            mailbox=Mailbox[M](name, self._capacity, trio.lowlevel.current_clock().current_time),
            make=partial(self._behaviour, key),
            policy=self._policy,
            window=RestartWindow(self._intensity),
        )
        self._cells[key] = cell
        self._totals.started += 1
        self._context.run(partial(nursery.start_soon, partial(self._live, key, cell), name=name))
        return cell

    def _reopen(self, cell: Cell[M]) -> None:
        if cell.state is ActorState.QUARANTINED:
            self._totals.refused += 1
            raise cell.quarantine_error()
        if self._stopping.is_set():
            self._totals.refused += 1
            raise unavailable()
        cell.mailbox.reopen()
        cell.reopened = True

    async def _live(self, key: K, cell: Cell[M]) -> None:
        try:
            await cell.live()
            self._totals.passivated += cell.state is ActorState.RUNNING and not self._stopping.is_set()
        finally:
            del self._cells[key]
            cell.gone.set()
            cell.refuse_all(unavailable())
            self._totals.refused += cell.mailbox.refused_total
            self._totals.handled += cell.mailbox.handled_total
            self._totals.time_in_handler += cell.mailbox.busy_seconds

    def _seal(self) -> None:
        self._stopping.set()
        for cell in self._cells.values():
            cell.mailbox.seal()

    def _refuse(self, message: M, error: ChatError) -> None:
        try:
            self._refuse_message(message, error)
        except Exception:
            _log.exception("%s could not refuse a message", self.name)

    def _report(self, kind: EventKind, actor: str, error: Exception | None, delay: float | None) -> None:
        self._totals.crashes += kind is EventKind.CRASHED
        self._totals.quarantines += kind is EventKind.QUARANTINED
        report(self._on_event, SupervisorEvent(kind, self.name, actor, error, delay))


class _KeyRef(Ref[M], Generic[K, M]):
    __slots__ = ("_key", "_supervisor")

    def __init__(self, supervisor: DynamicSupervisor[K, M], key: K) -> None:
        self._supervisor = supervisor
        self._key = key

    @property
    def name(self) -> str:
        return f"{self._supervisor.name}/{self._key}"

    def tell(self, message: M) -> None:
        self._supervisor.mailbox(self._key).offer(message)

    async def tell_wait(self, message: M, timeout: float) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        await self._supervisor.mailbox(self._key).put(message, timeout=timeout)
