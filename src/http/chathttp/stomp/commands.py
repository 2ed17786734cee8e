"""What a client's frames ask the session to do: one closed union of frozen values."""

from typing import TypeAlias

from attrs import field, frozen

from chatcore.errors import ErrorCode
from chathttp.stomp.acks import AckMode
from chathttp.stomp.frame import Version
from chathttp.stomp.heartbeat import HeartbeatIntervals


@frozen
class Connect:
    """`authorization` is the header's whole text, `Bearer …` included. Login and passcode are ignored."""

    version: Version
    heartbeat: HeartbeatIntervals
    authorization: str | None = field(repr=False)
    host: str | None


@frozen
class Send:
    destination: str
    body: bytes
    receipt: str | None


@frozen
class Subscribe:
    """`last_seq` and `last_rev` ask for a replay; a `last_rev` wins."""

    id: str
    destination: str
    ack: AckMode
    last_seq: int | None
    last_rev: int | None
    receipt: str | None


@frozen
class Unsubscribe:
    """The id may be unknown to the session by now: subscriptions also end on the server's side."""

    id: str
    receipt: str | None


@frozen
class Ack:
    """`ack_id` is the `ack` header of the MESSAGE in 1.2 and its `message-id` before.

    `subscription_id` is None for a 1.0 client that does not name it: whichever has this id open is meant. An
    id that nothing has open (any more) moves nothing.
    """

    subscription_id: str | None
    ack_id: str
    receipt: str | None


@frozen
class Nack:
    """As `Ack`; moves nothing and redelivers nothing."""

    subscription_id: str | None
    ack_id: str
    receipt: str | None


@frozen
class Begin:
    receipt: str | None


@frozen
class Abort:
    receipt: str | None


@frozen
class Commit:
    """The held frames run in order, each with its own receipt, and then `receipt` is sent."""

    items: tuple[Send | Ack | Nack, ...]
    receipt: str | None


@frozen
class Disconnect:
    receipt: str | None


@frozen
class Refused:
    """A frame that is understood and refused; the connection stays.

    `subscription` is set for a SUBSCRIBE (answer: ERROR that names it), `destination` for a SEND (answer: the
    errors queue). With neither it was an ACK, NACK, BEGIN, COMMIT or ABORT (answer: ERROR).
    """

    code: ErrorCode
    message: str
    receipt: str | None
    subscription: str | None = None
    destination: str | None = None


Transactional: TypeAlias = Send | Ack | Nack
Command: TypeAlias = (
    Connect | Send | Subscribe | Unsubscribe | Ack | Nack | Begin | Abort | Commit | Disconnect | Refused
)
