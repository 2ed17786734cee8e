"""How a message that will not be handled is answered."""

from actors.conversation.messages import ConversationMessage, Detach, Heard, PresenceChanged
from chatcore.errors import ChatError


def refuse(message: ConversationMessage, error: ChatError) -> None:
    """Answer `message` with `error`, if it wants an answer."""
    match message:
        case Detach() | Heard() | PresenceChanged():
            pass
        case _:
            message.reply.fail(error)


def has_expired(message: ConversationMessage) -> bool:
    """Whoever sent `message` has given up waiting for its answer."""
    match message:
        case Detach() | Heard() | PresenceChanged():
            return False
        case _:
            return message.reply.expired
