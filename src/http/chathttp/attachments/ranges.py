"""`Range` and `If-Range` of RFC 9110, sections 13.1.5 and 14.2: one range of bytes."""

import re
from typing import Final

from attrs import frozen

_RANGE: Final = re.compile(r"bytes=[ \t]*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))[ \t]*", re.IGNORECASE)


@frozen
class ByteRange:
    """The bytes `start <= i < stop`, at least one."""

    start: int
    stop: int

    def content_range(self, size: int) -> str:
        return f"bytes {self.start}-{self.stop - 1}/{size}"


class UnsatisfiableError(Exception):
    """There is no byte of the range: 416."""


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """What is wanted of `size` bytes; None means all of them.

    As a server may, it takes another unit, several ranges and what it does not understand for no range at all. Raises
    `UnsatisfiableError`.
    """
    found = _RANGE.fullmatch(header or "")
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        start, stop = max(0, size - int(suffix)), size
    else:
        if last and int(last) < int(first):
            return None
        start, stop = int(first), min(size, int(last) + 1) if last else size
    if start >= stop:
        raise UnsatisfiableError
    return ByteRange(start, stop)


def range_applies(if_range: str | None, etag: str) -> bool:
    """Whether a range may be served: what the client has part of is this very content. A date never tells that."""
    return if_range is None or if_range.strip() == etag
