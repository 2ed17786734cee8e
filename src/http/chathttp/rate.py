"""How often a user may do something: a token bucket each."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from attrs import define

_K = TypeVar("_K", bound=Hashable)


@define
class _Bucket:
    tokens: float
    at: float


class RateLimiter(Generic[_K]):
    """Token buckets of `rate` a second and depth `burst`, one a key.

    A bucket that has been refilled is forgotten, and at most `capacity` are kept: beyond that the one longest unused
    goes, which gives its key a full bucket again. Time is an argument, in seconds on any clock that does not go back.
    """

    def __init__(self, rate: float, burst: int, *, capacity: int = 100_000) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._capacity = capacity
        self._buckets: OrderedDict[_K, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: _K, now: float) -> float | None:
        """None when it may go on; else the seconds after which one token is there."""
        bucket = self._buckets.get(key)
        if bucket is None:
            self._forget_idle(now)
            bucket = self._buckets[key] = _Bucket(self._burst, now)
        else:
            bucket.tokens = min(self._burst, bucket.tokens + max(0.0, now - bucket.at) * self._rate)
            bucket.at = now
            self._buckets.move_to_end(key)
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return None
        return (1.0 - bucket.tokens) / self._rate

    def give_back(self, key: _K) -> None:
        """The key's bucket is full again."""
        self._buckets.pop(key, None)

    def _forget_idle(self, now: float) -> None:
        full_after = self._burst / self._rate
        while self._buckets:
            key, oldest = next(iter(self._buckets.items()))
            if len(self._buckets) < self._capacity and now - oldest.at < full_after:
                return
            del self._buckets[key]
