"""Ids of new things."""

import os
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final
from uuid import UUID

from chatcore.uuid7 import uuid7

id_text: Final = lru_cache(maxsize=1024)(str)
"""The text of a UUID, kept for a moment: the frames and the receipt of a message bear the same."""

_EACH: Final = 10
_POOL: Final = 4080


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000


class IdSource:
    """Gives UUIDv7s of now. Random bytes are asked of the kernel by the page: a system call for each costs more than
    all the rest. Two processes must not share one, or they would give the same bits.
    """

    __slots__ = ("_clock", "_entropy", "_pool", "_used")

    def __init__(self, clock: Callable[[], int] = _unix_ms, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._entropy = entropy
        self._pool: bytes = b""
        self._used: int = 0

    def __call__(self) -> UUID:
        if self._used == len(self._pool):
            self._pool, self._used = self._entropy(_POOL), 0
        start = self._used
        self._used = start + _EACH
        return uuid7(self._clock(), int.from_bytes(self._pool[start : self._used]))
