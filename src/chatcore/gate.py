"""The one gate through which everything that a conversation delivers must pass."""

from enum import Enum


class Admission(Enum):
    DELIVER = "deliver"
    DROP = "drop"
    BEHIND = "behind"


class Gate:
    """Keeps a conversation's position: the `rev` up to which everything has been delivered.

    A batch bears the `rev` before its first event and that of its last, whether it was committed here or on another
    node. What continues the position is delivered, what was had is dropped, and what is ahead shows that something
    between is missing and must first be read from the database.
    """

    __slots__ = ("position",)

    def __init__(self, position: int) -> None:
        self.position = position

    def admit(self, prev_rev: int, rev: int) -> Admission:
        if rev <= self.position:
            return Admission.DROP
        if prev_rev > self.position:
            return Admission.BEHIND
        return Admission.DELIVER

    def advance(self, rev: int) -> None:
        """Move the position; it never falls."""
        self.position = max(self.position, rev)
