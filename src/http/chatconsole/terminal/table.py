"""Rows and columns as every view of the terminal front has them: filtered, sorted, folded and fitted to a width."""

from collections.abc import Callable, Collection, Iterator, Sequence
from enum import StrEnum
from typing import Final

from attrs import field, frozen
from rich.cells import cell_len, chop_cells, set_cell_size

GAP: Final = 1
"""Blanks between two columns."""
_ELLIPSIS: Final = "…"
_INDENT: Final = "  "


class Level(StrEnum):
    """How a row is to be seen; `MARKS` says the same to eyes without colours."""

    PLAIN = "plain"
    DIM = "dim"
    HEADING = "heading"
    WARNING = "warning"
    BAD = "bad"


MARKS: Final = {Level.PLAIN: " ", Level.DIM: " ", Level.HEADING: " ", Level.WARNING: "!", Level.BAD: "x"}


class Kind(StrEnum):
    TASK = "task"
    NURSERY = "nursery"
    ACTOR = "actor"
    CONVERSATION = "conversation"
    SOCKET = "socket"
    TEXT = "text"


@frozen
class Target:
    """What a row stands for: what is opened, followed, or acted on."""

    kind: Kind
    id: str


@frozen
class Column:
    """`width` is the least in cells; what is left over goes to those with `flex`. The highest `drop` goes first when
    there is no room; 0 stays. `ends`: the end of a long text matters more than its beginning.
    """

    title: str
    width: int
    flex: int = 0
    drop: int = 0
    right: bool = False
    ends: bool = False
    descending: bool = False


@frozen
class Row:
    """`ranks` are what it is sorted by, one for each column. `detail` is the text that opening it shows.
    `from_start`: what does not fit is cut off at the end, also in columns whose end matters more.
    """

    key: str
    cells: tuple[str, ...]
    level: Level = Level.PLAIN
    depth: int = 0
    ranks: tuple[float | str | None, ...] = ()
    target: Target | None = None
    detail: Callable[[], str] | None = field(default=None, eq=False)
    from_start: bool = False


@frozen
class Sort:
    column: int
    descending: bool


def printable(text: str) -> str:
    """With every character that could steer the terminal replaced: names and messages come from clients."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "·" for each in text)


def printable_lines(text: str) -> str:
    return "\n".join(printable(line.expandtabs(4)) for line in text.splitlines())


def fitted(text: str, width: int, *, right: bool = False, ends: bool = False) -> str:
    """Exactly `width` cells wide, an ellipsis in place of what does not fit."""
    length = cell_len(text)
    if length <= width:
        blanks = " " * (width - length)
        return blanks + text if right else text + blanks
    if width <= 0:
        return ""
    if ends:
        kept = text[-(width - 1) :] if width > 1 else ""
        while cell_len(kept) > width - 1:
            kept = kept[1:]
        return _ELLIPSIS + " " * (width - 1 - cell_len(kept)) + kept
    return set_cell_size(text, width - 1) + _ELLIPSIS


def laid_out(columns: Sequence[Column], width: int) -> list[tuple[int, int]]:
    """Which columns are drawn in `width` cells, by their index, and how wide each is."""
    shown = list(range(len(columns)))

    def needed() -> int:
        return sum(columns[each].width for each in shown) + GAP * (len(shown) - 1)

    while needed() > width and any(columns[each].drop for each in shown):
        shown.remove(max(shown, key=lambda each: (columns[each].drop, each)))
    spare, flex = max(0, width - needed()), sum(columns[each].flex for each in shown)
    widths = {each: columns[each].width + (spare * columns[each].flex // flex if flex else 0) for each in shown}
    growing = [each for each in shown if columns[each].flex]
    if growing:
        widths[growing[0]] += width - GAP * (len(shown) - 1) - sum(widths.values()) if spare else 0
    return [(each, widths[each]) for each in shown]


def line(row: Row, columns: Sequence[Column], widths: Sequence[tuple[int, int]], fold: str = "") -> str:
    """The row as text; the first cell is indented by its depth, `fold` being the mark before it. A lone
    cell has all of the width.
    """
    if len(row.cells) == 1:
        indent = _INDENT * row.depth
        return fitted(indent + fold + printable(row.cells[0]), sum(width for _, width in widths) + GAP * len(widths))
    parts: list[str] = []
    for index, width in widths:
        text = printable(row.cells[index]) if index < len(row.cells) else ""
        if index == 0 and (row.depth or fold):
            text = _INDENT * min(row.depth, max(0, width // 4)) + fold + text
        parts.append(fitted(text, width, right=columns[index].right, ends=columns[index].ends and not row.from_start))
    return (" " * GAP).join(parts)


def heading(columns: Sequence[Column], widths: Sequence[tuple[int, int]], sort: Sort | None) -> str:
    parts: list[str] = []
    for index, width in widths:
        arrow = ("▼" if sort.descending else "▲") if sort is not None and sort.column == index else ""
        parts.append(fitted(columns[index].title + arrow, width, right=columns[index].right))
    return (" " * GAP).join(parts)


def matching(rows: Sequence[Row], needle: str) -> list[Row]:
    """Those that have it in a cell, in whatever case, with the rows that they are below of."""
    if not needle:
        return list(rows)
    wanted, kept, above = needle.casefold(), list[Row](), list[Row]()
    for row in rows:
        while above and above[-1].depth >= row.depth:
            above.pop()
        if any(wanted in cell.casefold() for cell in row.cells):
            kept += above
            kept.append(row)
            above.clear()
        else:
            above.append(row)
    return kept


def ordered(rows: Sequence[Row], sort: Sort | None) -> list[Row]:
    """Rows without a rank come last, whichever way."""
    if sort is None:
        return list(rows)
    ranked = [row for row in rows if _rank(row, sort.column) is not None]
    rest = [row for row in rows if _rank(row, sort.column) is None]

    def key(row: Row) -> tuple[bool, float | str]:
        rank = _rank(row, sort.column)
        assert rank is not None
        return (isinstance(rank, str), rank)

    return sorted(ranked, key=key, reverse=sort.descending) + rest


def has_children(rows: Sequence[Row], at: int) -> bool:
    return at + 1 < len(rows) and rows[at + 1].depth > rows[at].depth


def unfolded(rows: Sequence[Row], folded: Collection[str]) -> Iterator[tuple[Row, str]]:
    """The rows that no folded one hides, each with the mark before it."""
    hidden_below: int | None = None
    is_tree = any(row.depth for row in rows)
    for at, row in enumerate(rows):
        if hidden_below is not None:
            if row.depth > hidden_below:
                continue
            hidden_below = None
        mark = "  " if is_tree else ""
        if has_children(rows, at):
            mark = "+ " if row.key in folded else "- "
            if row.key in folded:
                hidden_below = row.depth
        yield row, mark


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` cells."""
    lines: list[str] = []
    for each in printable_lines(text).split("\n"):
        lines += chop_cells(each, max(1, width)) or [""]
    return lines


def _rank(row: Row, column: int) -> float | str | None:
    return row.ranks[column] if column < len(row.ranks) else None
