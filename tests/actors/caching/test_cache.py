"""A cache loads once, is bounded, ages, and keeps nothing that a change has outdated."""

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from actors.caching.cache import Cache, CachePolicy
from chatcore.errors import ChatError, ErrorCode, unavailable

POLICY = CachePolicy(size=3, age=10.0, age_unsure=1.0)


class Source:
    """What is loaded: `value` as it is when the load began, after `seconds`."""

    def __init__(self, value: str = "old", seconds: float = 0.0) -> None:
        self.value = value
        self.seconds = seconds
        self.loads = 0

    async def __call__(self) -> str | None:
        self.loads += 1
        value = self.value
        await trio.sleep(self.seconds)
        return value


def small(is_told: Callable[[], bool] = lambda: True) -> Cache[str, str]:
    return Cache("small", POLICY, is_told=is_told)


async def test_what_was_loaded_is_kept(autojump_clock: trio.testing.MockClock) -> None:
    cache, source = small(), Source()
    assert [await cache.get("a", source), await cache.get("a", source)] == ["old", "old"]
    assert source.loads == 1
    figures = cache.figures
    assert (figures.name, figures.hits, figures.misses, figures.weight) == ("small", 1, 1, 1)


async def test_what_is_not_there_is_looked_for_each_time(autojump_clock: trio.testing.MockClock) -> None:
    cache, loads = small(), 0

    async def nothing() -> None:
        nonlocal loads
        loads += 1

    assert [await cache.get("a", nothing), await cache.get("a", nothing)] == [None, None]
    assert (loads, cache.figures.weight) == (2, 0)


async def test_an_entry_ages_from_the_moment_its_load_began(autojump_clock: trio.testing.MockClock) -> None:
    cache, source = small(), Source(seconds=4.0)
    await cache.get("a", source)
    await trio.sleep(5.9)
    await cache.get("a", source)
    assert source.loads == 1
    await trio.sleep(0.1)
    await cache.get("a", source)
    assert source.loads == 2


async def test_while_word_may_be_lost_nothing_is_believed_for_long(autojump_clock: trio.testing.MockClock) -> None:
    told = True
    cache, source = small(lambda: told), Source()
    await cache.get("a", source)
    await trio.sleep(0.9)
    told = False
    await cache.get("a", source)
    assert source.loads == 1
    await trio.sleep(0.1)
    await cache.get("a", source)
    assert source.loads == 2
    await trio.sleep(5.0)
    told = True
    await cache.get("a", source)
    assert source.loads == 2


async def test_those_who_miss_at_once_wait_for_one_load(autojump_clock: trio.testing.MockClock) -> None:
    cache, source, got = small(), Source(seconds=1.0), list[str | None]()

    async def ask() -> None:
        got.append(await cache.get("a", source))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask)
    assert (got, source.loads) == (["old"] * 20, 1)
    assert (cache.figures.misses, cache.figures.joined) == (1, 19)


async def test_a_refusal_is_given_to_all_who_wait_and_not_kept(autojump_clock: trio.testing.MockClock) -> None:
    cache, refused, loads = small(), list[ErrorCode](), 0

    async def away() -> str | None:
        nonlocal loads
        loads += 1
        await trio.sleep(1.0)
        raise unavailable()

    async def ask() -> None:
        with pytest.raises(ChatError) as refusal:
            await cache.get("a", away)
        refused.append(refusal.value.code)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask)
    assert (refused, loads) == ([ErrorCode.UNAVAILABLE] * 3, 1)
    assert await cache.get("a", Source("new")) == "new"


async def test_when_who_loads_is_cancelled_another_does_it(autojump_clock: trio.testing.MockClock) -> None:
    cache, source, got = small(), Source(seconds=1.0), list[str | None]()

    async def ask() -> None:
        got.append(await cache.get("a", source))

    async def impatient() -> None:
        with trio.move_on_after(0.5):
            await ask()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(impatient)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ask)
        nursery.start_soon(ask)
    assert (got, source.loads) == (["old"] * 2, 2)


async def test_a_load_that_began_before_an_invalidation_is_not_kept(autojump_clock: trio.testing.MockClock) -> None:
    cache, source, got = small(), Source(seconds=1.0), list[str | None]()

    async def ask() -> None:
        got.append(await cache.get("a", source))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.sleep(0.5)
        source.value = "new"
        cache.invalidate(["a"])
        nursery.start_soon(ask)
    assert got == ["old", "new"]
    assert await cache.get("a", source) == "new"
    assert (source.loads, cache.figures.invalidated) == (2, 1)


async def test_nobody_waits_for_a_load_that_is_older_than_what_is_believed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    cache: Cache[str, str] = Cache("small", CachePolicy(3, 1.0, 1.0))
    slow, got = Source(seconds=5.0), list[str | None]()

    async def ask() -> None:
        got.append(await cache.get("a", slow))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.sleep(0.5)
        slow.value, slow.seconds = "new", 0.5
        # It joins; when that load ends it is too old for who came late.
        nursery.start_soon(ask)
        await trio.sleep(1.0)
        assert await cache.get("a", slow) == "new"
    assert got == ["old", "new"]


async def test_without_keys_all_is_outdated(autojump_clock: trio.testing.MockClock) -> None:
    cache, source = small(), Source()
    await cache.get("a", source)
    await cache.get("b", source)
    cache.invalidate(())
    assert cache.figures.weight == 0
    await cache.get("a", source)
    assert source.loads == 3


async def test_the_least_recently_used_makes_room(autojump_clock: trio.testing.MockClock) -> None:
    cache, source = small(), Source()
    for key in ("a", "b", "c", "a", "d"):
        await cache.get(key, source)
    assert (source.loads, cache.figures.evicted, cache.figures.weight) == (4, 1, 3)
    for key in ("a", "c", "d"):
        await cache.get(key, source)
    assert source.loads == 4
    await cache.get("b", source)
    assert source.loads == 5


async def test_what_weighs_more_than_the_cache_is_given_and_not_kept(autojump_clock: trio.testing.MockClock) -> None:
    cache: Cache[str, str] = Cache("texts", POLICY, weigh=len)
    assert await cache.get("a", Source("four")) == "four"
    assert cache.figures.weight == 0
    assert await cache.get("a", Source("two")) == "two"
    assert cache.figures.weight == 3


STEP = st.tuples(st.sampled_from(["read", "write"]), st.sampled_from("abcde"), st.floats(0, 3))


@given(st.lists(STEP, min_size=1, max_size=30))
def test_a_read_that_begins_after_a_change_was_told_never_gets_what_was_before(
    steps: list[tuple[str, str, float]],
) -> None:
    cache: Cache[str, int] = Cache("numbers", POLICY)
    stored = dict.fromkeys("abcde", 0)

    def loader(key: str, seconds: float) -> Callable[[], Awaitable[int | None]]:
        async def load() -> int | None:
            value = stored[key]
            await trio.sleep(seconds)
            return value

        return load

    async def read(key: str, seconds: float) -> None:
        least = stored[key]
        value = await cache.get(key, loader(key, seconds))
        assert value is not None
        assert value >= least

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            for kind, key, seconds in steps:
                if kind == "read":
                    nursery.start_soon(read, key, seconds)
                    await trio.sleep(seconds / 4)
                else:
                    stored[key] += 1
                    cache.invalidate([key])
        assert cache.figures.weight <= POLICY.size

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))
