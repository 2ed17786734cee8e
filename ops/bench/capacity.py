"""``python -m ops.bench.capacity``: how many tasks and which databases so many connected users take.

The assumptions are the table of docs/capacity.md; change it there and run this again.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final

import attrs
from attrs import frozen

from ops.bench.growth_page import part_of, replace_part

PAGE: Final = Path(__file__).parents[2] / "docs" / "capacity.md"
ASSUMPTIONS: Final = "assumptions"
MODEL: Final = "model"
"""Parts of the page."""
USERS: Final = (10_000, 100_000, 1_000_000)
SIZES: Final = {2: "large", 4: "xlarge", 8: "2xlarge", 16: "4xlarge", 32: "8xlarge", 48: "12xlarge", 64: "16xlarge"}
"""Of RDS's class db.m6g, by vCPU; each has 4 GiB of memory a vCPU."""


@frozen(kw_only=True)
class Assumptions:
    """What the page's table says of each: its unit, and where it comes from. Shares are between 0 and 1."""

    connections_per_user: float
    active_share: float
    messages_per_minute: float
    members: float
    online_share: float
    head_room: float
    core_ratio: float
    message_micros: float
    delivery_micros: float
    hop_micros: float
    idle_micros: float
    connect_micros: float
    return_seconds: float
    connection_kib: float
    kernel_kib: float
    base_mib: float
    task_mib: float
    max_connections: float
    batch_limit: float
    commit_ms: float
    database_micros: float
    database_connections: float
    resume_reads: float
    read_micros: float
    redis_messages: float
    frame_bytes: float
    stored_bytes: float
    busy_hours: float

    @property
    def usable(self) -> float:
        """The share of a resource that is planned for."""
        return 1 - self.head_room


@frozen(kw_only=True)
class Load:
    """Of `users` connected users; messages and deliveries are a second, `receivers` are connections a message."""

    users: int
    connections: float
    messages: float
    receivers: float

    @property
    def deliveries(self) -> float:
        return self.messages * self.receivers


@frozen(kw_only=True)
class Tasks:
    """How many each resource asks for; `all` is one more than the largest, so that one may fail or be replaced."""

    cpu: int
    memory: int
    returning: int
    sockets: int
    commits: int

    @property
    def all(self) -> int:
        return max(attrs.astuple(self)) + 1


def load_of(users: int, given: Assumptions) -> Load:
    return Load(
        users=users,
        connections=users * given.connections_per_user,
        messages=users * given.active_share * given.messages_per_minute / 60,
        receivers=given.members * given.online_share * given.connections_per_user,
    )


def other_tasks(tasks: int, receivers: float) -> float:
    """How many tasks besides the sender's a message is for, when its receivers are spread evenly: the expected number
    of boxes that so many balls hit, less the one.
    """
    hit = tasks * (1 - (1 - 1 / tasks) ** receivers)
    return max(hit - 1, 0.0)


def cores(tasks: int, load: Load, given: Assumptions) -> float:
    """Cores of the cloud that the load takes when that many tasks share it."""
    micros = (
        load.messages * (given.message_micros + other_tasks(tasks, load.receivers) * given.hop_micros)
        + load.deliveries * given.delivery_micros
        + load.connections * given.idle_micros
    )
    return micros / 1e6 / given.core_ratio


def tasks_of(load: Load, given: Assumptions) -> Tasks:
    """Raises ValueError when a task has no memory left for connections."""
    kib = given.connection_kib + given.kernel_kib
    free_mib = given.task_mib * given.usable - given.base_mib
    if free_mib <= 0:
        raise ValueError(f"a task of {given.task_mib:g} MiB has no memory for connections")
    connecting = load.connections * given.connect_micros / 1e6 / given.core_ratio
    writer = given.batch_limit / given.commit_ms * 1e3
    return Tasks(
        cpu=next(tasks for tasks in count(1) if cores(tasks, load, given) <= tasks * given.usable),
        memory=math.ceil(load.connections * kib / 1024 / free_mib),
        returning=math.ceil(connecting / (given.return_seconds * given.usable)),
        sockets=math.ceil(load.connections / (given.max_connections * given.usable)),
        commits=math.ceil(load.messages / (writer * given.usable)),
    )


def database_cores(load: Load, given: Assumptions) -> float:
    """Of PostgreSQL with the head-room, while all clients return and go on writing."""
    reads = load.connections * given.resume_reads / given.return_seconds
    micros = load.messages * given.database_micros + reads * given.read_micros
    return micros / 1e6 / given.core_ratio / given.usable


def database_class(vcpus: float) -> str:
    """Raises ValueError when there is none so large."""
    for size, name in SIZES.items():
        if vcpus <= size:
            return f"db.m6g.{name} ({size} vCPU, {4 * size} GiB)"
    raise ValueError(f"no class has {vcpus:.0f} vCPU: divide the conversations over several databases")


def redis_messages(tasks: int, load: Load) -> float:
    """Published and passed on, a second."""
    return load.messages * (1 + other_tasks(tasks, load.receivers))


def markdown(given: Assumptions, users: Sequence[int] = USERS) -> str:
    """The model's table: a column for each number of users."""
    loads = [load_of(each, given) for each in users]
    asked = [tasks_of(load, given) for load in loads]
    both = list(zip(loads, asked, strict=True))
    redis = [redis_messages(tasks.all, load) for load, tasks in both]
    database = [database_cores(load, given) for load in loads]
    rows: list[tuple[str, list[str]]] = [
        ("connections", [f"{load.connections:,.0f}" for load in loads]),
        ("messages a second", [f"{load.messages:,.0f}" for load in loads]),
        ("deliveries a second", [f"{load.deliveries:,.0f}" for load in loads]),
        ("bytes out, Mbit/s", [f"{load.deliveries * given.frame_bytes * 8 / 1e6:,.1f}" for load in loads]),
        ("vCPUs busy in all tasks", [f"{cores(tasks.all, load, given):,.2f}" for load, tasks in both]),
        ("tasks by CPU", [f"{tasks.cpu:,}" for tasks in asked]),
        ("tasks by memory", [f"{tasks.memory:,}" for tasks in asked]),
        ("tasks by everybody's return", [f"{tasks.returning:,}" for tasks in asked]),
        ("tasks by connection limit", [f"{tasks.sockets:,}" for tasks in asked]),
        ("tasks by commit rate", [f"{tasks.commits:,}" for tasks in asked]),
        (f"**tasks** of 1 vCPU, {given.task_mib / 1024:g} GiB", [f"**{tasks.all:,}**" for tasks in asked]),
        ("connections a task", [f"{load.connections / tasks.all:,.0f}" for load, tasks in both]),
        ("PostgreSQL vCPUs, head-room included", [f"{vcpus:.2f}" for vcpus in database]),
        ("**RDS** class, with a standby", [f"**{database_class(vcpus)}**" for vcpus in database]),
        ("connections to RDS", [f"{tasks.all * given.database_connections:,.0f}" for tasks in asked]),
        ("stored, GiB a day", [f"{_gib_a_day(load, given):,.1f}" for load in loads]),
        ("Redis messages a second", [f"{each:,.0f}" for each in redis]),
        (
            "**ElastiCache** primaries of cache.m6g.large, each with a replica",
            [f"**{math.ceil(each / (given.redis_messages * given.usable))}**" for each in redis],
        ),
    ]
    head = " | ".join(f"{each:,} users" for each in users)
    lines = [f"| | {head} |", f"|---|{'--:|' * len(users)}"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows)]) + "\n"


def _gib_a_day(load: Load, given: Assumptions) -> float:
    return load.messages * 3600 * given.busy_hours * given.stored_bytes / 2**30


def read_assumptions(page: str) -> Assumptions:
    """From the page's table, whose first two columns are name and value. Raises ValueError for one that is unknown,
    missing or negative (a share: not above 1).
    """
    lines = [line.split("|") for line in part_of(page, ASSUMPTIONS).splitlines() if line.startswith("| `")]
    found = {cells[1].strip(" `"): float(cells[2].replace(",", "")) for cells in lines}
    names = {field.name for field in attrs.fields(Assumptions)}
    if found.keys() != names:
        raise ValueError(f"unknown or missing assumptions: {', '.join(sorted(found.keys() ^ names))}")
    for name, value in found.items():
        if value < 0 or (value > 1 and name in ("active_share", "online_share", "head_room")):
            raise ValueError(f"{name} cannot be {value:g}")
    return Assumptions(**found)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ops.bench.capacity", description=__doc__)
    parser.add_argument("--page", type=Path, default=PAGE, help="the page with the assumptions (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write the table into the page, too")
    given = parser.parse_args(argv)
    page: Path = given.page
    text = page.read_text("utf-8")
    try:
        table = markdown(read_assumptions(text))
        if given.write:
            page.write_text(replace_part(text, MODEL, table), "utf-8")
    except ValueError as error:
        print(f"{page}: {error}", file=sys.stderr)
        return 2
    print(table, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
