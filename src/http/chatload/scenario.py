"""What a run does: the kinds of scenarios, their parameters and the conversations each of them is made of.

Times are seconds, rates are per second over all publishers, `size` is code points of text.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, cast

import attrs
from attrs import frozen


class ScenarioError(Exception):
    """A scenario that cannot be run; says which key is wrong."""


def _whole(default: int, *, least: int = 0, most: int = 1_000_000) -> int:
    return attrs.field(default=default, metadata={"type": int, "least": least, "most": most})


def _number(default: float, *, least: float = 0.0, most: float = 1e6) -> float:
    return attrs.field(default=default, metadata={"type": float, "least": least, "most": most})


@frozen
class RoomShape:
    """A conversation to be made: connections that only listen, that only send, and that do both.

    `slow` and `typists` are among the listeners.
    """

    listeners: int = 0
    senders: int = 0
    members: int = 0
    slow: int = 0
    typists: int = 0
    direct: bool = False

    @property
    def connections(self) -> int:
        return self.listeners + self.senders + self.members


@frozen(kw_only=True)
class Scenario:
    """What all kinds have.

    With `in_flight` above 0 the loop is closed: that many messages are on their way at any time, and `rate` is not
    used. Otherwise messages are due at `rate` whether or not the server keeps up, and latency counts from when they
    were due.
    """

    kind: ClassVar[str]
    default_rate: ClassVar[float] = 50.0

    rate: float = _number(0.0)
    in_flight: int = _whole(0, most=100_000)
    size: int = _whole(100, least=1, most=10_000)
    ramp: float = _number(0.0)
    warm_up: float = _number(2.0)
    hold: float = _number(10.0, least=0.1)
    drain: float = _number(10.0, least=0.1)

    def __attrs_post_init__(self) -> None:
        if self.rate and self.in_flight:
            raise ScenarioError("rate and in_flight exclude each other")
        if not self.rate and not self.in_flight:
            object.__setattr__(self, "rate", self.default_rate)

    def rooms(self) -> Sequence[RoomShape]:
        raise NotImplementedError

    @property
    def slow_bytes_per_second(self) -> int:
        """How fast a slow consumer reads."""
        return 0

    @property
    def typing_period(self) -> float:
        """Time from one start of a typist to his next; he stops half-way."""
        return 0.0

    @property
    def reconnects_per_second(self) -> float:
        """Subscribers that drop their connection and resume, one after the other."""
        return 0.0

    @property
    def storm_times(self) -> Sequence[tuple[float, float]]:
        """When all subscribers drop and when they come back, in seconds from the start of the hold."""
        return ()

    @property
    def memory_growth_allowed(self) -> float | None:
        """Growth of the server's memory within the hold above which the run fails; 0.2 is a fifth."""
        return None


@frozen(kw_only=True)
class Fanout(Scenario):
    """One conversation."""

    kind = "fanout"

    subscribers: int = _whole(100, least=1)
    publishers: int = _whole(4, least=1)

    def rooms(self) -> Sequence[RoomShape]:
        return [RoomShape(listeners=self.subscribers, senders=self.publishers)]


@frozen(kw_only=True)
class Rooms(Scenario):
    """Many conversations whose members all listen and send in turn."""

    kind = "rooms"
    default_rate = 200.0

    conversations: int = _whole(50, least=1)
    members: int = _whole(10, least=2)

    def rooms(self) -> Sequence[RoomShape]:
        return [RoomShape(members=self.members)] * self.conversations


@frozen(kw_only=True)
class Direct(Scenario):
    """Pairs that write to each other."""

    kind = "direct"
    default_rate = 200.0

    pairs: int = _whole(100, least=1)

    def rooms(self) -> Sequence[RoomShape]:
        return [RoomShape(members=2, direct=True)] * self.pairs


@frozen(kw_only=True)
class ConnectStorm(Scenario):
    """All subscribers of one conversation drop at once, and `offline` seconds later all come back at once."""

    kind = "connect-storm"
    default_rate = 20.0

    subscribers: int = _whole(500, least=1)
    publishers: int = _whole(2, least=1)
    storms: int = _whole(2, least=1)
    offline: float = _number(1.0, least=0.05)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.hold / self.storms < 2 * self.offline:
            raise ScenarioError(f"hold must be at least {2 * self.offline * self.storms:g}: each storm takes its part")

    def rooms(self) -> Sequence[RoomShape]:
        return [RoomShape(listeners=self.subscribers, senders=self.publishers)]

    @property
    def storm_times(self) -> Sequence[tuple[float, float]]:
        part = self.hold / self.storms
        drops = [(i + 0.25) * part for i in range(self.storms)]
        return [(drop, drop + self.offline) for drop in drops]


@frozen(kw_only=True)
class SlowConsumers(Scenario):
    """One conversation of which some subscribers read slowly; what counts is that the others do not notice."""

    kind = "slow-consumers"
    default_rate = 100.0

    subscribers: int = _whole(200, least=1)
    publishers: int = _whole(10, least=1)
    slow_percent: float = _number(10.0, most=100.0)
    slow_bytes: int = _whole(2000, least=10)

    def rooms(self) -> Sequence[RoomShape]:
        slow = round(self.subscribers * self.slow_percent / 100)
        return [RoomShape(listeners=self.subscribers, senders=self.publishers, slow=slow)]

    @property
    def slow_bytes_per_second(self) -> int:
        return self.slow_bytes


@frozen(kw_only=True)
class Typing(Scenario):
    """One conversation in which some type while others send."""

    kind = "typing"
    default_rate = 10.0

    subscribers: int = _whole(50, least=1)
    publishers: int = _whole(2, least=1)
    typists: int = _whole(5, least=1)
    period: float = _number(2.0, least=0.1)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.typists > self.subscribers:
            raise ScenarioError(f"typists must be at most the {self.subscribers} subscribers")

    def rooms(self) -> Sequence[RoomShape]:
        return [RoomShape(listeners=self.subscribers, senders=self.publishers, typists=self.typists)]

    @property
    def typing_period(self) -> float:
        return self.period


@frozen(kw_only=True)
class Soak(Scenario):
    """A large conversation with slow and typing subscribers, rooms, and pairs; connections drop and resume."""

    kind = "soak"
    default_rate = 100.0

    subscribers: int = _whole(100, least=1)
    publishers: int = _whole(5, least=1)
    conversations: int = _whole(20)
    members: int = _whole(10, least=2)
    pairs: int = _whole(50)
    slow_percent: float = _number(2.0, most=100.0)
    slow_bytes: int = _whole(2000, least=10)
    typists: int = _whole(2)
    period: float = _number(5.0, least=0.1)
    reconnects: float = _number(2.0, most=1000.0)
    max_memory_growth: float = _number(0.2, most=100.0)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.typists > self.subscribers:
            raise ScenarioError(f"typists must be at most the {self.subscribers} subscribers")

    def rooms(self) -> Sequence[RoomShape]:
        slow = round(self.subscribers * self.slow_percent / 100)
        large = RoomShape(listeners=self.subscribers, senders=self.publishers, slow=slow, typists=self.typists)
        return [
            large,
            *[RoomShape(members=self.members)] * self.conversations,
            *[RoomShape(members=2, direct=True)] * self.pairs,
        ]

    @property
    def slow_bytes_per_second(self) -> int:
        return self.slow_bytes

    @property
    def typing_period(self) -> float:
        return self.period

    @property
    def reconnects_per_second(self) -> float:
        return self.reconnects

    @property
    def memory_growth_allowed(self) -> float | None:
        return self.max_memory_growth


KINDS: Final[Mapping[str, type[Scenario]]] = {
    each.kind: each for each in (Fanout, Rooms, Direct, ConnectStorm, SlowConsumers, Typing, Soak)
}


def make_scenario(kind: str, values: Mapping[str, object]) -> Scenario:
    """A scenario of `kind` with `values` in place of defaults. Raises `ScenarioError`, which names the wrong key."""
    if kind not in KINDS:
        raise ScenarioError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    scenario = KINDS[kind]
    fields = {field.name: field for field in attrs.fields(scenario)}
    checked: dict[str, float] = {}
    for key, value in values.items():
        if key not in fields:
            raise ScenarioError(f"{key} is not a key of {kind}; it has {', '.join(fields)}")
        checked[key] = _checked(key, value, fields[key].metadata)
    return scenario(**cast("dict[str, Any]", checked))


def parameters_of(scenario: Scenario) -> dict[str, int | float]:
    """The values of all keys."""
    return cast("dict[str, int | float]", attrs.asdict(scenario))


def _checked(key: str, value: object, rule: Mapping[str, object]) -> float:
    least, most = cast("float", rule["least"]), cast("float", rule["most"])
    if rule["type"] is int and (isinstance(value, bool) or not isinstance(value, int)):
        raise ScenarioError(f"{key} must be a whole number, not {value!r}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ScenarioError(f"{key} must be a number, not {value!r}")
    if not least <= value <= most:
        raise ScenarioError(f"{key} must be from {least:g} to {most:g}, not {value:g}")
    return value if rule["type"] is int else float(value)
