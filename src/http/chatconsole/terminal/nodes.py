"""Which of the nodes that share a data directory is looked at."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from attrs import define, field

from chatconsole.beacon import Beacon, beacons


@define
class Nodes:
    """The nodes of a data directory, by their beacons; `known` are the process ids of those that are no successors."""

    data_dir: Path
    known: set[int] = field(factory=set[int])

    def find(self) -> list[Beacon]:
        """Those that live, the eldest first."""
        return beacons(self.data_dir)

    def take_place_of(self, previous: Beacon) -> Beacon | None:
        """The node that `previous` is now, or the one that was started in its place."""
        return successor(self.find(), previous, self.known)

    def remember(self) -> None:
        """All that live now: none of them is the successor of another."""
        self.known = {beacon.pid for beacon in self.find()}


def successor(found: Sequence[Beacon], previous: Beacon, known: Collection[int]) -> Beacon | None:
    """The same process; else, of those that were not there before, the one with the same management port or socket, or
    one that serves at the same address, or the youngest. Workers serve at one address and are not each other's
    successors.
    """
    same: list[Callable[[Beacon], bool]] = [
        lambda each: each.pid == previous.pid and each.token == previous.token,
        lambda each: (each.host, each.port) == (previous.host, previous.port),
        lambda each: each.serves == previous.serves,
        lambda _: True,
    ]
    candidates = [each for each in found if each.pid == previous.pid or each.pid not in known]
    for is_it in same:
        fitting = [each for each in candidates if is_it(each)]
        if fitting:
            return fitting[-1]
    return None


def label(beacon: Beacon) -> str:
    return f"{beacon.serves or 'not serving yet'}  process {beacon.pid}"
