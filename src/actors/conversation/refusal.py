"""How a message that will not be handled is answered."""

from actors.conversation.messages import (
    Attach,
    ConversationMessage,
    Detach,
    MarkDelivered,
    Refresh,
)
from chatcore.errors import ChatError


def refuse(message: ConversationMessage, error: ChatError) -> None:
    """Answer `message` with `error`. An attach is told to try again, since its subscription stays in force."""
    match message:
        case Attach():
            message.reply.succeed(False)
        case Detach() | MarkDelivered() | Refresh():
            pass
        case _:
            message.reply.fail(error)
