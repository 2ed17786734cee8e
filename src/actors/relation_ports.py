"""What users decide about each other and about conversations: blocks, mutes, reports."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from attrs import frozen

from chatcore.model import Message


@frozen
class Report:
    """A message that was reported, with its text as it was then."""

    id: UUID
    message_id: UUID
    conversation_id: UUID
    sender_id: UUID
    text: str
    reporter_id: UUID
    reason: str
    created_at: datetime


class Relations(Protocol):
    """A block silences the blocked in the DIRECT conversation of the two: he may not write, nor open it anew."""

    async def block(self, blocker_id: UUID, blocked_id: UUID, *, max_blocks: int) -> UUID | None:
        """The conversation in which the other was silenced just now, if any.

        Errors: `NOT_FOUND` (no such user), `VALIDATION_ERROR` (himself), `CONFLICT` (more than `max_blocks`).
        """
        ...

    async def unblock(self, blocker_id: UUID, blocked_id: UUID) -> UUID | None:
        """The conversation in which the other may write again, if any."""
        ...

    async def blocked_by(self, blocker_id: UUID) -> Sequence[UUID]:
        """Whom the user has blocked, the latest first."""
        ...

    async def mute(self, conversation_id: UUID, user_id: UUID, until: datetime | None) -> None:
        """No push for the user until then; None ends it. Errors: `NOT_FOUND`, `FORBIDDEN` (not a member)."""
        ...

    async def report(self, report_id: UUID, message: Message, reporter_id: UUID, reason: str) -> tuple[Report, bool]:
        """The report and whether it is new: of one message and user there is one, the first."""
        ...

    async def reports(self, *, before: UUID | None, limit: int) -> Sequence[Report]:
        """The newest first; ids rise with time."""
        ...
