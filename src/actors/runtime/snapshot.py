"""What supervisors and actors tell about themselves, at one moment."""

from enum import StrEnum

import attrs


class ActorState(StrEnum):
    WAITING = "waiting"  # not started yet, or to be restarted after its siblings
    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"  # crashed, to be restarted after a delay
    QUARANTINED = "quarantined"  # crashed too often, refuses all for a while
    STOPPING = "stopping"
    FINISHED = "finished"  # ended and not to be restarted
    CRASHED = "crashed"  # ended with an error and not to be restarted


@attrs.frozen
class ActorSnapshot:
    """One actor, or a child without a mailbox (then the figures of its mailbox are 0).

    `oldest_age` and `time_in_handler` are seconds; `busy_since` is on Trio's clock. `refused` counts what
    its mailbox did not accept, and what it accepted and gave back unhandled. `error` is the last one itself.
    """

    name: str
    state: ActorState
    mailbox_depth: int = 0
    mailbox_capacity: int = 0
    oldest_age: float = 0.0
    handled: int = 0
    refused: int = 0
    restarts: int = 0
    last_error: str | None = None
    time_in_handler: float = 0.0
    busy_since: float | None = None
    error: Exception | None = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen
class DynamicSnapshot:
    """A dynamic supervisor. The totals are since it was made."""

    name: str
    live: int
    max_children: int
    started: int
    passivated: int
    crashes: int
    quarantines: int
    refused: int
    handled: int
    time_in_handler: float
    actors: tuple[ActorSnapshot, ...]


@attrs.frozen
class SupervisorSnapshot:
    """A supervisor and its children in order of start.

    `intensity_left` is how many restarts it would bear now, of `max_restarts` in `within` seconds.
    """

    name: str
    strategy: str
    restarts: int
    intensity_left: int
    children: "tuple[ChildSnapshot, ...]"
    max_restarts: int
    within: float


@attrs.frozen
class ChildSnapshot:
    """A child of a supervisor; `inside` is what it tells about itself."""

    child: ActorSnapshot
    inside: ActorSnapshot | SupervisorSnapshot | DynamicSnapshot | None
