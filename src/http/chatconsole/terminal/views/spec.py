"""What a view is."""

from collections.abc import Callable

from attrs import field, frozen

from chatconsole.api.messages import Section, Snapshot, View
from chatconsole.terminal.board import Board
from chatconsole.terminal.following import Followed
from chatconsole.terminal.table import Column, Row, Sort, Target

LISTED = 500
"""Rows of a section that are asked for."""
WHOLE_FAN = 500
"""Children of a nursery that are asked for when a part of the tree is zoomed into, or searched."""
FAN = 8


@frozen
class Choice:
    """What the user asked of a view: rows with `needle` in them, the part of the tree below `root`, `subject` alone."""

    needle: str = ""
    sort: Sort | None = None
    root: str | None = None
    subject: Target | None = None
    reveal: bool = False


@frozen
class Known:
    """All that a view may draw from."""

    board: Board = field(factory=Board)
    followed: Followed = field(factory=Followed)

    @property
    def snapshot(self) -> Snapshot | None:
        return self.board.now


@frozen
class Spec:
    """A view. `greps`: the node itself looks for what is searched, since it does not list everything. `empty` is said
    when there is nothing to show.
    """

    name: str
    sections: tuple[Section, ...]
    columns: tuple[Column, ...]
    rows: Callable[[Known, Choice], list[Row]]
    empty: str
    sort: Sort | None = None
    greps: bool = False

    def wanted(self, choice: Choice) -> View:
        """What to ask of the node for it."""
        sections = [Section.LOOP, *(each for each in self.sections if each is not Section.LOOP)]
        if Section.TASKS in self.sections:
            whole = bool(choice.root or choice.needle)
            fan, limit = (WHOLE_FAN, 2 * LISTED) if whole else (FAN, LISTED)
            return View(sections, root=choice.root, fan=fan, limit=limit, reveal=choice.reveal)
        grep = choice.needle if self.greps else ""
        if choice.subject is not None:
            grep = choice.subject.id.removeprefix("conversations/")
        return View(sections, limit=LISTED, reveal=choice.reveal, grep=grep)
