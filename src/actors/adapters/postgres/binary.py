"""PostgreSQL's binary form of the few types that an append takes and gives (`src/backend/utils/adt`, `*_send`)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Final

UUID_ARRAY: Final = 2950
TEXT_ARRAY: Final = 25
"""The types of an array's elements, by object id."""

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_HEADER: Final = Struct("!iiIii")
_length: Final = Struct("!i").pack
_NULL: Final = _length(-1)


def array(element: int, values: Sequence[bytes | None]) -> bytes:
    """A one-dimensional array."""
    elements = [_NULL if value is None else _length(len(value)) + value for value in values]
    return _HEADER.pack(1, 1, element, len(values), 1) + b"".join(elements)


def bigint(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


def timestamptz(value: bytes) -> datetime:
    """In UTC."""
    return _EPOCH + timedelta(0, 0, bigint(value))
