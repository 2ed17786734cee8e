"""The actors, those most behind first; and the conversations that are in use."""

from typing import Final

from chatconsole.api.messages import Section
from chatconsole.api.parts import Actor, Conversation
from chatconsole.plain import seconds
from chatconsole.terminal.table import Column, Kind, Level, Row, Sort, Target
from chatconsole.terminal.views.spec import Choice, Known, Spec

AGED: Final = 1.0
"""Seconds after which a waiting message is a warning, as the node has it."""
BEHIND: Final = 100
"""Revisions behind the database, likewise."""
ACTORS_OF_CONVERSATIONS: Final = "conversations/"


def actor_rows(known: Known, _: Choice) -> list[Row]:
    if known.snapshot is None or known.snapshot.actors is None:
        return []
    return [_actor(each) for each in known.snapshot.actors.listed]


def _actor(each: Actor) -> Row:
    level = Level.PLAIN
    if each.state != "running":
        level = Level.BAD if each.last_error is not None else Level.DIM
    elif each.oldest_age >= AGED or (each.busy_for or 0.0) >= AGED:
        level = Level.WARNING
    cells = (
        each.name,
        each.state,
        f"{each.depth}/{each.capacity}",
        seconds(each.oldest_age) if each.depth else "",
        "" if each.rate is None else f"{each.rate:.3g}",
        seconds(each.p50) if each.p50 is not None else "",
        seconds(each.p99) if each.p99 is not None else "",
        str(each.refused + each.dropped),
        str(each.restarts),
    )
    lost = each.refused + each.dropped
    ranks = (each.name, each.state, each.depth, each.oldest_age, each.rate, each.p50, each.p99, lost, each.restarts)
    return Row(each.name, cells, level, ranks=ranks, target=Target(Kind.ACTOR, each.name))


def conversation_rows(known: Known, _: Choice) -> list[Row]:
    if known.snapshot is None or known.snapshot.conversations is None:
        return []
    return [_conversation(each) for each in known.snapshot.conversations.listed]


def _conversation(each: Conversation) -> Row:
    cells = (
        each.id,
        str(each.seq),
        str(each.rev),
        "?" if each.lag is None else str(each.lag),
        str(each.members),
        str(each.subscribers),
        str(len(each.typists)),
        str(each.read),
        str(each.delivered),
    )
    ranks = (
        each.id,
        each.seq,
        each.rev,
        each.lag,
        each.members,
        each.subscribers,
        len(each.typists),
        each.read,
        each.delivered,
    )
    level = Level.WARNING if (each.lag or 0) > BEHIND else Level.PLAIN
    return Row(each.id, cells, level, ranks=ranks, target=Target(Kind.CONVERSATION, each.id))


def number(title: str, width: int, drop: int = 0) -> Column:
    return Column(title, width, drop=drop, right=True, descending=True)


ACTORS: Final = Spec(
    "top",
    (Section.ACTORS,),
    (
        Column("actor", 22, flex=1, ends=True),
        Column("state", 8, drop=2),
        number("mailbox", 9),
        number("oldest", 8),
        number("msg/s", 7),
        number("p50", 8, drop=3),
        number("p99", 8),
        number("lost", 5, drop=1),
        number("restarts", 9, drop=4),
    ),
    actor_rows,
    "no actor",
    sort=Sort(2, descending=True),
    greps=True,
)

CONVERSATIONS: Final = Spec(
    "rooms",
    (Section.CONVERSATIONS,),
    (
        Column("conversation", 24, flex=1, ends=True),
        number("seq", 8),
        number("rev", 8, drop=3),
        number("behind", 7),
        number("members", 8, drop=2),
        number("subs", 6),
        number("typing", 7, drop=1),
        number("read", 8, drop=4),
        number("delivered", 10, drop=5),
    ),
    conversation_rows,
    "no conversation is in use",
    sort=Sort(5, descending=True),
    greps=True,
)
