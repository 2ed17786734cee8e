"""The store and the bridge: their state, their counts, and how fast those change."""

from typing import Final

from chatconsole.api.messages import Section
from chatconsole.api.parts import Backend
from chatconsole.plain import seconds
from chatconsole.terminal.table import Column, Level, Row
from chatconsole.terminal.views.spec import Choice, Known, Spec

UP: Final = "up"


def rows(known: Known, _: Choice) -> list[Row]:
    now, before = known.board.now, known.board.before
    if now is None or now.backends is None:
        return []
    earlier: dict[str, Backend] = {}
    elapsed = 0.0
    if before is not None and before.backends is not None and before.backends is not now.backends:
        earlier, elapsed = {each.name: each for each in before.backends}, now.at - before.at
    found: list[Row] = []
    for each in now.backends:
        found.append(_head(each))
        last = earlier.get(each.name)
        for name, value in each.figures.items():
            change = ""
            if last is not None and elapsed > 0 and name in last.figures and value != last.figures[name]:
                change = f"{(value - last.figures[name]) / elapsed:+.3g}"
            found.append(Row(f"{each.name}:{name}", (name, f"{value:g}", change), depth=1))
    return found


def _head(each: Backend) -> Row:
    level = Level.HEADING if each.status == UP else Level.BAD
    trip = f", round trip {seconds(each.round_trip)}" if each.round_trip is not None else ""
    says = f"{each.status} for {seconds(each.since)}{trip}" + (f", {each.error}" if each.error else "")
    return Row(each.name, (each.name, says, ""), level)


SPEC: Final = Spec(
    "stores",
    (Section.BACKENDS,),
    (Column("store or bridge", 20, flex=1), Column("now", 38, flex=2), Column("a second", 10, right=True)),
    rows,
    "nothing yet",
)
