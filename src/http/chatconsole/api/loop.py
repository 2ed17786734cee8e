"""The event loop: how late it is, and what held it up."""

import msgspec

from .parts import Failure
from .tasks import Place


class Stall(msgspec.Struct, rename="camel", frozen=True):
    """A time in which the loop did not turn. `at` is in seconds since 1970, `lasted` at least how long.

    `stack` is what the loop's thread was at, innermost call last, and `where` the innermost line of the program's own
    code. `cause` is `step` when it was one task's step, `turn` when many steps followed each other, and `starved` when
    the loop waited to be let run.
    """

    at: float
    lasted: float
    ended: bool
    cause: str
    task: str | None
    where: Place | None
    stack: list[Place]


class Step(msgspec.Struct, rename="camel", frozen=True):
    """One of the longest steps between two checkpoints since somebody watches; `where` is the checkpoint it came to."""

    lasted: float
    task: str
    where: Place | None


class Loop(msgspec.Struct, rename="camel", frozen=True):
    """`lag` is how late the loop was the last time, `lag_p99` and `lag_max` of the last minute.

    `blocked` is the stall that it is in now; `longest` is there while somebody has steps timed (`View.steps`).
    """

    lag: float
    lag_p99: float
    lag_max: float
    tasks: int
    blocked: Stall | None
    stalls: list[Stall]
    longest: list[Step]


class Ended(msgspec.Struct, rename="camel", frozen=True):
    """A task or an actor that is no more, or that crashed. `at` is in seconds since 1970."""

    at: float
    kind: str
    name: str
    why: str
    failure: Failure | None


class Warning(msgspec.Struct, rename="camel", frozen=True):
    """Something that a maintainer should look at. `subject` names the task, actor, socket or supervisor."""

    code: str
    subject: str
    says: str
    where: Place | None
    since: float | None
