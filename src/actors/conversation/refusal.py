"""How a message that will not be handled is answered."""

from actors.conversation.messages import ConversationMessage, Detach, Heard, Post, PresenceChanged
from actors.tracing.hops import Tracing
from chatcore.errors import ChatError


def refuse(message: ConversationMessage, error: ChatError) -> None:
    """Answer `message` with `error`, if it wants an answer."""
    match message:
        case Detach() | Heard() | PresenceChanged():
            pass
        case _:
            if Tracing.by is not None and isinstance(message, Post):
                Tracing.by.settled([message.message], error)
            message.reply.fail(error)


def has_expired(message: ConversationMessage) -> bool:
    """Whoever sent `message` has given up waiting for its answer."""
    match message:
        case Detach() | Heard() | PresenceChanged():
            return False
        case _:
            return message.reply.expired
