"""The destinations a client may subscribe to."""

from typing import Final
from uuid import UUID

from attrs import frozen

from actors.conversation.subscription import Topic

NOTIFICATIONS: Final = "/user/queue/notification"
ERRORS: Final = "/user/queue/errors"
_PREFIX: Final = "/topic/conversation."
_SUFFIXES: Final = {"": Topic.MESSAGES, ".typing": Topic.TYPING, ".read": Topic.READ}
_UUID_LENGTH: Final = 36


@frozen
class ConversationTopic:
    conversation_id: UUID
    topic: Topic


def parse_topic(destination: str) -> ConversationTopic | None:
    """What `/topic/conversation.{id}` and its sisters name; None for anything else, ids in upper case included."""
    if not destination.startswith(_PREFIX):
        return None
    rest = destination[len(_PREFIX) :]
    text, topic = rest[:_UUID_LENGTH], _SUFFIXES.get(rest[_UUID_LENGTH:])
    if topic is None:
        return None
    try:
        conversation_id = UUID(text)
    except ValueError:
        return None
    return ConversationTopic(conversation_id, topic) if str(conversation_id) == text else None
