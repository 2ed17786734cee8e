"""How children are run and restarted, after Erlang/OTP's `supervisor` behaviour."""

import random
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Protocol

import attrs

from .snapshot import ActorSnapshot, DynamicSnapshot, SupervisorSnapshot


class Restart(Enum):
    """When a child that ended is started again."""

    PERMANENT = "permanent"  # always
    TRANSIENT = "transient"  # after an error
    TEMPORARY = "temporary"  # never


class Strategy(Enum):
    """Who is restarted with a child."""

    ONE_FOR_ONE = "one-for-one"  # nobody else
    ONE_FOR_ALL = "one-for-all"  # all its siblings
    REST_FOR_ONE = "rest-for-one"  # the siblings started after it


@attrs.frozen
class RestartIntensity:
    """How many restarts are tolerated within how many seconds, and how long to wait before each.

    The wait doubles from `backoff_initial` to at most `backoff_max` seconds; `jitter` (0 to 1) is the part of
    it that is drawn at random.
    """

    max_restarts: int
    within: float
    backoff_initial: float = 0.1
    backoff_max: float = 10.0
    jitter: float = 0.5

    def delay(self, failures: int, rng: random.Random) -> float:
        """Seconds to wait after `failures` earlier failures in a row."""
        wait = min(self.backoff_max, self.backoff_initial * 2.0 ** min(failures, 64))
        return wait * (1 - self.jitter * rng.random())


class RestartWindow:
    """Counts the restarts of the last `within` seconds."""

    def __init__(self, intensity: RestartIntensity) -> None:
        self._intensity = intensity
        self._restarts: list[float] = []

    def allow(self, now: float) -> bool:
        """Count one more restart; False when that is over the intensity."""
        allowed = self.left(now) > 0
        if allowed:
            self._restarts.append(now)
        return allowed

    def left(self, now: float) -> int:
        """How many restarts are tolerated now."""
        self._restarts = [restart for restart in self._restarts if now - restart < self._intensity.within]
        return self._intensity.max_restarts - len(self._restarts)


class ChildContext(Protocol):
    """What a child knows about itself."""

    @property
    def name(self) -> str: ...

    @property
    def restart_count(self) -> int:
        """How often it was restarted before."""
        ...

    def started(self) -> None:
        """The child is ready: the next one may start. A child that never says so holds up those after it."""
        ...


@attrs.frozen
class ChildSpec:
    """One child of a supervisor.

    `run` is called anew for each incarnation. At a stop it is cancelled and has `shutdown_timeout` seconds to
    clean up, in a shield with a shorter deadline of its own, before the next child is stopped; the supervisor
    does not return before the child has. `inspect` makes the child's snapshot if it has more to tell than
    its state.
    """

    name: str
    run: Callable[[ChildContext], Awaitable[None]]
    restart: Restart = Restart.PERMANENT
    shutdown_timeout: float = 5.0
    inspect: Callable[[], ActorSnapshot | SupervisorSnapshot | DynamicSnapshot] | None = None
