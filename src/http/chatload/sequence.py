"""Whether one subscriber gets each message once and in order."""

from typing import Final

LARGEST_GAP: Final = 100_000
"""A gap above this is counted at once and never filled, so that a wrong number does not take all memory."""


class SequenceChecker:
    """The numbers that one subscriber has seen of one conversation, which count 1, 2, 3, … without a gap.

    `next` is the number after the highest seen. What lies below it and has not come is missing: lost at the end,
    unless it comes late (out of order) or after a resume.
    """

    __slots__ = ("_beyond", "_missing", "doubled", "next", "out_of_order", "truncated")

    def __init__(self, base: int = 0) -> None:
        self.next = base + 1
        self.doubled = 0
        self.out_of_order = 0
        self.truncated = 0
        """Messages that the server said it left out of a replay."""
        self._missing: set[int] | None = None
        self._beyond = 0

    def take(self, seq: int) -> bool:
        """Note one delivery. False when it is a repeat."""
        expected = self.next
        if seq == expected:
            self.next = seq + 1
            return True
        if seq > expected:
            self._gap(expected, seq)
            self.next = seq + 1
            return True
        if self._missing is not None and seq in self._missing:
            self._missing.discard(seq)
            self.out_of_order += 1
            return True
        self.doubled += 1
        return False

    def take_truncated(self, seq: int) -> bool:
        """Note the first delivery of a replay that the server has cut: what lies before it will not come."""
        if seq > self.next:
            self.truncated += seq - self.next
            self.next = seq
        return self.take(seq)

    def resume(self) -> int:
        """The number to resume after: all up to it have come. What came beyond it may come again."""
        if self._missing:
            self.next = min(self._missing)
            self._missing = None
        return self.next - 1

    def lost(self, highest: int) -> int:
        """How many of the messages up to `highest` have not come."""
        missing = 0 if self._missing is None else len(self._missing)
        return missing + self._beyond + max(0, highest + 1 - self.next)

    def _gap(self, start: int, stop: int) -> None:
        if stop - start > LARGEST_GAP:
            self._beyond += stop - start
            return
        if self._missing is None:
            self._missing = set()
        self._missing.update(range(start, stop))
