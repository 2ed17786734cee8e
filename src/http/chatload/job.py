"""What is to be run, and what a run leaves."""

from collections.abc import Sequence

from attrs import frozen

from chatload.gather import Gathering
from chatload.messages import Go
from chatload.scenario import Scenario
from chatload.server_probe import ServerProbe
from chatload.users import LoadUser


@frozen(kw_only=True)
class Job:
    """What to run, against what, as whom. Connections are spread over the servers of `urls`; conversations are made by
    the first. `notes` are the maker's.
    """

    scenario: Scenario
    urls: Sequence[str]
    users: Sequence[LoadUser]
    processes: int
    probe: ServerProbe
    notes: Sequence[str] = ()


@frozen
class Outcome:
    """What a run leaves; moments are nanoseconds of CLOCK_MONOTONIC."""

    gathering: Gathering
    connecting: int
    """Nanoseconds from the first connection's begin until the last was subscribed."""
    setup_start: int
    go: Go
    ended_at: int
