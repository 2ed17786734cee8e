"""The contract of `PresenceStore`."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import trio
from attrs import frozen

from actors.adapters.memory.presence import MemoryPresenceStore
from actors.adapters.redis.presence import RedisPresenceStore
from actors.presence.ports import PresenceStore, Seen
from tests.kit.presence import running_broker
from tests.kit.redis import RedisServer

LIFETIME = 60.0
HERE, THERE, LATER = UUID(int=1), UUID(int=2), UUID(int=3)
ANN, BOB, EVE = UUID(int=11), UUID(int=12), UUID(int=13)
NOON = datetime(2026, 11, 23, 12, 0, 0, 123_000, tzinfo=UTC)
AFTER = NOON + timedelta(minutes=5)
ONLINE, NEVER = Seen(online=True, last_seen_at=None), Seen(online=False, last_seen_at=None)


def seen_at(time: datetime) -> Seen:
    return Seen(online=False, last_seen_at=time)


@frozen
class Place:
    """A store, and how to make time pass and data go."""

    store: PresenceStore
    lapse: Callable[[UUID], Awaitable[None]]
    lose_all: Callable[[], None]


@pytest.fixture(params=["memory", "redis"])
def server(request: pytest.FixtureRequest) -> RedisServer | None:
    """None for the twin."""
    return request.getfixturevalue("redis_server") if request.param == "redis" else None


@pytest.fixture
async def place(server: RedisServer | None) -> AsyncGenerator[Place]:
    """An empty store."""
    if server is None:
        twin = MemoryPresenceStore(LIFETIME)

        async def lapse(lease: UUID) -> None:
            twin.lapse(lease)
            await trio.lowlevel.checkpoint()

        yield Place(twin, lapse, twin.lose_all)
        return

    server.command("FLUSHALL")

    async def expire(lease: UUID) -> None:
        key = f"{{presence}}.node.{lease}"
        assert 0 < server.command("PTTL", key) <= LIFETIME * 1000
        server.command("PEXPIRE", key, 1)
        while server.command("EXISTS", key):
            await trio.lowlevel.checkpoint()

    async with running_broker(server.url) as broker:
        yield Place(RedisPresenceStore(broker, LIFETIME), expire, lambda: server.command("FLUSHALL"))


async def test_who_never_came_is_offline_and_was_never_seen(place: Place) -> None:
    assert await place.store.lookup([ANN, BOB]) == {ANN: NEVER, BOB: NEVER}
    assert await place.store.lookup([]) == {}


async def test_who_came_is_online_until_he_leaves_and_was_seen_then(place: Place) -> None:
    store = place.store
    await store.open(HERE, NOON)
    await store.come(HERE, [ANN, BOB])
    assert await store.lookup([ANN, BOB, EVE]) == {ANN: ONLINE, BOB: ONLINE, EVE: NEVER}
    await store.leave(HERE, {ANN: NOON})
    assert await store.lookup([ANN, BOB]) == {ANN: seen_at(NOON), BOB: ONLINE}
    await store.come(HERE, [ANN])
    assert await store.lookup([ANN]) == {ANN: ONLINE}
    await store.leave(HERE, {ANN: AFTER})
    assert await store.lookup([ANN]) == {ANN: seen_at(AFTER)}


async def test_who_is_at_two_nodes_is_online_until_he_has_left_both(place: Place) -> None:
    store = place.store
    for lease in (HERE, THERE):
        await store.open(lease, NOON)
        await store.come(lease, [ANN])
    await store.leave(HERE, {ANN: NOON})
    assert await store.lookup([ANN]) == {ANN: ONLINE}
    await store.leave(THERE, {ANN: AFTER})
    assert await store.lookup([ANN]) == {ANN: seen_at(AFTER)}


async def test_everything_may_be_repeated(place: Place) -> None:
    store = place.store
    for _ in range(2):
        await store.open(HERE, NOON)
        await store.come(HERE, [ANN, BOB])
        await store.leave(HERE, {BOB: NOON})
    assert await store.lookup([ANN, BOB]) == {ANN: ONLINE, BOB: seen_at(NOON)}
    for _ in range(2):
        await store.close(HERE)
    assert not (await store.lookup([ANN]))[ANN].online


async def test_a_lapsed_lease_takes_its_users_offline_as_of_its_last_beat(place: Place) -> None:
    store = place.store
    await store.open(HERE, NOON - timedelta(hours=1))
    await store.open(THERE, NOON)
    await store.come(HERE, [ANN, BOB])
    await store.come(THERE, [BOB])
    await store.leave(HERE, {EVE: AFTER})
    assert await store.beat(HERE, NOON) == {HERE, THERE}
    await place.lapse(HERE)
    for _ in range(2):
        assert await store.lookup([ANN, BOB, EVE]) == {ANN: seen_at(NOON), BOB: ONLINE, EVE: seen_at(AFTER)}


async def test_a_lapsed_lease_never_comes_back(place: Place) -> None:
    store = place.store
    await store.open(HERE, NOON)
    await store.open(THERE, NOON)
    await store.come(HERE, [ANN, BOB])
    await place.lapse(HERE)
    assert await store.beat(THERE, NOON) == {THERE}
    assert await store.beat(HERE, AFTER) is None
    await store.come(HERE, [BOB])
    assert await store.lookup([ANN, BOB]) == {ANN: seen_at(NOON), BOB: seen_at(NOON)}
    await store.open(LATER, AFTER)
    await store.come(LATER, [ANN], instead_of=HERE)
    assert await store.lookup([ANN]) == {ANN: ONLINE}
    assert await store.beat(THERE, NOON) == {THERE, LATER}


async def test_a_lease_that_is_closed_ends_at_once(place: Place) -> None:
    store = place.store
    await store.open(HERE, NOON)
    await store.open(THERE, NOON)
    await store.come(HERE, [ANN])
    await store.close(HERE)
    assert await store.lookup([ANN]) == {ANN: seen_at(NOON)}
    assert await store.beat(THERE, NOON) == {THERE}
    assert await store.beat(HERE, NOON) is None


async def test_who_comes_under_a_new_lease_is_under_the_old_one_no_more(place: Place) -> None:
    store = place.store
    await store.open(HERE, NOON)
    await store.come(HERE, [ANN])
    await store.open(LATER, NOON)
    await store.come(LATER, [ANN], instead_of=HERE)
    await store.leave(LATER, {ANN: AFTER})
    assert await store.lookup([ANN]) == {ANN: seen_at(AFTER)}


async def test_a_store_that_has_lost_everything_knows_no_lease(place: Place) -> None:
    store = place.store
    await store.open(HERE, NOON)
    await store.come(HERE, [ANN])
    place.lose_all()
    assert await store.beat(HERE, NOON) is None
    assert await store.lookup([ANN]) == {ANN: NEVER}
    await store.open(LATER, NOON)
    await store.come(LATER, [ANN], instead_of=HERE)
    assert await store.lookup([ANN]) == {ANN: ONLINE}


async def test_many_come_and_leave_at_once(place: Place) -> None:
    store = place.store
    crowd = [UUID(int=1000 + number) for number in range(2000)]
    await store.open(HERE, NOON)
    await store.come(HERE, crowd)
    assert set((await store.lookup(crowd)).values()) == {ONLINE}
    await store.leave(HERE, dict.fromkeys(crowd, NOON))
    assert set((await store.lookup(crowd)).values()) == {seen_at(NOON)}
