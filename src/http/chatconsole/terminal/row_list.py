"""A list of rows of which only what changed and is in sight is drawn."""

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from chatconsole.terminal.table import MARKS, Column, Level, Row, Sort, heading, laid_out, line, unfolded

STYLES: Final = {
    Level.PLAIN: Style(),
    Level.DIM: Style(dim=True),
    Level.HEADING: Style(bold=True),
    Level.WARNING: Style(color="yellow"),
    Level.BAD: Style(color="red", bold=True),
}
_GUTTER: Final = 2
"""Cells before the first column: whether it is selected, and how it is."""


class RowList(ScrollView, can_focus=True):
    """The first line has the columns' titles; the selection stays with its row wherever that moves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "edge(-1)", "First", show=False),
        Binding("end,G", "edge(1)", "Last", show=False),
        Binding("left,h", "fold", "Fold", show=False),
        Binding("right,l", "unfold", "Unfold", show=False),
        Binding("tab", "app.turn(1)", "Next view", show=False),
        Binding("shift+tab", "app.turn(-1)", "View before", show=False),
        Binding("enter", "open", "Open"),
    ]
    DEFAULT_CSS = "RowList { overflow-x: hidden; overflow-y: auto; }"

    class Opened(Message):
        """Enter on a row."""

        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

    class Moved(Message):
        """Another row is selected."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._columns: tuple[Column, ...] = ()
        self._sort: Sort | None = None
        self._rows: Sequence[Row] = ()
        self._lines: list[tuple[Row, str]] = []
        self._folded: set[str] = set()
        self._empty = ""
        self._at = 0
        self._is_held = False

    @property
    def selected(self) -> Row | None:
        return self._lines[self._at][0] if self._lines else None

    def start(self, columns: tuple[Column, ...], empty: str) -> None:
        """Of another view: the selection begins at the top."""
        self._columns, self._empty = columns, empty
        self._rows, self._lines, self._at, self._is_held = (), [], 0, False
        self.scroll_to(y=0, animate=False)
        self.refresh()

    def show(self, rows: Sequence[Row], sort: Sort | None) -> None:
        """Draws what is different."""
        if sort != self._sort:
            self._sort = sort
            self.refresh()
        self._rows = rows
        self._relist(list(unfolded(rows, self._folded)))

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        widths = laid_out(self._columns, max(0, width - _GUTTER))
        base = self.rich_style
        if y == 0:
            text = " " * _GUTTER + heading(self._columns, widths, self._sort)
            return self._strip(text, base + Style(underline=True), width)
        at = y - 1 + self.scroll_offset.y
        if at >= len(self._lines):
            text = f"  {self._empty}" if y == 1 and not self._lines else ""
            return self._strip(text, base, width)
        row, fold = self._lines[at]
        is_selected = at == self._at
        text = (">" if is_selected else " ") + MARKS[row.level] + line(row, self._columns, widths, fold)
        style = base + STYLES[row.level] + (Style(reverse=True) if is_selected else Style())
        return self._strip(text, style, width)

    def action_move(self, by: int) -> None:
        self._select(self._at + by)

    def action_page(self, by: int) -> None:
        self._select(self._at + by * max(1, self._height - 1))

    def action_edge(self, which: int) -> None:
        self._select(0 if which < 0 else len(self._lines) - 1)

    def action_fold(self) -> None:
        """Or up to what it is in, when there is nothing to fold."""
        row = self.selected
        if row is None:
            return
        if self._lines[self._at][1].startswith("-"):
            self._folded.add(row.key)
            self.show(self._rows, self._sort)
            return
        above = [at for at in range(self._at) if self._lines[at][0].depth < row.depth]
        if above:
            self._select(above[-1])

    def action_unfold(self) -> None:
        row = self.selected
        if row is not None:
            self._folded.discard(row.key)
            self.show(self._rows, self._sort)

    def action_open(self) -> None:
        if self.selected is not None:
            self.post_message(self.Opened(self.selected))

    def on_click(self, event: events.Click) -> None:
        if event.y > 0:
            at = event.y - 1 + self.scroll_offset.y
            if at == self._at and event.chain > 1:
                self.action_open()
            elif at < len(self._lines):
                self._select(at)

    def on_resize(self) -> None:
        self.refresh()

    @property
    def _height(self) -> int:
        """Lines for rows."""
        return max(1, self.scrollable_content_region.height - 1)

    def _relist(self, lines: list[tuple[Row, str]]) -> None:
        old, old_at = self._lines, self._at
        key = old[old_at][0].key if old and self._is_held else None
        self._lines = lines
        at = next((at for at, (row, _) in enumerate(lines) if row.key == key), None) if key is not None else None
        self._at = min(old_at, max(0, len(lines) - 1)) if at is None else at
        if len(old) != len(lines):
            self.virtual_size = Size(1, len(lines) + 1)
        if at is not None and at != old_at:
            self.scroll_to(y=max(0, self.scroll_offset.y + at - old_at), animate=False)
        first = self.scroll_offset.y
        for each in range(first, first + self._height):
            before = old[each] if each < len(old) else None
            after = lines[each] if each < len(lines) else None
            if before != after or (old_at != self._at and each in (old_at, self._at)) or not lines:
                self.refresh_lines(each + 1)

    def _select(self, at: int) -> None:
        at = max(0, min(at, len(self._lines) - 1))
        self._is_held = at > 0
        before, self._at = self._at, at
        top = self.scroll_offset.y
        if at < top:
            self.scroll_to(y=at, animate=False)
        elif at >= top + self._height:
            self.scroll_to(y=at - self._height + 1, animate=False)
        for each in {before, at}:
            self.refresh_lines(each + 1)
        if before != at:
            self.post_message(self.Moved())

    @staticmethod
    def _strip(text: str, style: Style, width: int) -> Strip:
        return Strip([Segment(text, style)]).adjust_cell_length(width, style)
