"""The relay of a node that has no others beside it."""

from uuid import UUID

from actors.bridge.news import News
from actors.bridge.staleness import Copied
from actors.users.messages import Notify


class Alone:
    """Tells nobody and hears nothing. Implements `Relay`, `PresenceRelay` and `StaleRelay`."""

    @property
    def alone(self) -> bool:
        return True

    def follow_conversation(self, conversation_id: UUID) -> None:
        del conversation_id

    def unfollow_conversation(self, conversation_id: UUID) -> None:
        del conversation_id

    def tell_conversation(self, conversation_id: UUID, news: News) -> None:
        del conversation_id, news

    def follow_user(self, user_id: UUID) -> None:
        del user_id

    def unfollow_user(self, user_id: UUID) -> None:
        del user_id

    def tell_users(self, notify: Notify) -> None:
        del notify

    def tell_stale(self, what: Copied, *keys: UUID) -> None:
        del what, keys

    def follow_presence(self, user_id: UUID) -> None:
        del user_id

    def unfollow_presence(self, user_id: UUID) -> None:
        del user_id

    def tell_presence(self, user_id: UUID, *, online: bool) -> None:
        del user_id, online
