"""The part of a text that shows what was found in it."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from attrs import frozen

LENGTH: Final = 160
"""Code points of an excerpt, without the marks of what was left out."""
LEAD: Final = 40
"""Code points before the first match, at most."""
LEFT_OUT: Final = "…"


@frozen
class Fragment:
    """A piece of an excerpt; `is_match` where the query matches."""

    text: str
    is_match: bool


def excerpt(text: str, matches: Sequence[tuple[int, int]]) -> tuple[Fragment, ...]:
    """The text from shortly before the first match on, in pieces that together are that part of it.

    `matches` are start and end of each, by code points, in order and apart. Long texts are cut between words where
    there is a space to cut at, and begin or end with `LEFT_OUT` then.
    """
    start = _start(text, matches[0][0] if matches else 0)
    end = _end(text, start)
    found = [*_pieces(text, start, end, matches)]
    if start:
        found.insert(0, Fragment(LEFT_OUT, False))
    if end < len(text):
        found.append(Fragment(LEFT_OUT, False))
    return tuple(found)


def _start(text: str, first: int) -> int:
    if len(text) <= LENGTH or first <= LEAD:
        return 0
    earliest = min(first - LEAD, len(text) - LENGTH)
    space = text.find(" ", earliest, first)
    return earliest if space < 0 else space + 1


def _end(text: str, start: int) -> int:
    latest = start + LENGTH
    if latest >= len(text):
        return len(text)
    space = text.rfind(" ", start + LENGTH // 2, latest)
    return latest if space < 0 else space


def _pieces(text: str, start: int, end: int, matches: Sequence[tuple[int, int]]) -> Iterator[Fragment]:
    inside = [(max(low, start), min(high, end)) for low, high in matches if low < end and high > start]
    bounds = [start, *(bound for match in inside for bound in match), end]
    for number, (low, high) in enumerate(pairwise(bounds)):
        if low < high:
            yield Fragment(text[low:high], number % 2 == 1)
