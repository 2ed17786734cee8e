"""Python in the node's loop, where the node was started with it allowed."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, RichLog, Static

from chatconsole.api import messages as api
from chatconsole.client import ConsoleError
from chatconsole.plain import seconds
from chatconsole.terminal.link import Link
from chatconsole.terminal.table import printable_lines
from chatconsole.terminal.views import words

MOST_LINES = 2000
"""That are kept of what was printed."""


def shown(ran: api.Ran) -> str:
    """What came of it, as text."""
    lines = [ran.output.rstrip("\n")] if ran.output else []
    if ran.cut:
        lines.append("… and more than is allowed")
    if ran.failure is not None:
        lines += words.failure(ran.failure)
    lines.append(f"({seconds(ran.seconds)})")
    return words.text(lines)


class PythonScreen(ModalScreen[None]):
    """A line at a time; the lines before by the arrow keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close"),
        Binding("up", "recall(-1)", "The line before", show=False),
        Binding("down", "recall(1)", "The next line", show=False),
    ]

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link
        self._lines: list[str] = []
        self._at = 0

    def compose(self) -> ComposeResult:
        with Vertical(classes="window"):
            yield Static("Python in the node's loop; await is allowed  (Escape closes)", classes="title", markup=False)
            yield RichLog(id="printed", max_lines=MOST_LINES, wrap=True, markup=False, highlight=False)
            yield Input(placeholder=">>>")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        source = event.value
        if source.strip():
            event.input.value = ""
            self._lines.append(source)
            self._at = len(self._lines)
            self.run_worker(self._run(source), exclusive=True)

    def action_recall(self, by: int) -> None:
        self._at = max(0, min(self._at + by, len(self._lines)))
        self.query_one(Input).value = self._lines[self._at] if self._at < len(self._lines) else ""

    async def _run(self, source: str) -> None:
        printed = self.query_one("#printed", RichLog)
        printed.write(printable_lines(f">>> {source}"))
        try:
            answer = await self._link.ask(lambda number: api.Run(number, source))
        except ConsoleError as error:
            printed.write(printable_lines(str(error)))
            return
        assert isinstance(answer, api.Ran)
        printed.write(printable_lines(shown(answer)))
