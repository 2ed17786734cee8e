"""What an actor has to do later, and when."""

from enum import StrEnum
from math import inf


class Task(StrEnum):  # a text's hash is ready, a plain member's is worked out at each look-up
    EXPIRE_TYPING = "expire typing"
    ANNOUNCE_MARKS = "announce marks"
    SETTLE_MARKS = "settle marks"
    SAVE_MARKS = "save marks"
    NOTIFY = "notify"
    SETTLE_PRESENCE = "settle presence"
    CATCH_UP = "catch up"


class Agenda:
    """At most one deadline for each task, in seconds on the caller's clock."""

    __slots__ = ("_due", "_last", "is_new")

    def __init__(self) -> None:
        self._due: dict[Task, float] = {}
        self._last: dict[Task, float] = {}
        self.is_new = False
        """A deadline came or is sooner since this was last set to false."""

    def set(self, task: Task, at: float) -> None:
        if at == inf:
            self._due.pop(task, None)
        else:
            self._due[task] = at
            self.is_new = True

    def no_later(self, task: Task, at: float, after_last: float = 0.0) -> None:
        """Plan `task` for `at`, unless it is planned sooner; not within `after_last` seconds of the last time."""
        at = max(at, self._last.get(task, -inf) + after_last)
        if at < self._due.get(task, inf):
            self._due[task] = at
            self.is_new = True

    def take_due(self, now: float) -> list[Task]:
        """What is due, earliest first; it is then planned no more."""
        due = sorted((at, task.name, task) for task, at in self._due.items() if at <= now)
        for _, _, task in due:
            del self._due[task]
            self._last[task] = now
        return [task for _, _, task in due]

    @property
    def next_deadline(self) -> float:
        return min(self._due.values(), default=inf)
