"""What supervisors report while they work."""

import logging
from collections.abc import Callable
from enum import StrEnum

import attrs

_log = logging.getLogger(__name__)


class EventKind(StrEnum):
    STARTED = "started"
    RETURNED = "returned"  # ended without an error
    CRASHED = "crashed"
    RESTARTING = "restarting"  # after `delay` seconds
    STOPPED = "stopped"  # by the supervisor; with an error if its clean-up failed
    OVERDUE = "overdue"  # still cleaning up after its shutdown timeout
    ESCALATED = "escalated"  # over the intensity: the supervisor fails
    QUARANTINED = "quarantined"  # over its own intensity: refused for `delay` seconds


@attrs.frozen
class SupervisorEvent:
    """Something happened to the child `child` of `supervisor`. `delay` is in seconds."""

    kind: EventKind
    supervisor: str
    child: str
    error: Exception | None = None
    delay: float | None = None


OnEvent = Callable[[SupervisorEvent], None]


def report(on_event: OnEvent | None, event: SupervisorEvent) -> None:
    """Tell the observer; an observer that fails is logged and harms nobody."""
    if on_event is None:
        return
    try:
        on_event(event)
    except Exception:
        _log.exception("the observer of supervisor %s failed", event.supervisor)
