"""Rows fitted, filtered, sorted and folded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from chatconsole.terminal.table import (
    Column,
    Row,
    Sort,
    fitted,
    heading,
    laid_out,
    line,
    matching,
    ordered,
    printable,
    printable_lines,
    unfolded,
)

NAME = Column("name", 6, flex=1)
COUNT = Column("count", 5, right=True, descending=True)
SPARE = Column("spare", 10, drop=1)


def keys(rows: list[Row]) -> list[str]:
    return [row.key for row in rows]


@given(st.text(), st.integers(0, 40), st.booleans(), st.booleans())
def test_fitted_text_is_exactly_as_wide_as_asked(text: str, width: int, right: bool, ends: bool) -> None:
    assert cell_len(fitted(printable(text), width, right=right, ends=ends)) == width


def test_what_is_cut_is_marked_and_the_end_is_kept_where_it_matters_more() -> None:
    assert fitted("abcdef", 4) == "abc…"
    assert fitted("abcdef", 4, ends=True) == "…def"
    assert fitted("ab", 4, right=True) == "  ab"


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b2J", "\r", "\x07", "\u202e", "a\nb"])
def test_what_clients_wrote_cannot_steer_the_terminal(text: str) -> None:
    assert printable(text).isprintable()
    assert all(each.isprintable() for each in printable_lines(text).split("\n"))


@given(st.integers(0, 200))
def test_columns_fill_the_width_and_the_least_needed_goes_first(width: int) -> None:
    widths = laid_out((NAME, COUNT, SPARE), width)
    assert [index for index, _ in widths] == ([0, 1, 2] if width >= 23 else [0, 1])
    assert sum(each for _, each in widths) + len(widths) - 1 == max(width, 12)


def test_rows_stand_below_their_titles() -> None:
    widths = laid_out((NAME, COUNT), 16)
    assert heading((NAME, COUNT), widths, Sort(1, descending=True)) == "name       count"[:11] + "coun…"
    assert line(Row("a", ("deep", "12"), depth=1), (NAME, COUNT), widths, "- ") == "  - deep      12"
    assert line(Row("a", ("alone over all columns",)), (NAME, COUNT), widths).startswith("alone over all")


def test_search_keeps_what_a_match_is_below_of() -> None:
    rows = [
        Row("top", ("node",)),
        Row("left", ("store",), depth=1),
        Row("leaf", ("Writer",), depth=2),
        Row("right", ("edge",), depth=1),
        Row("other", ("else",)),
    ]
    assert keys(matching(rows, "writer")) == ["top", "left", "leaf"]
    assert keys(matching(rows, "edge")) == ["top", "right"]
    assert matching(rows, "") == rows


def test_rows_without_a_rank_come_last_whichever_way() -> None:
    rows = [Row("none", (), ranks=(None,)), Row("one", (), ranks=(1,)), Row("two", (), ranks=(2,))]
    assert keys(ordered(rows, Sort(0, descending=False))) == ["one", "two", "none"]
    assert keys(ordered(rows, Sort(0, descending=True))) == ["two", "one", "none"]
    assert ordered(rows, None) == rows


def test_folded_row_hides_what_is_below_it_only() -> None:
    rows = [Row("a", ()), Row("b", (), depth=1), Row("c", (), depth=2), Row("d", (), depth=1), Row("e", ())]
    shown = [(row.key, mark.strip()) for row, mark in unfolded(rows, {"b"})]
    assert shown == [("a", "-"), ("b", "+"), ("d", ""), ("e", "")]
