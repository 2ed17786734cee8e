"""What a replica takes off the primary, and what a copy in memory saves: the same reads each way, in turn.

python -m ops.bench.reads
"""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Final
from uuid import UUID

import trio
from attrs import frozen

from actors.caching.cache import Cache, CachePolicy
from actors.caching.users import CachedUserDirectory
from chatcore.model import User
from tests.kit.postgres import PostgresServer, own_postgres_server
from tests.kit.reading import Pair, Reader, caught_up, reading
from tests.kit.replica import replica_of

ROUNDS: Final = 5
READS: Final = 200
CONVERSATIONS: Final = 50
MEMBERS: Final = 20
MESSAGES: Final = 100


@frozen
class Cost:
    """Of one read, in milliseconds: until its answer, and of the primary's CPU."""

    latency: float
    primary: float


def cpu_seconds(server: PostgresServer) -> float:
    """Of the server's processes that live."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in children) / 1e9


async def measure(pair: Pair, read: Callable[[], Awaitable[object]]) -> Cost:
    for _ in range(10):
        await read()
    before, begun = cpu_seconds(pair.primary), time.perf_counter()
    for _ in range(READS):
        await read()
    seconds = time.perf_counter() - begun
    return Cost(seconds / READS * 1000, (cpu_seconds(pair.primary) - before) / READS * 1000)


async def filled(reader: Reader) -> tuple[UUID, UUID]:
    """A user with many conversations, and one of them."""
    chat = reader.chat
    people = await chat.people(MEMBERS)
    groups = [await chat.group(*people) for _ in range(CONVERSATIONS)]
    for group in groups:
        await chat.say(group, people[1], *(f"message number {each} about tea" for each in range(MESSAGES)))
    return people[0], groups[-1]


async def compare(pair: Pair) -> None:
    async with reading(pair) as reader:
        user, group = await filled(reader)
        await caught_up(pair)

        async def page() -> None:
            standing = await reader.chat.standings.standing(group, user)
            await reader.pages.newest(
                group, before_seq=standing.last_seq + 1, limit=50, user_id=user, seen_rev=standing.rev
            )

        cached = CachedUserDirectory(
            reader.users, Cache[UUID, User]("users", CachePolicy(10, 60.0, 60.0)), changed=lambda _: None
        )
        routed: dict[str, Callable[[], Awaitable[object]]] = {
            "page of 50 messages": page,
            f"list of {CONVERSATIONS} conversations with {MEMBERS} members": lambda: reader.listed(user),
            "search in all of them": lambda: reader.found(user, "tea number"),
        }
        for name, read in routed.items():
            await report(pair, name, ("primary", aside(reader, read)), ("replica", read))
        await report(
            pair,
            "profile",
            ("database", lambda: reader.users.get([user])),
            ("copy", lambda: cached.get([user])),
        )
        assert not reader.router.on_primary, reader.router.on_primary


def aside(reader: Reader, read: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    """The same read as without a replica."""

    async def alone() -> None:
        replica, reader.router.replica = reader.router.replica, None
        try:
            await read()
        finally:
            reader.router.replica = replica

    return alone


async def report(pair: Pair, name: str, *ways: tuple[str, Callable[[], Awaitable[object]]]) -> None:
    costs: dict[str, list[Cost]] = {way: [] for way, _ in ways}
    for _ in range(ROUNDS):
        for way, read in ways:
            costs[way].append(await measure(pair, read))
    print(f"{name}:")
    for way, found in costs.items():
        latency, primary = median(each.latency for each in found), median(each.primary for each in found)
        print(f"  {way:9} {latency:8.3f} ms, of the primary's CPU {primary:7.3f} ms")


def main() -> None:
    with own_postgres_server() as primary, replica_of(primary) as replica:
        trio.run(compare, Pair(primary, replica))


if __name__ == "__main__":
    main()
