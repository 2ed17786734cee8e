"""A thread that asks the event loop for a sign of life, and looks at what it does when none comes.

It needs nothing of the loop but to be asked, so it sees a step that never ends, too. A quarter of the threshold is
between two questions, so that whatever holds the loop for that long is asked at least twice and seen.
"""

import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

import trio
from attrs import define, field

from chatconsole.api.loop import Stall
from chatconsole.api.tasks import Place
from chathttp.management import trio_inside
from chathttp.management.places import innermost_own, stack_of

STALLS_KEPT: Final = 64
STEPS_KEPT: Final = 64
"""Of one stall."""
MINUTE: Final = 60.0
_WAITS: Final = "get_events"
"""The function of Trio's in which the loop waits for the kernel."""


_Step = tuple[trio.lowlevel.Task | None, int]
"""A task, and how many steps it had made; no task where the loop was between two of them."""


@define
class _Seen:
    """What was seen of one step, on the watchdog's clock."""

    first: float
    last: float
    stacks: Counter[tuple[Place, ...]] = field(factory=lambda: Counter[tuple[Place, ...]]())


@define
class _Ongoing:
    """A stall that has not ended. It began at `began` on the watchdog's clock, at `at` on the wall's."""

    began: float
    at: float
    steps: dict[_Step, _Seen] = field(factory=lambda: dict[_Step, _Seen]())

    def add(self, now: float, step: _Step, stack: tuple[Place, ...]) -> None:
        # The step that is seen first may have been on since the beginning, for all that is known.
        seen = self.steps.setdefault(step, _Seen(now if self.steps else self.began, now))
        seen.last = now
        seen.stacks[stack] += 1
        if len(self.steps) > STEPS_KEPT:
            del self.steps[min(self.steps, key=self._extent)]

    def told(self, now: float, threshold: float, *, ended: bool) -> Stall:
        """The step that was on for longest, and its stack; it is the cause if it alone is longer than `threshold` and
        than all that was before and after it.
        """
        step = max(self.steps, key=self._extent)
        task, _ = step
        stack = list(self.steps[step].stacks.most_common(1)[0][0])
        extent, lasted = self._extent(step), now - self.began
        cause = "step" if len(self.steps) == 1 or (extent >= threshold and extent * 2 > lasted) else "turn"
        if task is None:
            cause = "starved" if stack and stack[-1].function.endswith(_WAITS) else "turn"
        return Stall(
            self.at,
            round(lasted, 4),
            ended,
            cause,
            None if task is None else task.name,
            innermost_own(stack),
            stack,
        )

    def _extent(self, step: _Step) -> float:
        seen = self.steps[step]
        return seen.last - seen.first


class Watchdog:
    """Of the loop that `start` is called in. `threshold` is in seconds; what is shorter is not kept."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._stop = threading.Event()
        self._asked: float | None = None
        """When the question was put that is not answered yet."""
        self._ongoing: _Ongoing | None = None
        self._running: Callable[[], trio.lowlevel.Task | None] = _none
        self._lags: deque[tuple[float, float]] = deque(maxlen=4096)
        self._stalls: deque[Stall] = deque(maxlen=STALLS_KEPT)

    def start(self) -> Callable[[], None]:
        """Watch from now on. Returns what ends it, which waits for nothing."""
        stop = self._stop = threading.Event()
        self._asked = self._ongoing = None
        self._running = trio_inside.running_task()
        about = (trio.lowlevel.current_trio_token(), threading.get_ident(), stop)
        threading.Thread(target=self._watch, args=about, name="watchdog", daemon=True).start()
        return stop.set

    @property
    def lag(self) -> tuple[float, float, float]:
        """How late the loop was last, at the 99th percentile and at most of the last minute; seconds."""
        since = time.perf_counter() - MINUTE
        recent = [lag for at, lag in tuple(self._lags) if at >= since]
        if not recent:
            return 0.0, 0.0, 0.0
        ordered = sorted(recent)
        return recent[-1], ordered[int(0.99 * (len(ordered) - 1))], ordered[-1]

    @property
    def stalls(self) -> list[Stall]:
        """Those that have ended, the latest first."""
        return list(self._stalls)[::-1]

    @property
    def blocked(self) -> Stall | None:
        """The one that the loop is in."""
        ongoing = self._ongoing
        return None if ongoing is None else ongoing.told(time.perf_counter(), self._threshold, ended=False)

    def look_now(self, loop_thread: int) -> Stall:
        """From another thread: what the loop is at, however short it has been."""
        now = time.perf_counter()
        ongoing = self._ongoing
        if ongoing is None:
            began = self._asked or now
            ongoing = _Ongoing(began, time.time() - (now - began))
            self._sample(ongoing, loop_thread)
        return ongoing.told(now, self._threshold, ended=False)

    def _watch(self, token: trio.lowlevel.TrioToken, loop_thread: int, stop: threading.Event) -> None:
        interval = self._threshold / 4
        while not stop.wait(interval):
            if self._asked is None:
                self._asked = time.perf_counter()
                try:
                    token.run_sync_soon(self._answer)
                except trio.RunFinishedError:
                    return
            elif time.perf_counter() - self._asked >= self._threshold / 2:
                self._look(loop_thread)

    def _look(self, loop_thread: int) -> None:
        asked, ongoing = self._asked, self._ongoing
        if asked is None:
            return
        if ongoing is None:
            ongoing = _Ongoing(asked, time.time() - (time.perf_counter() - asked))
        self._sample(ongoing, loop_thread)
        self._ongoing = ongoing if self._asked is asked else None

    def _sample(self, ongoing: _Ongoing, loop_thread: int) -> None:
        task = self._running()
        step = (task, 0 if task is None else trio_inside.steps_of(task))
        frame = sys._current_frames().get(loop_thread)  # pyright: ignore[reportPrivateUsage]  # the documented way
        ongoing.add(time.perf_counter(), step, tuple(stack_of(frame)))

    def _answer(self) -> None:
        """In the loop."""
        now = time.perf_counter()
        asked, ongoing = self._asked, self._ongoing
        if asked is not None:
            self._lags.append((now, now - asked))
            if ongoing is not None and now - asked >= self._threshold * 0.75:
                self._stalls.append(ongoing.told(now, self._threshold, ended=True))
        self._asked = self._ongoing = None


def _none() -> None:
    """In place of what tells whose step runs, before there is a loop."""
