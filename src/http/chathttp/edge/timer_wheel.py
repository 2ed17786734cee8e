"""One timer wheel for all heart-beats and deadlines of all sockets: O(1) to set and to cancel, one task for all.

A hashed wheel with rounds, scheme 6 of Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987): a timer lies
in the slot of its tick modulo the number of slots, and one that is more than a turn away stays there until its turn.
"""

import math
from collections.abc import Callable, Iterator
from typing import Final

import structlog
import trio

SLOTS: Final = 512
TURN: Final = 256
"""Callbacks that run before other tasks get their turn."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Timer:
    """The handle of one scheduled callback."""

    __slots__ = ("_callback", "_slot", "tick")

    def __init__(self, callback: Callable[[], None], tick: int, slot: "dict[Timer, None]") -> None:
        self._callback: Callable[[], None] | None = callback
        self._slot = slot
        self.tick = tick
        slot[self] = None

    @property
    def active(self) -> bool:
        """It is neither cancelled nor has it fired."""
        return self._callback is not None

    def cancel(self) -> None:
        """The callback will not run. Nothing happens if it has run, or was cancelled before."""
        self._callback = None
        self._slot.pop(self, None)

    def fire(self) -> None:
        """Run the callback, once."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class TimerWheel:
    """The pure core: time is an argument, in seconds of any monotonic clock.

    A timer is due at the first multiple of `tick` seconds after `start` that is not before its time: never early, and
    late by less than a tick.
    """

    def __init__(self, start: float, *, tick: float = 0.25) -> None:
        self._start = start
        self._tick = tick
        self._slots: list[dict[Timer, None]] = [{} for _ in range(SLOTS)]
        self._now = 0
        """The last tick that was advanced to."""

    def __len__(self) -> int:
        """Timers that are waiting."""
        return sum(map(len, self._slots))

    def schedule(self, callback: Callable[[], None], at: float) -> Timer:
        """Run `callback` at the time `at`; one that is past comes with the next tick."""
        tick = max(math.ceil((at - self._start) / self._tick), self._now + 1)
        return Timer(callback, tick, self._slots[tick % SLOTS])

    def advance(self, now: float) -> Iterator[Timer]:
        """The timers due up to `now`, by tick and within a tick in the order they were scheduled.

        The caller fires them. A timer that a fired one cancels does not come; one that a fired one schedules comes at a
        later tick than that one's.
        """
        last = math.floor((now - self._start) / self._tick)
        while self._now < last:
            self._now += 1
            slot = self._slots[self._now % SLOTS]
            for timer in [timer for timer in slot if timer.tick <= self._now]:
                if timer.active:
                    del slot[timer]
                    yield timer

    def next_tick(self) -> float:
        """The time to advance at next."""
        return self._start + (self._now + 1) * self._tick


class Timers:
    """The wheel on Trio's clock: `run` is its one task. Callbacks are synchronous and quick."""

    def __init__(self, *, tick: float = 0.25) -> None:
        self._wheel = TimerWheel(trio.current_time(), tick=tick)
        self._tick = tick

    def __len__(self) -> int:
        return len(self._wheel)

    def schedule(self, callback: Callable[[], None], at: float) -> Timer:
        """Run `callback` at the time `at` of Trio's clock, at most a tick late."""
        return self._wheel.schedule(callback, at)

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` in `seconds`, at most two ticks late."""
        return self._wheel.schedule(callback, trio.current_time() + seconds)

    async def run(self) -> None:
        """Fire what is due, for ever. A callback that raises is logged and disturbs no other."""
        while True:
            await trio.sleep_until(self._wheel.next_tick())
            for count, timer in enumerate(self._wheel.advance(trio.current_time()), 1):
                try:
                    timer.fire()
                except Exception:
                    _log.exception("timer failed")
                if count % TURN == 0:
                    await trio.lowlevel.checkpoint()
