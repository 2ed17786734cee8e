"""What lies over the views: a text, a question, a choice, a line to be written."""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from chatconsole.client import ConsoleError
from chatconsole.terminal.table import printable, printable_lines


class TextScreen(ModalScreen[None]):
    """A text to be read. With `again` it can be had anew, by `r`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Close"),
        Binding("r", "again", "Again"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, title: str, text: str, again: Callable[[], Awaitable[str]] | None = None) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._again = again

    def compose(self) -> ComposeResult:
        keys = "Escape closes" + (", r looks again" if self._again is not None else "")
        with Vertical(classes="window"):
            yield Static(f"{printable(self._title)}  ({keys})", classes="title", markup=False)
            with VerticalScroll(id="scroll"):
                yield Static(printable_lines(self._text), id="text", markup=False)

    def on_mount(self) -> None:
        self.query_one("#scroll").focus()

    def action_scroll(self, by: int) -> None:
        self.query_one("#scroll").scroll_relative(y=by, animate=False)

    def action_again(self) -> None:
        if self._again is not None:
            self.run_worker(self._look_again(self._again), exclusive=True)

    async def _look_again(self, again: Callable[[], Awaitable[str]]) -> None:
        try:
            text = await again()
        except ConsoleError as error:
            text = str(error)
        self.query_one("#text", Static).update(printable_lines(text))


class ConfirmScreen(ModalScreen[bool]):
    """Whether to do what the node says it would do; no, unless `y` is pressed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape,q,enter", "answer(False)", "No"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical(classes="window small"):
            yield Static("Confirm", classes="title")
            yield Static(printable_lines(self._question), id="question", markup=False)
            yield Static("y: do it    n, Escape: leave it", markup=False)

    def action_answer(self, is_yes: bool) -> None:
        self.dismiss(is_yes)


class PickScreen(ModalScreen[int | None]):
    """One of several; its index."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Leave"),
        Binding("j", "step(1)", show=False),
        Binding("k", "step(-1)", show=False),
    ]

    def __init__(self, title: str, choices: Sequence[str]) -> None:
        super().__init__()
        self._title = title
        self._choices = choices

    def compose(self) -> ComposeResult:
        with Vertical(classes="window small"):
            yield Static(f"{printable(self._title)}  (Enter takes, Escape leaves)", classes="title", markup=False)
            yield OptionList(*[Option(printable(each)) for each in self._choices], markup=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_index)

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_step(self, by: int) -> None:
        choices = self.query_one(OptionList)
        if by > 0:
            choices.action_cursor_down()
        else:
            choices.action_cursor_up()


class AskScreen(ModalScreen[str | None]):
    """One line, or None when it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave")]

    def __init__(self, question: str, proposed: str = "") -> None:
        super().__init__()
        self._question = question
        self._proposed = proposed

    def compose(self) -> ComposeResult:
        with Vertical(classes="window small"):
            yield Static(printable(self._question), classes="title", markup=False)
            yield Input(self._proposed)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss(None)
