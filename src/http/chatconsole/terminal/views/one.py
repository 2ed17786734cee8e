"""Everything about one actor, conversation or socket."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

from chatconsole.api.messages import Section, Snapshot
from chatconsole.api.parts import Actor, Conversation, Failure
from chatconsole.plain import place, seconds
from chatconsole.terminal.table import Column, Kind, Level, Row, Target
from chatconsole.terminal.views import sockets, words
from chatconsole.terminal.views.events import ended_text
from chatconsole.terminal.views.spec import Choice, Known, Spec
from chatconsole.terminal.views.top import ACTORS_OF_CONVERSATIONS, AGED, BEHIND


def conversation_of(subject: Target) -> str | None:
    """The conversation's id, when it or its actor is meant."""
    if subject.kind is Kind.CONVERSATION:
        return subject.id
    if subject.kind is Kind.ACTOR and subject.id.startswith(ACTORS_OF_CONVERSATIONS):
        return subject.id.removeprefix(ACTORS_OF_CONVERSATIONS)
    return None


def actor_of(subject: Target) -> str | None:
    """The actor's name, when it or its conversation is meant."""
    if subject.kind is Kind.CONVERSATION:
        return ACTORS_OF_CONVERSATIONS + subject.id
    return subject.id if subject.kind is Kind.ACTOR else None


def rows(known: Known, choice: Choice) -> list[Row]:
    snapshot, subject = known.snapshot, choice.subject
    if snapshot is None or subject is None:
        return []
    found = [Row("subject", (subject.kind.value, subject.id), Level.HEADING, target=subject)]
    if subject.kind is Kind.SOCKET:
        found += _socket(snapshot, subject)
        return found
    name, conversation = actor_of(subject), conversation_of(subject)
    actor = next((each for each in _actors(snapshot) if each.name == name), None)
    if actor is None:
        found.append(Row("no actor", ("actor", "not in use here"), Level.DIM))
    else:
        found += _facts("actor", _actor(actor), subject)
        if actor.last_error is not None:
            found.append(_error(actor.last_error))
    room = next((each for each in _conversations(snapshot) if each.id == conversation), None)
    if room is not None:
        found += _facts("conversation", _conversation(room), subject)
    for each in snapshot.ended or []:
        if each.name == name:
            says = f"{words.clock(each.at)} {each.why}"
            key = f"ended:{each.at}"
            found.append(Row(key, ("ended", says), Level.WARNING, detail=partial(ended_text, each)))
    return found


def _actor(actor: Actor) -> Iterator[tuple[str, str, Level]]:
    plain = Level.PLAIN
    yield "state", actor.state, plain if actor.state == "running" else Level.WARNING
    aged = Level.WARNING if actor.oldest_age >= AGED else plain
    yield "mailbox", f"{actor.depth} of {actor.capacity} wait, the oldest for {seconds(actor.oldest_age)}", aged
    yield "when full", actor.full, plain
    yield "refused", str(actor.refused), plain
    yield "dropped", str(actor.dropped), plain
    yield "handled", str(actor.handled), plain
    yield "rate", "-" if actor.rate is None else f"{actor.rate:.3g}/s", plain
    yield "handler", f"p50 {seconds(actor.p50)}, p99 {seconds(actor.p99)}", plain
    busy = Level.WARNING if (actor.busy_for or 0.0) >= AGED else plain
    yield "busy for", seconds(actor.busy_for), busy
    yield "restarts", str(actor.restarts), Level.WARNING if actor.restarts else plain


def _conversation(room: Conversation) -> Iterator[tuple[str, str, Level]]:
    plain = Level.PLAIN
    yield "seq", str(room.seq), plain
    yield "rev", str(room.rev), plain
    behind = Level.WARNING if (room.lag or 0) > BEHIND else plain
    yield "behind database", "unknown" if room.lag is None else f"{room.lag} revisions", behind
    yield "members", str(room.members), plain
    yield "subscribers", str(room.subscribers), plain
    yield "typing", ", ".join(room.typists) or "nobody", plain
    yield "read up to", f"{room.read} by all", plain
    yield "delivered up to", f"{room.delivered} to all", plain
    yield "marks", "some not stored yet" if room.unsaved_marks else "all stored", plain


def _facts(part: str, facts: Iterable[tuple[str, str, Level]], subject: Target) -> Iterator[Row]:
    for name, value, level in facts:
        yield Row(f"{part}:{name}", (name, value), level, target=subject)


def _error(error: Failure) -> Row:
    says = f"{error.type}: {error.message} at {place(error.where)}"
    detail = partial(_error_text, error)
    return Row("error", ("last error", says), Level.BAD, detail=detail)


def _error_text(error: Failure) -> str:
    return words.text(words.failure(error))


def _socket(snapshot: Snapshot, subject: Target) -> Iterator[Row]:
    listed = [] if snapshot.sockets is None else snapshot.sockets.listed
    for socket in listed:
        if socket.id == subject.id:
            for name, value in sockets.facts(socket):
                slow = name == "slow consumer" and sockets.is_slow(socket)
                yield Row(name, (name, value), Level.WARNING if slow else Level.PLAIN, target=subject)
            return
    yield Row("gone", ("socket", "not there (any more)"), Level.DIM)


def _actors(snapshot: Snapshot) -> list[Actor]:
    return [] if snapshot.actors is None else snapshot.actors.listed


def _conversations(snapshot: Snapshot) -> list[Conversation]:
    return [] if snapshot.conversations is None else snapshot.conversations.listed


SPEC: Final = Spec(
    "actor",
    (Section.ACTORS, Section.CONVERSATIONS, Section.SOCKETS, Section.ENDED),
    (Column("what", 16), Column("value", 40, flex=1)),
    rows,
    "pick one: Enter on an actor in top, on a room, a socket, or a warning",
)
