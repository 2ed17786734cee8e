"""How a message that will not be handled is answered."""

from actors.conversation.messages import ConversationMessage, Detach, Refresh
from chatcore.errors import ChatError


def refuse(message: ConversationMessage, error: ChatError) -> None:
    """Answer `message` with `error`, if it wants an answer."""
    match message:
        case Detach() | Refresh():
            pass
        case _:
            message.reply.fail(error)
