"""Messages on their way through the house."""

from enum import StrEnum

import msgspec


class HopName(StrEnum):
    """Where a message was seen, in the order of its way."""

    RECEIVED = "received"  # the bytes that completed it came from the socket
    PARSED = "parsed"  # the session, or the REST route, knows what is wanted
    MAILBOX_IN = "mailbox-in"  # accepted by the conversation's mailbox
    MAILBOX_OUT = "mailbox-out"  # taken from it by the actor
    EXPRESS = "express"  # the actor waited and nothing else did: past the mailbox, in the sender's task
    STORE_QUEUED = "store-queued"  # waits for the append's connection
    BATCH_SENT = "batch-sent"  # written to the database's socket
    COMMIT_ANSWERED = "commit-answered"  # the database has answered for the batch
    SENDER_ANSWERED = "sender-answered"  # RECEIPT, 201 or the refusal is on its way
    BRIDGE_PUBLISHED = "bridge-published"  # handed to the connection to Redis
    BRIDGE_RECEIVED = "bridge-received"  # another node's news has come
    FAN_OUT_FIRST = "fan-out-first"  # encoded; the first subscriber is next
    FAN_OUT_LAST = "fan-out-last"  # the last subscriber has been served


class Hop(msgspec.Struct, rename="camel", frozen=True):
    """`at` is seconds after the first hop of the same leg. `says` has counts and reasons, and may be empty."""

    name: HopName
    at: float
    says: str


class Leg(msgspec.Struct, rename="camel", frozen=True):
    """One node's part of the way, timed by that node's own monotonic clock.

    Clocks of two nodes are never subtracted but for `behind`: the seconds from the publish on the first node to the
    receipt here, by the wall clocks of both, the difference of which is in it (so it may be negative). None on the
    first node, and where that one was not following. `began` is the first hop, in seconds since 1970 by that node's
    wall clock. `node` is its id on the bridge, `here` that it is the one that is asked.
    """

    node: str
    here: bool
    began: float
    behind: float | None
    hops: list[Hop]


class Trace(msgspec.Struct, rename="camel", frozen=True):
    """One message. `user` is the sender's pseudonym, None where only what came after the commit was seen.

    `outcome` is `open`, `committed`, `repeated` (a `clientMessageId` that was there already) or the errorCode of the
    refusal. `seq` and `rev` are known once it is committed. The first node's leg comes first, if it is known.
    """

    conversation: str
    message: str
    client_message_id: str | None
    user: str | None
    outcome: str
    seq: int | None
    rev: int | None
    legs: list[Leg]
