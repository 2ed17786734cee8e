"""The destinations a client may subscribe to."""

from functools import lru_cache
from typing import Final
from uuid import UUID

from attrs import frozen

from actors.conversation.subscription import Topic

NOTIFICATIONS: Final = "/user/queue/notification"
ERRORS: Final = "/user/queue/errors"
_PREFIX: Final = "/topic/conversation."
_SUFFIXES: Final = {"": Topic.MESSAGES, ".typing": Topic.TYPING, ".read": Topic.READ, ".presence": Topic.PRESENCE}
_UUID_LENGTH: Final = 36
_MAX_LENGTH: Final = len(_PREFIX) + _UUID_LENGTH + max(map(len, _SUFFIXES))


@frozen
class ConversationTopic:
    conversation_id: UUID
    topic: Topic


def parse_topic(destination: str) -> ConversationTopic | None:
    """What `/topic/conversation.{id}` and its sisters name; None for anything else, ids in upper case included."""
    if not destination.startswith(_PREFIX) or len(destination) > _MAX_LENGTH:
        return None
    return _parse(destination)


@lru_cache(maxsize=4096)
def _parse(destination: str) -> ConversationTopic | None:
    """Mostly one object for the subscribers of a conversation, who come one after another."""
    rest = destination[len(_PREFIX) :]
    text, topic = rest[:_UUID_LENGTH], _SUFFIXES.get(rest[_UUID_LENGTH:])
    if topic is None:
        return None
    try:
        conversation_id = UUID(text)
    except ValueError:
        return None
    return ConversationTopic(conversation_id, topic) if str(conversation_id) == text else None
