"""What is kept of one message's way."""

import time
from typing import Final
from uuid import UUID

import trio
from attrs import define, field, frozen

from actors.tracing.hops import Hop

HOPS_KEPT: Final = 32
"""Of one message on one node; of a message that is at more, the first are kept."""


@frozen
class Passed:
    """`after` is seconds after the leg's first hop."""

    hop: Hop
    after: float
    says: str


@define
class Leg:
    """One node's part. `started` is on Trio's clock of that node, `began` the same in seconds since 1970.

    `behind` is the time between the publish on the first node and the receipt here by the wall clocks of both.
    """

    node: UUID
    started: float
    began: float
    behind: float | None = None
    passed: list[Passed] = field(factory=list[Passed])

    @classmethod
    def now(cls, node: UUID, *, since: float | None = None, behind: float | None = None) -> "Leg":
        """It began at `since` on Trio's clock."""
        now = trio.current_time()
        started = now if since is None else min(since, now)
        return cls(node, started, time.time() - (now - started), behind)

    def add(self, hop: Hop, at: float, says: str) -> None:
        if len(self.passed) < HOPS_KEPT:
            self.passed.append(Passed(hop, at - self.started, says))


@define(eq=False)
class Trace:
    """The first of `legs` is this node's. `change` grows with each hop, over all traces of a tracer."""

    conversation_id: UUID
    message_id: UUID
    client_message_id: str | None
    sender_id: UUID | None
    legs: list[Leg]
    outcome: str = "open"
    seq: int | None = None
    rev: int | None = None
    asked_by: UUID | None = None
    """The node that follows it there and wants to be told."""
    expires: float = 0.0
    """When, on Trio's clock, nobody waits for it any more who asked from there."""
    change: int = 0
    is_followed: bool = False
    """Somebody follows it here."""
