"""Messages on their way, hop by hop."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from chatconsole.api.following import Leg, Trace
from chatconsole.plain import seconds
from chatconsole.terminal.table import Column, Kind, Level, Row, Target
from chatconsole.terminal.views import words
from chatconsole.terminal.views.spec import Choice, Known, Spec

_GOOD: Final = frozenset({"committed", "repeated"})
_BAR: Final = 20
"""Cells for the longest way of a leg."""


def rows(known: Known, _: Choice) -> list[Row]:
    found: list[Row] = []
    for trace in known.followed.traces:
        found += _trace(trace)
    return found


def _trace(trace: Trace) -> Iterator[Row]:
    level = Level.HEADING
    if trace.outcome not in _GOOD:
        level = Level.WARNING if trace.outcome == "open" else Level.BAD
    number = "" if trace.seq is None else f"seq {trace.seq} "
    whole = max((leg.hops[-1].at for leg in trace.legs if leg.hops), default=0.0)
    began = words.clock(trace.legs[0].began) if trace.legs else ""
    says = f"{number}of {trace.conversation}, {trace.user or 'sender unknown'}, {began}"
    target = Target(Kind.CONVERSATION, trace.conversation)
    detail = partial(trace_text, trace)
    cells = (trace.message, seconds(whole), trace.outcome, says)
    yield Row(trace.message, cells, level, target=target, detail=detail)
    for leg in trace.legs:
        yield from _leg(trace, leg)


def _leg(trace: Trace, leg: Leg) -> Iterator[Row]:
    behind = "" if leg.behind is None else f"{seconds(leg.behind)} after the publish"
    key = f"{trace.message}:{leg.node}"
    if len(trace.legs) > 1 or not leg.here:
        yield Row(key, (f"node {leg.node}{' (this one)' if leg.here else ''}", "", "", behind), Level.DIM, 1)
    longest = leg.hops[-1].at if leg.hops else 0.0
    last = 0.0
    for number, hop in enumerate(leg.hops):
        step = hop.at - last
        share = round(_BAR * step / longest) if longest > 0 else 0
        blanks = min(_BAR, round(_BAR * last / longest)) if longest > 0 else 0
        bar = f"{'·' * blanks}{'#' * share}"[:_BAR].ljust(_BAR)
        cells = (hop.name.value, seconds(hop.at), f"+{seconds(step)}" if number else "", f"{bar} {hop.says}")
        yield Row(f"{key}:{number}", cells, depth=2)
        last = hop.at


def trace_text(trace: Trace) -> str:
    lines = [
        f"message {trace.message} of conversation {trace.conversation}",
        f"{trace.outcome}, seq {trace.seq}, rev {trace.rev}, sent by {trace.user or 'unknown'}",
        f"clientMessageId {trace.client_message_id or 'none'}",
    ]
    for leg in trace.legs:
        behind = "" if leg.behind is None else f", {seconds(leg.behind)} after the publish by the wall clocks"
        lines += ["", f"node {leg.node} from {words.clock(leg.began)}{behind}"]
        last = 0.0
        for hop in leg.hops:
            lines.append(f"  {seconds(hop.at):>9}  +{seconds(hop.at - last):>9}  {hop.name.value:<17} {hop.says}")
            last = hop.at
    return words.text(lines)


SPEC: Final = Spec(
    "trace",
    (),
    (
        Column("message, hop", 24, flex=2),
        Column("at", 9, right=True),
        Column("step", 10, right=True),
        Column("says", 30, flex=3),
    ),
    rows,
    "f follows a conversation, one message, or any",
)
