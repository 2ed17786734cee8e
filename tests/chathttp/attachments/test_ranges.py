"""Ranges of bytes against slices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chathttp.attachments.ranges import ByteRange, UnsatisfiableError, parse_range, range_applies

DATA = bytes(range(200))
numbers = st.integers(0, 260)


def served(header: str | None, data: bytes) -> bytes | None:
    """None where no byte can be had."""
    try:
        found = parse_range(header, len(data))
    except UnsatisfiableError:
        return None
    if found is None:
        return data
    part = data[found.start : found.stop]
    assert found.content_range(len(data)) == f"bytes {found.start}-{found.start + len(part) - 1}/{len(data)}"
    return part


@given(numbers, numbers, st.integers(0, 200))
def test_first_and_last_are_a_slice(first: int, last: int, size: int) -> None:
    data = DATA[:size]
    expected = data if last < first else data[first : last + 1] or None
    assert served(f"bytes={first}-{last}", data) == expected


@given(numbers, st.integers(0, 200))
def test_a_first_alone_goes_to_the_end(first: int, size: int) -> None:
    assert served(f"bytes={first}-", DATA[:size]) == (DATA[:size][first:] or None)


@given(numbers, st.integers(0, 200))
def test_a_suffix_is_the_end(count: int, size: int) -> None:
    data = DATA[:size]
    assert served(f"bytes=-{count}", data) == ((data[-count:] if count else b"") or None)


@given(st.text(max_size=30))
def test_whatever_a_header_says_is_a_part_or_all_or_nothing(header: str) -> None:
    part = served(header, DATA)
    assert part is None or part in DATA


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1", "bytes=0-1;", "bytes=1"],
)
def test_what_is_not_understood_is_no_range(header: str | None) -> None:
    assert parse_range(header, 200) is None


def test_the_unit_is_in_any_case_and_blanks_do_not_matter() -> None:
    assert parse_range("Bytes= 1-2 ", 200) == ByteRange(1, 3)


@pytest.mark.parametrize(
    ("if_range", "applies"),
    [(None, True), ('"a"', True), ('"b"', False), ('W/"a"', False), ("Tue, 24 Nov 2026 00:00:00 GMT", False)],
)
def test_a_range_is_of_the_same_content_only(if_range: str | None, *, applies: bool) -> None:
    assert range_applies(if_range, '"a"') is applies
