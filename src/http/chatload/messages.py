"""What the control process and its workers tell each other. Moments are nanoseconds of CLOCK_MONOTONIC."""

from enum import IntEnum

import msgspec


class Frozen(msgspec.Struct, frozen=True, tag=True):
    pass


class RoomPlan(msgspec.Struct, frozen=True):
    """A conversation. `base` is the number of its last message when the run began."""

    index: int
    conversation_id: str
    base: int
    typists: list[tuple[str, float]]
    """User id and phase of each, as a part of the period."""


class ConnectionPlan(msgspec.Struct, frozen=True):
    """One connection. `phase` is of its sends, as a part of the time between two of them; None when it sends none."""

    index: int
    room: int
    token: str
    listens: bool
    phase: float | None
    in_flight: int
    slow: bool
    typing_phase: float | None
    server: int
    """Which of the servers it connects to."""
    source: str | None
    """The local address to connect from."""


class Setup(Frozen, frozen=True):
    """Everything a worker needs to know; it connects from `start` on, evenly over `ramp` nanoseconds."""

    run_id: str
    urls: list[str]
    start: int
    ramp: int
    interval: int
    rooms: list[RoomPlan]
    connections: list[ConnectionPlan]
    send_period: int
    """Time between two sends of one publisher; 0 closes the loop."""
    size: int
    slow_bytes_per_second: int
    typing_period: int
    reconnect_period: int
    """Time between two planned reconnections within this worker; 0: none."""
    connect_timeout: int


class Go(Frozen, frozen=True):
    """Traffic runs from `start` to `end`, and counts from `measured` on. `storms` are drops and returns."""

    start: int
    measured: int
    end: int
    storms: list[tuple[int, int]]


class Finish(Frozen, frozen=True):
    """Nothing more is sent by anyone: wait until `deadline` for what is outstanding.

    `highest` has for each room the highest number that a sender was told.
    """

    highest: dict[int, int]
    deadline: int


Command = Setup | Go | Finish


class Part(IntEnum):
    """The parts of a run as reports tell them apart; each begins with a new interval."""

    CONNECT = 0
    WARM_UP = 1
    HOLD = 2
    DRAIN = 3


class Ready(Frozen, frozen=True):
    """All connections are subscribed."""

    since: int
    """When the first one began to connect."""
    until: int


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """Deliveries of one message within an interval. `replayed` of them came in a resume."""

    room: int
    seq: int
    intended: int
    count: int
    replayed: int
    last: int


class Report(Frozen, frozen=True):
    """One interval of one worker. The latencies are folded (see `chatload.latencies`).

    `latencies` are those of the measured part, `unmeasured` the deliveries of the warm-up.
    """

    part: Part
    number: int
    """Counts from 1 within the part."""
    until: int
    connected: int
    sent: int
    acknowledged: int
    delivered: int
    counts: dict[str, int]
    errors: dict[str, int]
    latencies: dict[str, dict[int, int]]
    unmeasured: dict[int, int]
    seen: list[Seen]
    cpu: float
    """Seconds of CPU since the last report."""


class Settled(Frozen, frozen=True):
    """The traffic has ended and every send is answered, or will not be: the highest number told for each room."""

    highest: dict[int, int]


class Final(Frozen, frozen=True):
    lost: int
    doubled: int
    out_of_order: int
    unacknowledged: int
    truncated: int
    late_sends: int
    """Nanoseconds by which the latest send missed its time."""
    last_resume: int
    """When the latest resume ended; 0 when there was none."""


class Failed(Frozen, frozen=True):
    """The worker cannot go on."""

    reason: str


Answer = Ready | Report | Settled | Final | Failed
