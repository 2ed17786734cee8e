"""`stackmentor console` in the terminal: the widgets, and what keys do."""

import asyncio
import time
from collections.abc import Iterable
from typing import ClassVar, Final

from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from chatconsole.api import messages as api
from chatconsole.beacon import Beacon
from chatconsole.terminal import desk as desks
from chatconsole.terminal.desk import SPECS, Desk
from chatconsole.terminal.dialogues import Dialogues
from chatconsole.terminal.link import Link
from chatconsole.terminal.nodes import Nodes
from chatconsole.terminal.row_list import RowList
from chatconsole.terminal.style import CSS
from chatconsole.terminal.table import Kind, printable, printable_lines
from chatconsole.terminal.views.words import clock

TICK: Final = 1.0
"""Seconds between two looks at whether the node is silent."""


class ConsoleApp(App[None]):
    """Looks at one of `nodes` at a time: at `beacon`, or at what the user picks when that is None."""

    TITLE = "stackmentor console"
    CSS = CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        *[Binding(str(number), f"view('{spec.name}')", spec.name, show=False) for number, spec in enumerate(SPECS, 1)],
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("slash", "search", "Search", key_display="/"),
        Binding("escape", "end_search", "End the search", show=False),
        Binding("s", "sort", "Sort"),
        Binding("S", "reverse", "Reverse", show=False),
        Binding("space", "pause", "Pause"),
        Binding("z", "zoom", "Zoom", show=False),
        Binding("Z,backspace", "unzoom", "All again", show=False),
        Binding("t", "stack", "Stack", show=False),
        Binding("o", "subject", "What it is about", show=False),
        Binding("f", "follow", "Follow"),
        Binding("x", "unfollow", "Follow no more", show=False),
        Binding("u", "reveal", "Users' ids", show=False),
        Binding("n", "node", "Node"),
        Binding("a", "act", "Act"),
        Binding("p", "run_python", "Python", show=False),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, nodes: Nodes, beacon: Beacon | None, *, read_only: bool = False, reveal: bool = False) -> None:
        super().__init__()
        self.desk = Desk(read_only=read_only, reveal=reveal)
        self.nodes = nodes
        self.link = Link(self, nodes.take_place_of)
        self._first = beacon
        self._dialogues = Dialogues(self)

    def compose(self) -> ComposeResult:
        yield Static(id="headline", markup=False)
        yield Static(id="tabs", markup=False)
        yield Static(id="banner", markup=False)
        yield RowList(id="rows")
        yield Input(placeholder="search", id="search")
        yield Static(id="preview", markup=False)
        yield Static(id="status", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.desk.heard = time.monotonic()
        self._search.display = False
        self.nodes.remember()
        self.run_worker(self.link.run(), group="link")
        self._turn_to(self.desk.name)
        self.set_interval(TICK, self._draw_frame)
        if self._first is not None:
            self.look_at(self._first)
        else:
            self.action_node()

    def look_at(self, beacon: Beacon) -> None:
        """Another node."""
        self.desk.forget()
        self.desk.beacon, self.desk.trouble = beacon, "connecting"
        self.nodes.remember()
        self.link.switch(beacon)
        self._draw()

    # What the link tells.

    def on_up(self, beacon: Beacon) -> None:
        self.desk.beacon, self.desk.trouble, self.desk.heard = beacon, "", time.monotonic()
        self.nodes.remember()
        self._draw_frame()

    def on_down(self, beacon: Beacon, reason: str) -> None:
        self.desk.trouble = f"process {beacon.pid}: {reason}"
        self.desk.followed.is_begun = False
        self._draw_frame()

    def on_answer(self, answer: api.Answer) -> None:
        could_act = self.desk.may_act
        self.desk.take(answer, time.monotonic())
        if isinstance(answer, api.Refused):
            self.say(answer.message, is_bad=True)
        if could_act != self.desk.may_act:
            self.refresh_bindings()
        self._draw()

    # What keys do.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "act":
            return self.desk.may_act
        if action == "run_python":
            return self.desk.may_run
        return super().check_action(action, parameters)

    def action_view(self, name: str) -> None:
        self._turn_to(name)

    def action_turn(self, by: int) -> None:
        names = [spec.name for spec in SPECS]
        self._turn_to(names[(names.index(self.desk.name) + by) % len(names)])

    def action_help(self) -> None:
        self._dialogues.help()

    def action_search(self) -> None:
        self._search.value = self.desk.choice.needle
        self._search.display = True
        self._search.focus()

    def action_end_search(self) -> None:
        self._search.display = False
        self.rows.focus()
        self.desk.search("")
        self.ask_again()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input is self._search and self._search.display:
            self.desk.search(event.value)
            self.ask_again()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input is self._search:
            self._search.display = False
            self.rows.focus()

    def action_sort(self) -> None:
        self.desk.sort_next()
        self._draw()

    def action_reverse(self) -> None:
        self.desk.reverse()
        self._draw()

    def action_pause(self) -> None:
        self.desk.paused = not self.desk.paused
        self.ask_again()

    def action_zoom(self) -> None:
        row = self.rows.selected
        if row is not None and row.target is not None and row.target.kind in (Kind.TASK, Kind.NURSERY):
            self._zoom(row.target.id)

    def action_unzoom(self) -> None:
        self._zoom(None)

    def action_stack(self) -> None:
        self._dialogues.stack(self.rows.selected)

    def action_subject(self) -> None:
        row = self.rows.selected
        if row is not None and row.target is not None and row.target.kind not in (Kind.TASK, Kind.NURSERY):
            self.desk.pick(row.target)
            self._turn_to(self.desk.name)

    def action_follow(self) -> None:
        self._dialogues.follow(self.rows.selected)

    def action_unfollow(self) -> None:
        self.desk.followed.begin(None)
        self.ask_again()

    def action_reveal(self) -> None:
        self._dialogues.reveal()

    def action_node(self) -> None:
        self._dialogues.pick_node()

    def action_act(self) -> None:
        self._dialogues.act(self.rows.selected)

    def action_run_python(self) -> None:
        self._dialogues.run_python()

    def on_row_list_moved(self) -> None:
        self._draw_preview()

    def on_row_list_opened(self, event: RowList.Opened) -> None:
        """A task's stack; the part below a nursery; the text of what has one; else all about what it stands for."""
        row = event.row
        kind = None if row.target is None else row.target.kind
        if kind is Kind.TASK:
            self.action_stack()
        elif kind is Kind.NURSERY:
            self.action_zoom()
        elif row.detail is not None:
            self._dialogues.read(row.cells[0], row.detail())
        else:
            self.action_subject()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        if screen.is_modal:
            return
        for number, spec in enumerate(SPECS, 1):
            yield SystemCommand(f"View: {spec.name}", f"key {number}", lambda name=spec.name: self._turn_to(name))
        yield SystemCommand("Follow", "messages, hop by hop: key f", self.action_follow)
        yield SystemCommand("Node", "look at another node: key n", self.action_node)
        yield SystemCommand("Pause", "or go on: space", self.action_pause)
        yield SystemCommand("Users", "show their ids, or hide them: key u", self.action_reveal)
        yield SystemCommand("Help", "all keys: key ?", self.action_help)
        if self.desk.may_act:
            for offer in self._dialogues.offers(self.rows.selected):
                yield SystemCommand(
                    f"Action: {offer.label}", "asks before it is done", lambda offer=offer: self._dialogues.begin(offer)
                )
        if self.desk.may_run:
            yield SystemCommand("Python", "run code in the node's loop: key p", self.action_run_python)
        yield SystemCommand("Screenshot", "as SVG, into the working directory", self._save_screenshot)
        yield SystemCommand("Quit", "key q", self.exit)

    # For the dialogues.

    @property
    def rows(self) -> RowList:
        return self.screen_stack[0].query_one(RowList)

    def ask_again(self) -> None:
        """Have the node asked for what the desk wants now."""
        wanted = self.desk.watches()
        for number in {desks.VIEW, desks.PULSE, desks.FOLLOWING} - {request.id for request in wanted}:
            self.link.stop(number)
        for request in wanted:
            if not self.link.stands(request):
                self.link.stand(request)
        self._draw()

    def say(self, text: str, *, is_bad: bool = False) -> None:
        self.notify(printable_lines(text), severity="error" if is_bad else "information", markup=False)

    def _turn_to(self, name: str) -> None:
        self.desk.show(name)
        self.rows.start(self.desk.spec.columns, self.desk.spec.empty)
        if self._search.display:
            self._search.display = False
            self.rows.focus()
        self.ask_again()

    def _zoom(self, root: str | None) -> None:
        self.desk.zoom(root)
        self.ask_again()

    def _save_screenshot(self) -> None:
        name = f"stackmentor-console-{clock(time.time()).replace(':', '')}.svg"
        self.say(f"written to {self.save_screenshot(name, path='.')}")

    @property
    def _search(self) -> Input:
        return self.screen_stack[0].query_one("#search", Input)

    def _draw(self) -> None:
        rows = self.desk.rows()
        self.rows.show(rows, self.desk.choice.sort)
        self._put("status", self.desk.status(len(rows)))
        self._draw_preview()
        self._draw_frame()

    def _draw_preview(self) -> None:
        """The whole of what is selected, which its line may have no room for."""
        row = self.rows.selected
        self._put("preview", "" if row is None else printable("  ".join(filter(None, row.cells))))

    def _draw_frame(self) -> None:
        if not self.screen_stack[0].query("#headline"):
            # The link tells of a node before the screen is composed, or after it is gone.
            return
        self._put("headline", self.desk.headline())
        self._put("tabs", self.desk.tabs())
        lines = self.desk.banner(time.monotonic())
        banner = self.screen_stack[0].query_one("#banner", Static)
        banner.display = bool(lines)
        banner.set_class(bool(lines) and self.desk.is_blocked, "blocked")
        self._put("banner", "\n".join(map(printable, lines)))

    def _put(self, which: str, text: str) -> None:
        """Only when it differs."""
        shown = self.screen_stack[0].query_one(f"#{which}", Static)
        if shown.content != text:
            shown.update(text)


def run(nodes: Nodes, beacon: Beacon | None, *, read_only: bool = False, reveal: bool = False) -> None:
    """Until the user quits."""
    asyncio.run(ConsoleApp(nodes, beacon, read_only=read_only, reveal=reveal).run_async())
