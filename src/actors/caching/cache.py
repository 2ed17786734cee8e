"""One bounded cache: the least recently used goes first, and nothing is believed beyond its age."""

from collections.abc import Awaitable, Callable, Collection
from typing import Generic, TypeVar

import trio
from attrs import define, frozen
from cachetools import TLRUCache

from chatcore.errors import ChatError

K = TypeVar("K")
V = TypeVar("V")


@frozen
class CachePolicy:
    """`size` is the sum of what the entries weigh. Seconds: an entry is believed for `age` from the moment its load
    began, and for `age_unsure` at most while word of changes may be lost.
    """

    size: int
    age: float
    age_unsure: float


@frozen
class CacheFigures:
    """Since the start, but for `weight`. `joined` waited for a load that another had begun; `evicted` made room."""

    name: str
    hits: int
    misses: int
    joined: int
    evicted: int
    invalidated: int
    weight: int


@frozen
class _Kept(Generic[V]):
    value: V
    since: float


@define(eq=False)
class _Load(Generic[V]):
    since: float
    done: trio.Event
    outdated: bool = False
    kept: _Kept[V | None] | None = None
    refusal: ChatError | None = None


class _Entries(TLRUCache[K, _Kept[V]]):
    evicted = 0

    def popitem(self) -> tuple[K, _Kept[V]]:
        """Called by the library to make room."""
        self.evicted += 1
        return super().popitem()


class Cache(Generic[K, V]):
    """`is_told` says whether word of changes elsewhere arrives at present.

    Of any number that ask for a key at once one loads, and the others wait for it. What began to load before the key
    was invalidated is given to those who had asked by then, and to nobody else.
    """

    def __init__(
        self,
        name: str,
        policy: CachePolicy,
        *,
        is_told: Callable[[], bool] = lambda: True,
        weigh: Callable[[V], int] = lambda _: 1,
    ) -> None:
        self._name = name
        self._policy = policy
        self._is_told = is_told
        self._weigh = weigh
        self._entries: _Entries[K, V] = _Entries(
            policy.size,
            ttu=lambda _, kept, __: kept.since + policy.age,
            timer=trio.current_time,
            getsizeof=lambda kept: weigh(kept.value),
        )
        self._loads: dict[K, _Load[V]] = {}
        self._hits = self._misses = self._joined = self._invalidated = 0

    async def get(self, key: K, load: Callable[[], Awaitable[V | None]]) -> V | None:
        """What is kept, else what `load` gives or raises. None is not kept, and no error is."""
        while True:
            kept = self._entries.get(key)
            if kept is not None and self._is_believed(kept.since):
                self._hits += 1
                return kept.value
            running = self._loads.get(key)
            if running is None or not self._is_believed(running.since):
                self._misses += 1
                return await self._load(key, load)
            self._joined += 1
            await running.done.wait()
            if running.refusal is not None:
                raise running.refusal
            # Who loaded may have been cancelled, or have taken so long that it is no answer to who came late.
            if running.kept is not None and self._is_believed(running.since):
                return running.kept.value

    def invalidate(self, keys: Collection[K]) -> None:
        """What is kept of them, or loaded now, is out of date; of all when there are none."""
        for key in keys or {*self._entries, *self._loads}:
            kept, running = self._entries.pop(key, None), self._loads.pop(key, None)
            if running is not None:
                running.outdated = True
            self._invalidated += kept is not None or running is not None

    @property
    def figures(self) -> CacheFigures:
        return CacheFigures(
            name=self._name,
            hits=self._hits,
            misses=self._misses,
            joined=self._joined,
            evicted=self._entries.evicted,
            invalidated=self._invalidated,
            weight=int(self._entries.currsize),
        )

    def _is_believed(self, since: float) -> bool:
        policy = self._policy
        age = policy.age if self._is_told() else min(policy.age, policy.age_unsure)
        return trio.current_time() - since < age

    async def _load(self, key: K, load: Callable[[], Awaitable[V | None]]) -> V | None:
        running = self._loads[key] = _Load[V](trio.current_time(), trio.Event())
        try:
            value = await load()
        except ChatError as refusal:
            running.refusal = refusal
            raise
        else:
            running.kept = _Kept(value, running.since)
            if value is not None and not running.outdated:
                self._keep(key, value, running.since)
            return value
        finally:
            if self._loads.get(key) is running:
                del self._loads[key]
            running.done.set()

    def _keep(self, key: K, value: V, since: float) -> None:
        if self._is_believed(since) and self._weigh(value) <= self._policy.size:
            self._entries[key] = _Kept(value, since)
