"""What the clients of a run did and saw, and what the database holds afterwards. Times are seconds on one clock."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import attrs


class Resumption(StrEnum):
    """The header by which a subscriber asks for what it missed."""

    SEQ = "last-seq"
    REV = "last-rev"


@attrs.frozen
class Sent:
    """A message as it was first sent, on `node`. The `client_message_id` is unique in the run."""

    client_message_id: str
    conversation: str
    sender: str
    text: str
    node: str
    at: float


@attrs.frozen
class Acked:
    """A RECEIPT or a 201 (200) for a message. `repeated` when it had been sent more than once."""

    client_message_id: str
    message_id: str
    seq: int
    at: float
    repeated: bool = False


@attrs.frozen
class Edited:
    """The one change that a message ever gets: an edit, or a deletion (`text` is None). Not yet `acked`: perhaps."""

    message_id: str
    text: str | None
    at: float
    acked: bool


@attrs.frozen
class Read:
    """A read mark whose setting was acknowledged by a 204."""

    conversation: str
    user: str
    seq: int
    at: float


@attrs.frozen
class Removed:
    """A removal that was acknowledged at `at`; until `at + within` the member may still see what is not numbered."""

    conversation: str
    user: str
    rev: int
    at: float
    within: float


@attrs.frozen
class Connected:
    """A subscription that is in force, asked for from `start` on."""

    node: str
    start: int
    at: float


@attrs.frozen
class Received:
    """One MESSAGE of the conversation's topic: its headers, and of its body what is compared."""

    event: str
    seq: int
    rev: int
    message_id: str
    client_message_id: str | None
    text: str
    at: float
    truncated: bool = False


@attrs.frozen
class MarksSeen:
    """One MESSAGE of the topic `.read`."""

    user: str
    read: int
    delivered: int
    at: float


@attrs.frozen
class TypingSeen:
    """One MESSAGE of the topic `.typing`."""

    user: str
    at: float


@attrs.frozen
class Ended:
    """The connection is over: a WebSocket close code, or why there was none."""

    reason: str
    at: float


Entry = Connected | Received | MarksSeen | TypingSeen | Ended


@attrs.define
class Log:
    """All that one subscriber saw, in its order."""

    name: str
    user: str
    conversation: str
    by: Resumption
    entries: list[Entry] = attrs.field(factory=list[Entry])


@attrs.frozen
class Trouble:
    """An answer that no client should have got; `node` gave it."""

    who: str
    what: str
    node: str
    at: float


@attrs.define
class History:
    """What all clients of a run recorded."""

    sent: dict[str, Sent] = attrs.field(factory=dict[str, Sent])
    acked: list[Acked] = attrs.field(factory=list[Acked])
    edited: dict[str, Edited] = attrs.field(factory=dict[str, Edited])
    """By message id."""
    reads: list[Read] = attrs.field(factory=list[Read])
    removed: list[Removed] = attrs.field(factory=list[Removed])
    logs: list[Log] = attrs.field(factory=list[Log])
    troubles: list[Trouble] = attrs.field(factory=list[Trouble])
    ended: list[tuple[str, Ended]] = attrs.field(factory=list[tuple[str, Ended]])
    """Senders' and subscribers' connections that ended, by the client's name."""


@attrs.frozen
class StoredMessage:
    """A row of `messages`. `text` is None for a tombstone; `timestamp` is in seconds."""

    id: str
    seq: int
    created_rev: int
    rev: int
    sender: str
    client_message_id: str | None
    text: str | None
    timestamp: float


@attrs.frozen
class MarkSample:
    """A user's marks in the database, as they were at `at` or before."""

    user: str
    read: int
    at: float
    delivered: int = 0


@attrs.frozen
class Stored:
    """One conversation as the database has it at the end, and its marks as they were on the way. By user: `marks` of
    what is read, `delivered`.
    """

    conversation: str
    last_seq: int
    rev: int
    messages: Sequence[StoredMessage]
    marks: Mapping[str, int]
    samples: Sequence[MarkSample] = ()
    delivered: Mapping[str, int] = attrs.field(factory=dict[str, int])
