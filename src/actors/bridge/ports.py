"""What the actors of a node know of the other nodes. Nothing here waits: what does not fit is dropped and counted."""

from typing import Protocol
from uuid import UUID

from actors.bridge.news import News
from actors.users.messages import Notify


class Relay(Protocol):
    """The way to the actors of the other nodes.

    What is told is best effort and ordered for each conversation; who must not miss anything compares with the
    database (`Advanced`), which the relay makes it do whenever news may have been lost.
    """

    @property
    def alone(self) -> bool:
        """Nobody would hear what is told, now: there is no other node, or no way to it. So it need not be made."""
        ...

    def follow_conversation(self, conversation_id: UUID) -> None:
        """Hand what the other nodes tell of it to its actor here. An `Advanced` comes once that is in force."""
        ...

    def unfollow_conversation(self, conversation_id: UUID) -> None: ...

    def tell_conversation(self, conversation_id: UUID, news: News) -> None:
        """To the actors of the conversation on the other nodes."""
        ...

    def follow_user(self, user_id: UUID) -> None:
        """Hand the notifications that the other nodes have for the user to the users actor here."""
        ...

    def unfollow_user(self, user_id: UUID) -> None: ...

    def tell_users(self, notify: Notify) -> None:
        """To the connections of these users on the other nodes."""
        ...
