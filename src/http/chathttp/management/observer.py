"""What is only known while somebody watches: how long tasks are blocked, the longest steps, who ended and why.

Nobody watching, none of it is installed and nothing is paid for it. What is paid for each switch of tasks, the clock of
steps, is installed only for who asks for what it gives.
"""

import time
from collections import deque
from collections.abc import Collection
from heapq import heappush, heappushpop
from itertools import count
from typing import Final

import trio
from attrs import define, field
from trio.abc import Instrument
from trio.lowlevel import Task

from actors.runtime.mailbox import Mailbox
from chatconsole.api.loop import Ended, Step
from chathttp.management import trio_inside
from chathttp.management.crossing import JOB_NAME
from chathttp.management.places import failure, where

STEPS_KEPT: Final = 20
ENDED_KEPT: Final = 256
SPANS_KEPT: Final = 256
MAILBOXES_KEPT: Final = 4096
BETWEEN_LOOKS: Final = 0.9
"""Seconds between two looks at the sockets that count, however many watch: a watch looks once a second."""


@define
class Growth:
    """The children that a nursery got and lost since somebody watches."""

    since: float
    last: float
    spawned: int = 0
    exited: int = 0
    seconds: set[int] = field(factory=lambda: set[int]())
    """In which seconds it got some."""
    newest: Task | None = None


class StepClock(Instrument):
    """Times the steps of all tasks.

    One call a step: where a step begins the one before it has ended, but for the last of a turn, which ends before the
    loop waits.
    """

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self._ended: dict[Task, float] = {}
        self._running: Task | None = None
        self._began = self.started
        self._longest: list[tuple[float, int, Step]] = []
        self._least = 0.0
        """What is shorter is none of the longest."""
        self._order = count()

    def before_task_step(self, task: Task) -> None:
        now = time.perf_counter()
        running = self._running
        if running is not None:
            self._ended[running] = now
            if now - self._began > self._least:
                self._keep(running, now - self._began)
        self._running = task
        self._began = now

    def before_io_wait(self, timeout: float) -> None:
        del timeout
        running = self._running
        if running is not None:
            now = self._ended[running] = time.perf_counter()
            if now - self._began > self._least:
                self._keep(running, now - self._began)
            self._running = None

    def task_exited(self, task: Task) -> None:
        self._ended.pop(task, None)
        if task is self._running:
            now = time.perf_counter()
            if now - self._began > self._least:
                self._keep(task, now - self._began)
            self._running = None

    def since(self, task: Task) -> tuple[float, bool]:
        now = time.perf_counter()
        at = self._ended.get(task)
        return (now - self.started, True) if at is None else (now - at, False)

    @property
    def longest(self) -> list[Step]:
        return [step for _, _, step in sorted(self._longest, reverse=True)]

    def _keep(self, task: Task, lasted: float) -> None:
        step = (lasted, next(self._order), Step(lasted, task.name, where(task)[0]))
        if len(self._longest) < STEPS_KEPT:
            heappush(self._longest, step)
        else:
            heappushpop(self._longest, step)
            self._least = self._longest[0][0]


class Observer(Instrument):
    """Installed from the first `attach` to the last `detach`, and the clock of steps from the first `time_steps` to the
    last `time_no_steps`; all are called in the loop that is watched.
    """

    def __init__(self) -> None:
        self.watchers = 0
        self._timers = 0
        self._clock: StepClock | None = None
        self.ended: deque[Ended] = deque(maxlen=ENDED_KEPT)
        self._clear()

    def _clear(self) -> None:
        self.growth: dict[trio.Nursery, Growth] = {}
        self._spans: dict[str, deque[float]] = {}
        self._handled: dict[str, tuple[float, int]] = {}
        self._late: dict[str, int] = {}
        self._looked = 0.0

    def attach(self) -> None:
        self.watchers += 1
        if self.watchers == 1:
            self._clear()
            Mailbox.on_spent = self._spent
            trio.lowlevel.add_instrument(self)

    def detach(self) -> None:
        self.watchers -= 1
        if not self.watchers:
            Mailbox.on_spent = None
            trio.lowlevel.remove_instrument(self)
            self._clear()

    def time_steps(self) -> None:
        self._timers += 1
        if self._clock is None:
            self._clock = StepClock()
            trio.lowlevel.add_instrument(self._clock)

    def time_no_steps(self) -> None:
        self._timers -= 1
        if not self._timers and self._clock is not None:
            trio.lowlevel.remove_instrument(self._clock)
            self._clock = None

    # The instrument

    def task_spawned(self, task: Task) -> None:
        nursery = task.parent_nursery
        if nursery is not None:
            now = time.perf_counter()
            growth = self.growth.get(nursery)
            if growth is None:
                growth = self.growth[nursery] = Growth(now, now)
            growth.spawned += 1
            growth.last = now
            growth.seconds.add(int(now))
            growth.newest = task

    def task_exited(self, task: Task) -> None:
        nursery = task.parent_nursery
        if nursery is not None and nursery in self.growth:
            self.growth[nursery].exited += 1
            if not nursery.child_tasks:
                del self.growth[nursery]
        if task.name == JOB_NAME:  # looks of the console would push out all else
            return
        error = trio_inside.outcome_of(task)
        if error is None:
            why, failed = "returned", None
        elif isinstance(error, trio.Cancelled):
            why, failed = "cancelled", None
        else:
            why, failed = "failed", failure(error)
        self.ended.append(Ended(time.time(), "task", task.name, why, failed))

    # What is asked of it

    def since(self, task: Task) -> tuple[float, bool] | None:
        """How long `task` has been blocked; with True at least that long. None when steps are not timed."""
        return None if self._clock is None else self._clock.since(task)

    @property
    def longest(self) -> list[Step]:
        return [] if self._clock is None else self._clock.longest

    def spans(self, actor: str) -> tuple[float, float] | None:
        """Median and 99th percentile of the last spans that the actor spent on what it took at a time; seconds."""
        spans = sorted(self._spans.get(actor, ()))
        return (spans[len(spans) // 2], spans[int(0.99 * (len(spans) - 1))]) if spans else None

    def rate(self, actor: str, handled: int) -> float | None:
        """Messages a second since the last time that this was asked."""
        if not self.watchers:
            return None
        now = time.perf_counter()
        before = self._handled.get(actor)
        if before is None and len(self._handled) >= MAILBOXES_KEPT:
            return None
        self._handled[actor] = (now, handled)
        return None if before is None or now <= before[0] else (handled - before[1]) / (now - before[0])

    def look_at_sockets(self, queued: Collection[str]) -> None:
        """Count those whose outbox is not empty in look after look; a look soon after another does not count."""
        now = time.perf_counter()
        if self.watchers and now - self._looked >= BETWEEN_LOOKS:
            self._looked = now
            self._late = {socket: self._late.get(socket, 0) + 1 for socket in queued}

    def lateness(self, socket: str) -> int:
        """In how many looks in a row the outbox of `socket` was not empty."""
        return self._late.get(socket, 0)

    def _spent(self, actor: str, seconds: float) -> None:
        spans = self._spans.get(actor)
        if spans is None:
            if len(self._spans) >= MAILBOXES_KEPT:
                return
            spans = self._spans[actor] = deque(maxlen=SPANS_KEPT)
        spans.append(seconds)
