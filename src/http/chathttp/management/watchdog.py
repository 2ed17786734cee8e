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
MINUTE: Final = 60.0
_WAITS: Final = "get_events"
"""The function of Trio's in which the loop waits for the kernel."""


@define
class _Ongoing:
    """A stall that has not ended."""

    began: float
    at: float
    guilty: trio.lowlevel.Task | None
    steps: int
    """That the guilty task had made when it was found."""
    stacks: Counter[tuple[Place, ...]] = field(factory=lambda: Counter[tuple[Place, ...]]())
    is_turn: bool = False
    """Another step was seen, too."""

    def told(self, now: float, *, ended: bool) -> Stall:
        name = None if self.guilty is None else self.guilty.name
        stack = list(self.stacks.most_common(1)[0][0])
        cause = "turn" if self.is_turn else "step"
        if stack and stack[-1].function.endswith(_WAITS):
            cause = "starved"
        return Stall(self.at, round(now - self.began, 4), ended, cause, name, innermost_own(stack), stack)


class Watchdog:
    """Of the loop that `start` is called in. `threshold` is in seconds; what is shorter is not kept."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._stop = threading.Event()
        self._asked: float | None = None
        """When the question was put that is not answered yet."""
        self._ongoing: _Ongoing | None = None
        self._lags: deque[tuple[float, float]] = deque(maxlen=4096)
        self._stalls: deque[Stall] = deque(maxlen=STALLS_KEPT)

    def start(self) -> Callable[[], None]:
        """Watch from now on. Returns what ends it, which waits for nothing."""
        stop = self._stop = threading.Event()
        self._asked = self._ongoing = None
        about = (trio.lowlevel.current_trio_token(), trio.lowlevel.current_root_task(), threading.get_ident(), stop)
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
        return None if ongoing is None else ongoing.told(time.perf_counter(), ended=False)

    def look_now(self, root: trio.lowlevel.Task, loop_thread: int) -> Stall:
        """From another thread: what the loop is at, however short it has been."""
        now = time.perf_counter()
        ongoing = self._ongoing or _begin(self._asked or now, time.time(), root)
        if not ongoing.stacks:
            _sample(ongoing, loop_thread)
        return ongoing.told(now, ended=False)

    def _watch(
        self, token: trio.lowlevel.TrioToken, root: trio.lowlevel.Task, loop_thread: int, stop: threading.Event
    ) -> None:
        interval = self._threshold / 4
        while not stop.wait(interval):
            if self._asked is None:
                self._asked = time.perf_counter()
                try:
                    token.run_sync_soon(self._answer)
                except trio.RunFinishedError:
                    return
            elif time.perf_counter() - self._asked >= self._threshold / 2:
                self._look(root, loop_thread)

    def _look(self, root: trio.lowlevel.Task, loop_thread: int) -> None:
        asked, ongoing = self._asked, self._ongoing
        if asked is None:
            return
        if ongoing is None:
            late = time.perf_counter() - asked
            ongoing = _begin(asked, time.time() - late, root)
        _sample(ongoing, loop_thread)
        self._ongoing = ongoing if self._asked is asked else None

    def _answer(self) -> None:
        """In the loop."""
        now = time.perf_counter()
        asked, ongoing = self._asked, self._ongoing
        if asked is not None:
            self._lags.append((now, now - asked))
            if ongoing is not None and now - asked >= self._threshold * 0.75:
                self._stalls.append(ongoing.told(now, ended=True))
        self._asked = self._ongoing = None


def _sample(ongoing: _Ongoing, loop_thread: int) -> None:
    frame = sys._current_frames().get(loop_thread)  # pyright: ignore[reportPrivateUsage]  # the documented way
    ongoing.stacks[tuple(stack_of(frame))] += 1
    guilty = ongoing.guilty
    if guilty is not None and (not trio_inside.is_running(guilty) or trio_inside.steps_of(guilty) != ongoing.steps):
        ongoing.is_turn = True


def _begin(since: float, at: float, root: trio.lowlevel.Task) -> _Ongoing:
    guilty = _guilty(root)
    return _Ongoing(since, at, guilty, 0 if guilty is None else trio_inside.steps_of(guilty))


def _guilty(root: trio.lowlevel.Task) -> trio.lowlevel.Task | None:
    """The task whose step runs now. The tree may change while it is looked at."""
    for _ in range(3):
        try:
            return next((task for task in trio_inside.all_tasks(root) if trio_inside.is_running(task)), None)
        except RuntimeError:
            continue
    return None
