"""What the user looks at, and what there is to see of it; knows nothing of a terminal."""

from typing import Final

from attrs import define, evolve, field

from chatconsole.api import messages as api
from chatconsole.api.loop import Loop
from chatconsole.api.messages import Section
from chatconsole.beacon import Beacon
from chatconsole.plain import seconds
from chatconsole.terminal.board import Board
from chatconsole.terminal.following import FOLLOWING, Followed, described
from chatconsole.terminal.table import Kind, Row, Sort, Target, matching, ordered
from chatconsole.terminal.views import backends, events, one, sockets, top, trace, tree, words
from chatconsole.terminal.views.spec import Choice, Known, Spec

SPECS: Final = (
    tree.SPEC,
    top.ACTORS,
    top.CONVERSATIONS,
    one.SPEC,
    sockets.SPEC,
    backends.SPEC,
    trace.SPEC,
    events.WARNINGS,
    events.ENDED,
)
"""By their keys 1 to 9."""
VIEW: Final = 1
PULSE: Final = 2
"""Ids of the two watches: what the view shows, and what is always in sight (the loop and the warnings)."""
VIEW_SECONDS: Final = 1.0
PULSE_SECONDS: Final = 2.0
SILENCE: Final = 5.0
"""Seconds without a word after which a node that is connected counts as silent."""
BANNER_CALLS: Final = 5
"""Innermost calls of the stack that blocks the loop."""


@define
class Desk:
    """`heard` is when the node last said something, on the clock that `now` is of elsewhere; `loop` is the newest that
    it told, whichever watch brought it.
    """

    read_only: bool = False
    reveal: bool = False
    name: str = SPECS[0].name
    paused: bool = False
    beacon: Beacon | None = None
    trouble: str = "no node is chosen"
    heard: float = 0.0
    loop: Loop | None = None
    board: Board = field(factory=Board)
    pulse: Board = field(factory=Board)
    followed: Followed = field(factory=Followed)
    choices: dict[str, Choice] = field(factory=lambda: {spec.name: Choice(sort=spec.sort) for spec in SPECS})

    @property
    def spec(self) -> Spec:
        return next(spec for spec in SPECS if spec.name == self.name)

    @property
    def choice(self) -> Choice:
        return evolve(self.choices[self.name], reveal=self.reveal)

    @property
    def is_blocked(self) -> bool:
        """The node's loop does not turn."""
        return self.loop is not None and self.loop.blocked is not None

    @property
    def may_act(self) -> bool:
        return not self.read_only and not self.pulse.is_read_only

    @property
    def may_run(self) -> bool:
        """The node runs Python that is typed here."""
        return self.may_act and self.pulse.now is not None and self.pulse.now.node.repl

    def watches(self) -> list[api.Request]:
        """What is to be asked of the node for it all."""
        pulse = api.Watch(PULSE, api.View([Section.LOOP, Section.WARNINGS], limit=50), PULSE_SECONDS)
        wanted: list[api.Request] = [pulse]
        if not self.paused:
            wanted.append(api.Watch(VIEW, self.spec.wanted(self.choice), VIEW_SECONDS))
        if self.followed.request is not None:
            wanted.append(self.followed.request)
        return wanted

    def take(self, answer: api.Answer, now: float) -> None:
        self.heard = now
        if isinstance(answer, api.Seen) and answer.snapshot.loop is not None:
            self.loop = answer.snapshot.loop
        match answer:
            case api.Seen(id=1, snapshot=snapshot) if not self.paused:
                self.board = self.board.with_snapshot(snapshot)
            case api.Seen(id=2, snapshot=snapshot):
                self.pulse = self.pulse.with_snapshot(snapshot)
            case api.Traces(id=number, traces=traces, dropped=dropped) if number == FOLLOWING:
                self.followed.add(traces, dropped)
            case _:
                pass

    def forget(self) -> None:
        """Another node, or a new start of it."""
        self.board, self.pulse, self.loop = Board(), Board(), None
        self.followed.is_begun = False

    def show(self, name: str) -> None:
        self.name = name

    def search(self, needle: str) -> None:
        self._choose(needle=needle)

    def sort_next(self) -> None:
        """By the next column that can be sorted by."""
        sortable = [index for index, _ in enumerate(self.spec.columns)] if self._is_sortable() else []
        if sortable:
            now = self.choice.sort
            column = sortable[0] if now is None else sortable[(sortable.index(now.column) + 1) % len(sortable)]
            self._choose(sort=Sort(column, self.spec.columns[column].descending))

    def reverse(self) -> None:
        now = self.choice.sort
        if now is not None:
            self._choose(sort=Sort(now.column, not now.descending))

    def zoom(self, root: str | None) -> None:
        self._choose(root=root)

    def pick(self, subject: Target) -> None:
        """Show all about it."""
        self.name = one.SPEC.name
        self._choose(subject=subject)

    def rows(self) -> list[Row]:
        spec, choice = self.spec, self.choice
        rows = spec.rows(Known(self.board, self.followed), choice)
        return ordered(matching(rows, choice.needle), choice.sort)

    def tabs(self) -> str:
        """One line, the view that is shown in brackets."""
        labels = [(f"{number} {spec.name}", spec.name) for number, spec in enumerate(SPECS, 1)]
        return " ".join(f"[{label}]" if name == self.name else label for label, name in labels)

    def headline(self) -> str:
        """Which node, and how it is."""
        parts: list[str] = []
        if self.beacon is not None:
            parts += [self.beacon.serves.removeprefix("http://"), f"pid {self.beacon.pid}"]
        now = self.pulse.now
        parts += [text for text, is_so in self._modes() if is_so]
        if now is not None and now.warnings is not None:
            parts.append(words.counted(len(now.warnings), "warning"))
        if self.loop is not None:
            parts.append("BLOCKED" if self.is_blocked else events.loop_line(self.loop))
        return " | ".join(parts)

    def banner(self, now: float) -> list[str]:
        """What nobody may overlook: nothing, when all is well."""
        lines: list[str] = []
        if self.trouble:
            lines.append(f"!! NOT CONNECTED: {self.trouble}; tries again by itself")
        elif now - self.heard > SILENCE:
            lines.append(f"!! NO ANSWER FOR {now - self.heard:.0f} s: is it stopped, or in one long call of C?")
        blocked = None if self.loop is None else self.loop.blocked
        if blocked is not None:
            lines.append(f"!! THE EVENT LOOP IS BLOCKED for {seconds(blocked.lasted)}: {blocked.task or 'a task'}")
            _, where, *calls = words.stall(blocked)
            lines += [where, *calls[-BANNER_CALLS:]]
        return lines

    def status(self, shown: int) -> str:
        """What of the view is shown, of how much."""
        choice, parts = self.choice, list[str]()
        if self.name == trace.SPEC.name:
            request = self.followed.request
            verb = "follows" if self.followed.is_begun else "asks the node to follow"
            parts.append("follows nothing" if request is None else f"{verb} {described(request)}")
            if self.followed.dropped:
                parts.append(f"{self.followed.dropped} dropped")
        total = self._total()
        parts.append(words.counted(shown, "row") if total is None or total <= shown else f"{shown} of {total}")
        if choice.needle:
            parts.append(f"with {choice.needle!r}")
        if choice.sort is not None:
            parts.append(f"by {self.spec.columns[choice.sort.column].title}")
        if choice.root is not None:
            parts.append(f"below {choice.root} (Z: all)")
        if any(section.value in self.board.stale for section in self.spec.sections) and self.is_blocked:
            parts.append("as before the loop was blocked")
        if self.paused and self.board.now is not None:
            parts.append(f"paused at {words.clock(self.board.now.at)}")
        return ", ".join(parts)

    def conversations(self) -> list[str]:
        """The ids that are known."""
        now = self.board.now
        return [] if now is None or now.conversations is None else [each.id for each in now.conversations.listed]

    def _total(self) -> int | None:
        now = self.board.now
        if now is None:
            return None
        listed = {
            top.ACTORS.name: now.actors,
            top.CONVERSATIONS.name: now.conversations,
            sockets.SPEC.name: now.sockets,
        }
        part = listed.get(self.name)
        return None if part is None else part.total

    def _modes(self) -> list[tuple[str, bool]]:
        is_read_only = self.pulse.now is not None and not self.may_act
        return [("PAUSED", self.paused), ("read-only", is_read_only), ("users shown", self.reveal)]

    def _is_sortable(self) -> bool:
        return any(row.ranks for row in self.rows())

    def _choose(self, **changed: object) -> None:
        self.choices[self.name] = evolve(self.choices[self.name], **changed)


def conversation_of(target: Target | None) -> str | None:
    """The conversation that a row is about, if it is about one."""
    if target is None or target.kind not in (Kind.ACTOR, Kind.CONVERSATION):
        return None
    return one.conversation_of(target)
