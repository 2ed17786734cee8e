"""What the clients of one run share: the nodes, what they record, and when they are to stop."""

import random
from collections.abc import Sequence
from typing import Final

import attrs
import trio

from tests.faults.cluster import Node, User
from tests.faults.history import Ended, History, Trouble

TRY_AGAIN: Final = frozenset({"UNAVAILABLE", "OVERLOADED", "RATE_LIMITED"})
"""Refusals that a client answers by sending the same again."""
BACK_OFF: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds before each attempt in a row to connect, half of each drawn at random; the last one repeats."""


@attrs.frozen
class Member:
    """Who a client is, and the node it goes to first."""

    name: str
    user: User
    home: Node


@attrs.define
class World:
    """`conversation` is where all of them talk."""

    nodes: Sequence[Node]
    conversation: str
    rng: random.Random
    text_size: int
    history: History = attrs.field(factory=History)
    sending: bool = True

    def trouble(self, who: str, what: str, node: Node) -> None:
        self.history.troubles.append(Trouble(who, what, node.name, trio.current_time()))

    def ended(self, who: str, reason: str) -> Ended:
        ended = Ended(reason, trio.current_time())
        self.history.ended.append((who, ended))
        return ended

    def another(self, member: Member, left: Node) -> Node:
        """The node to try after `left`, as a balancer would choose that takes failing ones out; half of all go home."""
        others = [node for node in self.nodes if node is not left] or self.nodes
        return member.home if member.home in others and self.rng.random() < 0.5 else self.rng.choice(others)

    def text(self, about: str) -> str:
        return f"{about} {'x' * self.rng.randrange(self.text_size)}"


@attrs.define
class BackOff:
    """Waits longer from failure to failure, up to a second."""

    rng: random.Random
    _failures: int = 0

    def succeeded(self) -> None:
        self._failures = 0

    async def wait(self) -> None:
        wait = BACK_OFF[min(self._failures, len(BACK_OFF) - 1)]
        self._failures += 1
        await trio.sleep(wait * (1 - self.rng.random() / 2))
