"""What is wrong, and what is no more."""

from functools import partial
from typing import Final

from chatconsole.api.loop import Ended, Loop, Warning
from chatconsole.api.messages import Section
from chatconsole.plain import place, seconds
from chatconsole.terminal.table import Column, Kind, Level, Row, Target
from chatconsole.terminal.views import words
from chatconsole.terminal.views.spec import Choice, Known, Spec

_BAD: Final = frozenset({"loop-blocked", "crash-loop", "near-escalation"})


def warning_rows(known: Known, _: Choice) -> list[Row]:
    snapshot = known.snapshot
    if snapshot is None or snapshot.warnings is None:
        return []
    found: list[Row] = []
    seen: dict[str, int] = {}
    for each in snapshot.warnings:
        key = f"{each.code}:{each.subject}"
        seen[key] = seen.get(key, 0) + 1
        found.append(_warning(f"{key}:{seen[key]}", each, snapshot.loop))
    return found


def _warning(key: str, each: Warning, loop: Loop | None) -> Row:
    level = Level.BAD if each.code in _BAD else Level.WARNING
    target = None
    if each.code == "slow-consumer":
        target = Target(Kind.SOCKET, each.subject.split()[0])
    elif each.code in ("ageing-mailbox", "crash-loop"):
        target = Target(Kind.ACTOR, each.subject)
    elif each.code == "behind-database":
        target = Target(Kind.CONVERSATION, each.subject)
    at = place(each.where) if each.where is not None else ""
    cells = (each.code, each.subject, at, each.says)
    return Row(key, cells, level, target=target, detail=partial(warning_text, each, loop))


def warning_text(each: Warning, loop: Loop | None) -> str:
    """With the stack of the stall that it is about, if it is."""
    lines = [each.code, each.subject, each.says]
    if each.where is not None:
        lines.append(f"at {place(each.where)}")
    if loop is not None:
        stalls = ([loop.blocked] if loop.blocked is not None else []) + loop.stalls
        for stall in stalls:
            if stall.where == each.where and stall.lasted == each.since:
                lines += ["", *words.stall(stall)]
    return words.text(lines)


def ended_rows(known: Known, _: Choice) -> list[Row]:
    snapshot = known.snapshot
    if snapshot is None or snapshot.ended is None:
        return []
    found: list[Row] = []
    seen: dict[str, int] = {}
    for each in reversed(snapshot.ended):
        key = f"{each.at}:{each.name}"
        seen[key] = seen.get(key, 0) + 1
        found.append(_ended(f"{key}:{seen[key]}", each))
    return found[::-1]


def _ended(key: str, each: Ended) -> Row:
    failed = each.failure
    at = "" if failed is None else place(failed.where)
    says = each.why if failed is None else f"{each.why}: {failed.type}: {failed.message}"
    target = Target(Kind.ACTOR, each.name) if each.kind == "actor" else None
    cells = (words.clock(each.at), each.kind, each.name, at, says)
    ranks = (each.at, each.kind, each.name, at, each.why)
    level = Level.PLAIN if failed is None else Level.WARNING
    return Row(key, cells, level, ranks=ranks, target=target, detail=partial(ended_text, each))


def ended_text(each: Ended) -> str:
    lines = [f"{words.clock(each.at)} {each.kind} {each.name}", each.why]
    if each.failure is not None:
        lines += ["", *words.failure(each.failure)]
    return words.text(lines)


def loop_line(loop: Loop) -> str:
    return f"lag {seconds(loop.lag)} p99 {seconds(loop.lag_p99)} max {seconds(loop.lag_max)}"


WARNINGS: Final = Spec(
    "warnings",
    (Section.WARNINGS, Section.LOOP),
    (
        Column("warning", 15),
        Column("subject", 14, flex=2),
        Column("where", 20, flex=3, ends=True),
        Column("says", 20, flex=4),
    ),
    warning_rows,
    "nothing is wrong",
)

ENDED: Final = Spec(
    "dead",
    (Section.ENDED,),
    (
        Column("at", 8, descending=True),
        Column("what", 6, drop=1),
        Column("name", 16, flex=2, ends=True),
        Column("where", 18, flex=2, drop=2, ends=True),
        Column("why", 24, flex=4),
    ),
    ended_rows,
    "nobody died since somebody watches",
)
