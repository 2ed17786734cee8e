"""What the bridge needs from Redis: channels, heard by all who follow them, and to be told what may be missing."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Protocol

import trio
from attrs import frozen
from trio import TASK_STATUS_IGNORED


@frozen
class Received:
    """One publish of any node, this one included."""

    channel: str
    payload: bytes


@frozen
class Followed:
    """From now on what is published on these channels is received: for the first time, or again after a gap."""

    channels: Sequence[str]


@frozen
class Away:
    """The broker cannot be had: nothing is received or sent until `Back`.

    `lost` are publishes that were accepted and may not have arrived, oldest first.
    """

    lost: Sequence[Received]


@frozen
class Back:
    """The broker can be had, for the first time or again; a `Followed` for what is followed comes before or after."""


Happening = Received | Followed | Away | Back


class BrokerStatus(StrEnum):
    AWAY = "away"
    UP = "up"


@frozen
class BrokerState:
    """`since` is on Trio's clock, `error` says why it is away. Totals are since the start."""

    status: BrokerStatus
    since: float
    error: str | None = None
    reconnects: int = 0
    outbox: int = 0
    """Publishes that are not answered yet, and their bytes."""
    outbox_bytes: int = 0
    inbox: int = 0
    """What was received and not fetched yet."""
    published: int = 0
    refused: int = 0
    """Publishes that were not accepted."""
    lost: int = 0
    received: int = 0
    round_trip: float | None = None
    """Seconds that the last probe took through the broker; None before the first."""


class Broker(Protocol):
    """Best effort, in order for each publisher and channel. What is followed stays followed while it is away."""

    @property
    def state(self) -> BrokerState: ...

    def publish(self, channel: str, payload: bytes) -> bool:
        """Queue for the next pipeline. False, and not sent, while it is away or when too much waits."""
        ...

    def follow(self, channels: Collection[str]) -> None:
        """A `Followed` tells when it is in force."""
        ...

    def unfollow(self, channels: Collection[str]) -> None: ...

    async def receive(self) -> Sequence[Happening]:
        """What has happened since the last call, in order, at least one. One task may wait."""
        ...

    async def run(self, *, task_status: trio.TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Connect and serve until cancelled; started at once, whether or not the broker is there."""
        ...
