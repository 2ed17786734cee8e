"""What a session tells of itself to those who watch the node."""

from collections.abc import Collection, Container, Iterable
from typing import Protocol
from uuid import UUID

from attrs import frozen

from chatcore.errors import ChatError
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


class RunningSession(Inspectable, Protocol):
    """One that may be ended from outside."""

    def end_for(self, user_ids: Container[UUID], error: ChatError, /) -> None:
        """Tell the client why and close, if it is one of theirs."""
        ...


def end_sessions(sessions: Iterable[RunningSession], user_ids: Collection[UUID], error: ChatError) -> None:
    """Of all who run, those of these users."""
    for session in list(sessions):
        session.end_for(user_ids, error)
