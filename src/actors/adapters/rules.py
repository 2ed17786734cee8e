"""Who may change what: the same decisions for every adapter, made while the conversation's row is locked."""

from collections.abc import Iterable
from uuid import UUID

from chatcore.errors import ChatError, ErrorCode, forbidden, invalid, not_found, silenced
from chatcore.model import ConversationType, Message, NewMessage, Participant, Role
from chatcore.validation import MAX_TEXT, check_client_message_id, check_storable

_NOT_A_MANAGER = "Only an owner or an admin may do this"


def check_body(text: str, client_message_id: str | None = None) -> None:
    """`VALIDATION_ERROR` for what the messages table refuses."""
    if len(text) > MAX_TEXT:
        raise invalid("text", f"must have at most {MAX_TEXT} characters")
    check_storable("text", text)
    check_client_message_id(client_message_id)


def no_attachment() -> ChatError:
    """One answer for what is not there, is another's, is not uploaded or is used: nobody learns which ids exist."""
    return invalid("attachmentIds", "names an attachment that is not uploaded, is not yours or is used already")


def check_unused(unused: int, max_unused: int) -> None:
    """`RATE_LIMITED` when a user has as many attachments as he may that no message bears."""
    if unused >= max_unused:
        raise ChatError(
            ErrorCode.RATE_LIMITED, f"At most {max_unused} attachments may wait for their message", retry_after=60.0
        )


def refusal_of_body(message: NewMessage) -> ChatError | None:
    """What `check_body` raises."""
    try:
        check_body(message.text, message.client_message_id)
    except ChatError as refusal:
        return refusal
    return None


def check_edit(message: Message | None, editor_id: UUID, *, may_write: bool | None) -> Message:
    """The message to edit; `may_write` is None for who is no member, and false for who is silenced.

    Errors: `NOT_FOUND`, `FORBIDDEN` (not a member, not the sender, silenced), `CONFLICT` (deleted).
    """
    message = check_delete(message, editor_id, member=may_write is not None, moderator=False)
    if not may_write:
        raise silenced()
    _check_present(message)
    return message


def check_reaction(message: Message | None, *, may_write: bool | None, present: bool) -> Message:
    """The message to react to; a reaction may be taken back by who may not write, too. `may_write` as for an edit.

    Errors: `NOT_FOUND`, `FORBIDDEN` (not a member, silenced), `CONFLICT` (deleted).
    """
    if message is None:
        raise not_found("The message")
    if may_write is None:
        raise forbidden()
    if present:
        if not may_write:
            raise silenced()
        _check_present(message)
    return message


def check_distinct(emojis: int, max_distinct: int) -> None:
    """`CONFLICT` when a message would bear more than `max_distinct` emojis."""
    if emojis > max_distinct:
        raise ChatError(ErrorCode.CONFLICT, f"A message bears at most {max_distinct} different reactions")


def _check_present(message: Message) -> None:
    if message.deleted_at is not None:
        raise ChatError(ErrorCode.CONFLICT, "The message is deleted")


def check_delete(message: Message | None, user_id: UUID, *, member: bool, moderator: bool) -> Message:
    """The message to delete. Errors: `NOT_FOUND`, `FORBIDDEN`; a moderator is never forbidden."""
    if message is None:
        raise not_found("The message")
    if not moderator:
        if not member:
            raise forbidden()
        if message.sender_id != user_id:
            raise forbidden("You are not the sender of this message")
    return message


def check_add(type_: ConversationType, by: Participant | None) -> None:
    """Errors: `FORBIDDEN` (a stranger, or no owner or admin), `CONFLICT` (DIRECT)."""
    if by is None:
        raise forbidden()
    if type_ is ConversationType.DIRECT:
        raise ChatError(ErrorCode.CONFLICT, "The members of a direct conversation are fixed")
    if not by.role.manages_members:
        raise forbidden(_NOT_A_MANAGER)


def check_size(members: int, max_members: int) -> None:
    """`CONFLICT` when a conversation would have more than `max_members`."""
    if members > max_members:
        raise ChatError(ErrorCode.CONFLICT, f"A group has at most {max_members} members")


def check_remove(type_: ConversationType, by: Participant | None, user: Participant | None) -> Participant:
    """Who is removed. Anyone may leave; an owner is removed by nobody else.

    Errors: `FORBIDDEN`, `CONFLICT` (DIRECT), `NOT_FOUND` (no member).
    """
    if by is None:
        raise forbidden()
    if type_ is ConversationType.DIRECT:
        raise ChatError(ErrorCode.CONFLICT, "The members of a direct conversation are fixed")
    if user is None or by.user_id != user.user_id:
        if not by.role.manages_members:
            raise forbidden(_NOT_A_MANAGER)
        if user is None:
            raise not_found("The participant")
        if user.role is Role.OWNER:
            raise forbidden("An owner cannot be removed")
    return user


def check_role(type_: ConversationType, by: Participant | None, user: Participant | None, role: Role) -> Participant:
    """Whose role changes. Only the owner changes roles; his own he hands on, by making another member the owner.

    Errors: `FORBIDDEN`, `CONFLICT` (DIRECT, or the owner would have none after him), `NOT_FOUND` (no member).
    """
    if by is None:
        raise forbidden()
    if type_ is ConversationType.DIRECT:
        raise ChatError(ErrorCode.CONFLICT, "A direct conversation has no roles")
    if by.role is not Role.OWNER:
        raise forbidden("Only the owner may do this")
    if user is None:
        raise not_found("The participant")
    if user.user_id == by.user_id and role is not Role.OWNER:
        raise ChatError(ErrorCode.CONFLICT, "An owner hands ownership on by making another member the owner")
    return user


def check_end(type_: ConversationType, by: Participant | None, *, administrator: bool) -> None:
    """Who may delete a group: its owner, and an administrator whether he is a member or not.

    Errors: `FORBIDDEN`, `CONFLICT` (DIRECT).
    """
    if by is None and not administrator:
        raise forbidden()
    if type_ is ConversationType.DIRECT:
        raise ChatError(ErrorCode.CONFLICT, "A direct conversation cannot be deleted")
    if not administrator and (by is None or by.role is not Role.OWNER):
        raise forbidden("Only the owner may do this")


def check_blocked(blocker_id: UUID, blocked_id: UUID) -> None:
    """`VALIDATION_ERROR` for who would block himself."""
    if blocker_id == blocked_id:
        raise invalid("userId", "is your own")


def check_blocks(blocks: int, max_blocks: int) -> None:
    """`CONFLICT` when a user would block more than `max_blocks`."""
    if blocks > max_blocks:
        raise ChatError(ErrorCode.CONFLICT, f"You can block at most {max_blocks} users")


def heir(remaining: Iterable[Participant]) -> Participant | None:
    """Who owns a group that its owner leaves: the longest-standing admin, else member."""
    return min(remaining, key=lambda each: (each.role is not Role.ADMIN, each.joined_at, each.user_id), default=None)


def check_details(type_: ConversationType, by: Participant | None, *texts: str | None) -> None:
    """Any member may change a group's name and avatar. Errors: `FORBIDDEN` (a stranger), `CONFLICT` (DIRECT)."""
    for text in texts:
        if text is not None:
            check_storable("name", text)
    if by is None:
        raise forbidden()
    if type_ is ConversationType.DIRECT:
        raise ChatError(ErrorCode.CONFLICT, "A direct conversation has no details of its own")


def pair_of(type_: ConversationType, member_ids: set[UUID]) -> tuple[UUID, UUID] | None:
    """The two users of a DIRECT conversation, the lower id first; None for a GROUP.

    `VALIDATION_ERROR` when a DIRECT conversation would not have exactly two.
    """
    if type_ is ConversationType.GROUP:
        return None
    if len(member_ids) != 2:
        raise invalid("participantIds", "must name exactly one other user")
    low, high = sorted(member_ids)
    return low, high
