"""The WebSockets, the slowest readers first."""

from typing import Final

from chatconsole.api.messages import Section
from chatconsole.api.parts import Socket
from chatconsole.plain import seconds
from chatconsole.terminal.table import Column, Kind, Level, Row, Sort, Target
from chatconsole.terminal.views import words
from chatconsole.terminal.views.spec import Choice, Known, Spec
from chatconsole.terminal.views.top import number

LATE_LOOKS: Final = 3
"""Looks in a row with something in the outbox after which a socket is slow, as the node has it."""


def rows(known: Known, _: Choice) -> list[Row]:
    if known.snapshot is None or known.snapshot.sockets is None:
        return []
    return [_row(each) for each in known.snapshot.sockets.listed]


def is_slow(socket: Socket) -> bool:
    return socket.queued * 2 > socket.limit or socket.late >= LATE_LOOKS


def facts(socket: Socket) -> list[tuple[str, str]]:
    """Everything known of it, by name."""
    return [
        ("socket", socket.id),
        ("peer", socket.peer),
        ("transport", socket.transport),
        ("user", socket.user or "before CONNECT"),
        ("outbox", f"{words.size(socket.queued)} of {words.size(socket.limit)} wait"),
        ("high water", words.size(socket.high_water)),
        ("slow consumer", f"late in {socket.late} looks in a row" if is_slow(socket) else "no"),
        ("dropped", f"{socket.dropped} frames"),
        ("closed", "yes" if socket.closed else "no"),
        ("subscriptions", str(socket.subscriptions)),
        ("sends in flight", str(socket.sends_in_flight)),
        ("heart-beat", socket.heartbeat),
        ("silent for", f"{seconds(socket.silent)} of {seconds(socket.allowed)}"),
    ]


def _row(each: Socket) -> Row:
    level = Level.WARNING if is_slow(each) else Level.DIM if each.closed else Level.PLAIN
    cells = (
        each.id,
        each.user or "before CONNECT",
        words.size(each.queued),
        f"{100 * each.queued // max(1, each.limit)}%",
        words.size(each.high_water),
        str(each.late) if each.late else "",
        str(each.subscriptions),
        str(each.sends_in_flight),
        str(each.dropped),
        f"{seconds(each.silent)}/{seconds(each.allowed)}",
        each.heartbeat,
        each.transport,
    )
    ranks = (
        each.id,
        each.user,
        each.queued,
        each.queued / max(1, each.limit),
        each.high_water,
        each.late,
        each.subscriptions,
        each.sends_in_flight,
        each.dropped,
        each.silent,
        each.heartbeat,
        each.transport,
    )
    target = Target(Kind.SOCKET, each.id)
    return Row(each.id, cells, level, ranks=ranks, target=target)


SPEC: Final = Spec(
    "sockets",
    (Section.SOCKETS,),
    (
        Column("socket", 15, flex=1),
        Column("user", 13, flex=1),
        number("outbox", 8),
        number("full", 4),
        number("most", 8, drop=4),
        number("late", 4),
        number("subs", 4, drop=1),
        number("sends", 5, drop=3),
        number("lost", 4, drop=2),
        number("silent", 15),
        Column("heart-beat", 16, drop=5),
        Column("transport", 16, drop=6),
    ),
    rows,
    "no socket",
    sort=Sort(2, descending=True),
)
