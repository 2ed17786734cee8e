"""A supervisor of a fixed list of children, after Erlang/OTP's `supervisor` behaviour."""

import random
from collections import deque
from collections.abc import Callable, Sequence

import trio
from trio import TASK_STATUS_IGNORED, Nursery, TaskStatus

from .child import Child, UnexpectedReturn
from .events import EventKind, OnEvent, SupervisorEvent, report
from .snapshot import ActorState, SupervisorSnapshot
from .spec import ChildContext, ChildSpec, Restart, RestartIntensity, RestartWindow, Strategy

_UP = (ActorState.STARTING, ActorState.RUNNING)
_DUE = (ActorState.WAITING, ActorState.BACKOFF)


class IntensityExceeded(ExceptionGroup[Exception]):
    """A supervisor gave up: its children failed more often than its intensity tolerates. Holds the last errors."""


class Supervisor:
    """Runs `children` as tasks of its own, starts them in order and stops them in reverse order.

    A child starts when all before it are ready (`ChildContext.started`) or have ended for good. A child that ends
    is restarted by its `Restart` rule after a jittered back-off, together with those that `strategy` names: these
    are stopped first, in reverse order, and started again in order. Temporary children stopped that way stay
    down; transient ones that had finished run again. One-for-one restarts wait for no sibling.

    Each restart counts once towards `intensity`. Over it the supervisor stops all its children and raises
    `IntensityExceeded` to its own parent.
    """

    def __init__(
        self,
        name: str,
        children: Sequence[ChildSpec],
        strategy: Strategy,
        intensity: RestartIntensity,
        rng: random.Random,
        on_event: OnEvent | None = None,
    ) -> None:
        self.name = name
        self._children = [Child(spec, self._notify) for spec in children]
        if len({child.name for child in self._children}) < len(self._children):
            raise ValueError(f"children of {name} share a name")
        self._strategy = strategy
        self._intensity = intensity
        self._rng = rng
        self._on_event = on_event
        self._window = RestartWindow(intensity)
        self._recent: deque[Exception] = deque(maxlen=max(1, intensity.max_restarts + 1))
        self._restarts = 0
        self._stop_requested = False
        self._wake = trio.Event()

    def stop(self) -> None:
        """Ask for an orderly stop; `run` then returns."""
        self._stop_requested = True
        self._notify()

    def spec(self, restart: Restart = Restart.TRANSIENT) -> ChildSpec:
        """This supervisor as a child of another; transient, so that `stop` is final and a failure is not.

        Its shutdown timeout is what its children may take one after the other.
        """

        async def run(context: ChildContext) -> None:
            await self._run(context.started)

        timeout = 1.0 + sum(child.spec.shutdown_timeout for child in self._children)
        return ChildSpec(self.name, run, restart, timeout, self.snapshot)

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Supervise until `stop`, cancellation or failure; no task of it is left afterwards.

        Reports started when all children are, or when it is stopped before. Raises `IntensityExceeded`.
        """
        await self._run(task_status.started)

    def snapshot(self) -> SupervisorSnapshot:
        """The state of it and its children, from inside the Trio run."""
        return SupervisorSnapshot(
            name=self.name,
            strategy=self._strategy.value,
            restarts=self._restarts,
            intensity_left=self._window.left(trio.current_time()),
            children=tuple(child.snapshot() for child in self._children),
            max_restarts=self._intensity.max_restarts,
            within=self._intensity.within,
        )

    async def _run(self, on_started: Callable[[], None]) -> None:
        failure: IntensityExceeded | None = None
        self._window = RestartWindow(self._intensity)
        async with trio.open_nursery() as nursery:
            try:
                failure = await self._supervise(nursery, on_started)
            finally:
                try:
                    for child in reversed(self._children):
                        await self._end(child)
                finally:
                    # A second interrupt ends the order, but a shielded child would not hear of it by itself.
                    for child in self._children:
                        child.scope.cancel()
                    self._stop_requested = False
        if failure is not None:
            raise failure

    async def _supervise(self, nursery: Nursery, on_started: Callable[[], None]) -> IntensityExceeded | None:
        for child in self._children:
            child.reset()
        announced = False
        while not self._stop_requested:
            self._wake = trio.Event()
            for child in self._children:
                if not child.alive and child.state in _UP:
                    failure = await self._on_end(child)
                    if failure is not None:
                        return failure
            if self._stop_requested:
                break
            now = trio.current_time()
            self._start_due(nursery, now)
            if not announced and self._all_started():
                announced = True
                on_started()
            with trio.move_on_at(self._next_start(now)):
                await self._wake.wait()
        if not announced:
            on_started()
        return None

    def _start_due(self, nursery: Nursery, now: float) -> None:
        held_up = False
        for child in self._children:
            together = self._strategy is not Strategy.ONE_FOR_ONE or child.incarnation == 0
            if child.state in _DUE and child.start_at <= now and not (held_up and together):
                child.prepare(now)
                nursery.start_soon(child.live, name=f"{self.name}/{child.name}")
                self._report(EventKind.STARTED, child)
            held_up = held_up or child.state is ActorState.STARTING or child.state in _DUE

    def _all_started(self) -> bool:
        return not any(child.state is ActorState.STARTING or child.state in _DUE for child in self._children)

    def _next_start(self, now: float) -> float:
        """When the next child is due; one that was due at `now` waits for a sibling, not for the clock."""
        due = (child.start_at for child in self._children if child.state in _DUE and child.start_at > now)
        return min(due, default=float("inf"))

    async def _on_end(self, child: Child) -> IntensityExceeded | None:
        """A child came to an end by itself: restart it, let it be, or give up."""
        error = child.error
        self._report_end(child)
        if child.spec.restart is Restart.TEMPORARY or (child.spec.restart is Restart.TRANSIENT and error is None):
            return None
        if error is None:
            error = child.last_error = UnexpectedReturn(f"{child.name} returned")
        self._recent.append(error)
        now = trio.current_time()
        if not self._window.allow(now):
            self._report(EventKind.ESCALATED, child, error)
            return IntensityExceeded(f"supervisor {self.name} gave up", list(self._recent))
        self._restarts += 1
        delay = child.restart_delay(now, self._intensity, self._rng)
        group = self._restarted_with(child)
        for member in reversed(group):
            if member is not child:
                await self._end(member)
                await self._outlast(member)
        if self._stop_requested:
            return None
        for member in group:
            if member.incarnation and member.spec.restart is not Restart.TEMPORARY:
                member.back_off(trio.current_time() + delay)
                self._report(EventKind.RESTARTING, member, member.error, delay)
        return None

    def _restarted_with(self, child: Child) -> list[Child]:
        match self._strategy:
            case Strategy.ONE_FOR_ONE:
                return [child]
            case Strategy.ONE_FOR_ALL:
                return self._children
            case Strategy.REST_FOR_ONE:
                return self._children[self._children.index(child) :]

    async def _end(self, child: Child) -> None:
        """Cancel one child and wait for it, at most its shutdown timeout."""
        if not child.alive:
            if child.state in _UP:
                self._report_end(child)
            elif child.state is ActorState.BACKOFF:
                child.state = ActorState.CRASHED
            return
        child.state = ActorState.STOPPING
        child.scope.cancel()
        with trio.move_on_after(child.spec.shutdown_timeout, shield=True):
            await child.ended.wait()
        if child.ended.is_set():
            self._report(EventKind.STOPPED, child, child.error)
        else:
            self._report(EventKind.OVERDUE, child)

    async def _outlast(self, child: Child) -> None:
        """Wait for an overdue child: two incarnations never live at once."""
        overdue = child.alive
        while child.alive and not self._stop_requested:
            self._wake = trio.Event()
            await self._wake.wait()
        if overdue and not child.alive:
            self._report(EventKind.STOPPED, child, child.error)

    def _report_end(self, child: Child) -> None:
        child.state = ActorState.FINISHED if child.error is None else ActorState.CRASHED
        self._report(EventKind.RETURNED if child.error is None else EventKind.CRASHED, child, child.error)

    def _notify(self) -> None:
        self._wake.set()

    def _report(
        self, kind: EventKind, child: Child, error: Exception | None = None, delay: float | None = None
    ) -> None:
        report(self._on_event, SupervisorEvent(kind, self.name, child.name, error, delay))
