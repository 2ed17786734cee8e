"""What a session tells of itself to those who watch the node."""

from typing import Protocol
from uuid import UUID

from attrs import frozen

from chathttp.edge.transport import FrameTransport


@frozen
class SessionFigures:
    """`kept_by` is what keeps the connection alive, `silence_allowed` the seconds in which something must come of it,
    None before CONNECT. `user_id` is None until then, too.
    """

    transport: FrameTransport
    user_id: UUID | None
    subscriptions: int
    sends_in_flight: int
    kept_by: str
    silence_allowed: float | None


class Inspectable(Protocol):
    """A session that runs."""

    def inspect(self) -> SessionFigures: ...
