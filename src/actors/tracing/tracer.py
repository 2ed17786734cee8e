"""Keeps the ways of the messages that somebody follows."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final
from uuid import UUID

import trio
from attrs import define, evolve, field, frozen

from actors.bridge.envelope import Traced
from actors.bridge.news import Committed
from actors.conversation.messages import Heard, Post
from actors.runtime.mailbox import Mailbox
from actors.tracing.hops import Hop, Tracing, ids_of_events
from actors.tracing.trace import Leg, Passed, Trace
from chatcore.errors import ChatError
from chatcore.model import Appended, Event, EventKind, NewMessage

ASKED_SECONDS: Final = 10.0
"""How long the way of a message is kept for another node that asked for it."""


@frozen
class Wanted:
    """Which messages: of one conversation, or of one id or `clientMessageId`; with neither all of them."""

    conversation_id: UUID | None = None
    message: str = ""

    def fits(self, conversation_id: UUID, message_id: UUID, client_message_id: str | None) -> bool:
        if self.conversation_id is not None and self.conversation_id != conversation_id:
            return False
        return not self.message or self.message in (str(message_id), client_message_id)


@define(eq=False)
class Follower:
    """Made by `Tracer.follow`. `left` is how many more messages may be begun, None for any number."""

    wanted: Wanted
    left: int | None
    dropped_before: int
    seen: int
    """The last change that was told."""
    mine: set[UUID] = field(factory=lambda: set[UUID]())


class Tracer:
    """Implements `Hops`, in the node's loop. It is `Tracing.by` while somebody here follows, or another node has asked.

    At most `limit` messages are kept: the oldest is forgotten for a new one and counted in `dropped`, finished or not.

    A node that publishes a commit which is followed there marks it with the time; a node that hears of it notes the
    message's way to its own subscribers and sends that back by `report`, so that one console sees all of the way.
    """

    def __init__(self, node_id: UUID, *, limit: int, now: Callable[[], float] = time.time) -> None:
        self.node_id = node_id
        self.report: Callable[[Traced], None] | None = None
        self.dropped = 0
        self._limit = limit
        self._now = now
        self._traces: dict[UUID, Trace] = {}
        self._followers: list[Follower] = []
        self._asked: dict[UUID, Trace] = {}
        self._changes = 0

    # For the console

    def follow(self, wanted: Wanted, count: int | None = None) -> Follower:
        """From now on, until `unfollow`."""
        follower = Follower(wanted, count, self.dropped, self._changes)
        self._followers.append(follower)
        self._switch()
        return follower

    def unfollow(self, follower: Follower) -> None:
        self._followers.remove(follower)
        if not self._followers:
            self._traces = dict(self._asked)
        self._switch()

    def look(self, follower: Follower) -> tuple[list[Trace], int]:
        """Copies of its traces that have come on since `follower.seen`, oldest first, and what that is to be once they
        are told: an answer that is lost on its way is given again.
        """
        changed = [trace for trace in self._traces.values() if trace.change > follower.seen]
        follower.mine &= self._traces.keys()
        found = [
            evolve(trace, legs=[evolve(leg, passed=sorted(leg.passed, key=_when)) for leg in trace.legs])
            for trace in changed
            if trace.message_id in follower.mine
        ]
        return found, self._changes

    def take(self, follower: Follower) -> list[Trace]:
        """As `look`, and they are told by that."""
        found, follower.seen = self.look(follower)
        return found

    # For the bridge

    def heard(self, node_id: UUID, conversation_id: UUID, events: Sequence[Event], told_at: float | None) -> None:
        """A commit of another node; `told_at` when that follows it, or something in it."""
        for event in events:
            message = event.message
            if event.kind is not EventKind.CREATED or message.id in self._traces:
                continue
            followers = self._who_wants(conversation_id, message.id, message.client_message_id)
            if followers or told_at is not None:
                leg = Leg.now(self.node_id, behind=None if told_at is None else self._now() - told_at)
                trace = Trace(conversation_id, message.id, message.client_message_id, None, [leg])
                trace.outcome, trace.seq, trace.rev = "committed", message.seq, event.rev
                if told_at is not None:
                    trace.asked_by, trace.expires = node_id, leg.started + ASKED_SECONDS
                self._keep(trace, followers)
                self._add(trace, Hop.BRIDGE_RECEIVED, leg.started, "")
        self._switch()

    def reported(self, node_id: UUID, traced: Traced) -> None:
        """Another node's leg of a message that is followed here."""
        trace = self._traces.get(traced.message_id)
        if traced.to != self.node_id or trace is None:
            return
        passed = [Passed(Hop(name), after, says) for name, after, says in traced.hops if name in _HOPS]
        trace.legs.append(Leg(node_id, 0.0, traced.began, traced.behind, passed))
        self._changed(trace)

    # The hops

    def begin(self, message: NewMessage, received: float | None = None) -> None:
        followers = self._who_wants(message.conversation_id, message.id, message.client_message_id)
        if followers:
            leg = Leg.now(self.node_id, since=received)
            trace = Trace(message.conversation_id, message.id, message.client_message_id, message.sender_id, [leg])
            self._keep(trace, followers)
            if received is not None:
                self._add(trace, Hop.RECEIVED, leg.started, "")
            self._add(trace, Hop.PARSED, trio.current_time(), "")

    def pass_by(self, ids: Iterable[UUID], hop: Hop, says: str = "", at: float | None = None) -> None:
        now = trio.current_time()
        for message_id in ids:
            trace = self._traces.get(message_id)
            if trace is not None:
                self._add(trace, hop, now if at is None else at, says)
                if hop is Hop.FAN_OUT_LAST and trace.asked_by is not None:
                    self._answer(trace)
        if self._asked:
            self._expire(now)

    def settled(self, messages: Sequence[NewMessage], answer: Sequence[Appended | ChatError] | Exception) -> None:
        outcomes = [answer] * len(messages) if isinstance(answer, Exception) else answer
        for message, outcome in zip(messages, outcomes, strict=True):
            trace = self._traces.get(message.id)
            if trace is None:
                continue
            says = ""
            if isinstance(outcome, Appended):
                trace.outcome = "committed" if outcome.was_new else "repeated"
                trace.seq, trace.rev = outcome.seq, outcome.rev
            else:
                trace.outcome = outcome.code.value if isinstance(outcome, ChatError) else type(outcome).__name__
                says = str(outcome)
            self._add(trace, Hop.SENDER_ANSWERED, trio.current_time(), says)

    def mark(self, events: Sequence[Event]) -> float | None:
        followed = any(each in self._traces and self._traces[each].is_followed for each in ids_of_events(events))
        return self._now() if followed else None

    # Inside

    def _accepted(self, message: object) -> None:
        match message:
            case Post(new):
                self.pass_by((new.id,), Hop.MAILBOX_IN)
            case Heard(Committed(_, events)):
                self.pass_by(ids_of_events(events), Hop.MAILBOX_IN)
            case _:
                pass

    def _who_wants(self, conversation_id: UUID, message_id: UUID, client_message_id: str | None) -> list[Follower]:
        return [
            each
            for each in self._followers
            if each.left != 0 and each.wanted.fits(conversation_id, message_id, client_message_id)
        ]

    def _keep(self, trace: Trace, followers: Sequence[Follower]) -> None:
        for follower in followers:
            follower.mine.add(trace.message_id)
            if follower.left is not None:
                follower.left -= 1
        trace.is_followed = bool(followers)
        if len(self._traces) >= self._limit:
            oldest = next(iter(self._traces))
            self.dropped += 1
            self._asked.pop(oldest, None)
            del self._traces[oldest]
        self._traces[trace.message_id] = trace
        if trace.asked_by is not None:
            self._asked[trace.message_id] = trace

    def _add(self, trace: Trace, hop: Hop, at: float, says: str) -> None:
        trace.legs[0].add(hop, at, says)
        self._changed(trace)

    def _changed(self, trace: Trace) -> None:
        self._changes += 1
        trace.change = self._changes

    def _answer(self, trace: Trace) -> None:
        """Send its way back to who asked."""
        leg, asked_by = trace.legs[0], trace.asked_by
        if self.report is not None and asked_by is not None:
            hops = tuple((each.hop.value, each.after, each.says) for each in sorted(leg.passed, key=_when))
            self.report(Traced(asked_by, trace.message_id, leg.began, leg.behind or 0.0, hops))
        self._forget_asked(trace)

    def _expire(self, now: float) -> None:
        for trace in [each for each in self._asked.values() if each.expires <= now]:
            self._forget_asked(trace)

    def _forget_asked(self, trace: Trace) -> None:
        trace.asked_by = None
        self._asked.pop(trace.message_id, None)
        if not trace.is_followed:
            self._traces.pop(trace.message_id, None)
        self._switch()

    def _switch(self) -> None:
        """On while there is something to note, for this node or another."""
        if self._followers or self._asked:
            Tracing.by, Mailbox.on_accepted = self, self._accepted
        elif Tracing.by is self:
            Tracing.by, Mailbox.on_accepted = None, None


_HOPS: Final = frozenset(hop.value for hop in Hop)


def _when(passed: Passed) -> float:
    return passed.after
