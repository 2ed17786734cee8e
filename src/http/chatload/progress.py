"""Whom a run tells how it goes."""

from enum import StrEnum
from typing import Protocol

from chatload.result import Interval


class Phase(StrEnum):
    """The parts of a run, in the order in which they come. `storm` is of the scenarios that have one."""

    PREPARE = "prepare"
    """Workers start, conversations are made."""
    CONNECT = "connect"
    WARM_UP = "warm-up"
    HOLD = "hold"
    STORM = "storm"
    DRAIN = "drain"
    """Nothing is sent any more; what is outstanding may still come."""


class Progress(Protocol):
    """Called by the control process between its own steps, so both must return soon. They are never called at once."""

    def on_phase(self, name: str) -> None:
        """A phase begins: one of `Phase`'s values."""
        ...

    def on_interval(self, interval: Interval) -> None:
        """Once an interval, from the first connection on."""
        ...
