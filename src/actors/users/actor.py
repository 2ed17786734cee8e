"""Per-user fan-out of notifications to all connections of a user on this node."""

from collections.abc import Collection
from typing import assert_never
from uuid import UUID

from actors.runtime.mailbox import Mailbox, MailboxClosed, MailboxFull
from actors.users.messages import Listen, Listener, Notify, Unlisten, UsersMessage


class Users:
    """The users actor.

    Mailbox: `capacity` messages. Full: notifications are dropped and counted in `dropped` (they are best effort), a
    connection that wants to listen is refused as `OVERLOADED`. Owns who listens. Permanent: its supervisor restarts
    it, and the listeners stay, since they belong to the connections.
    """

    def __init__(self, capacity: int) -> None:
        self.mailbox: Mailbox[UsersMessage] = Mailbox("users", capacity)
        self.dropped = 0
        self._listeners: dict[UUID, dict[Listener, None]] = {}

    @property
    def listening(self) -> Collection[UUID]:
        """The users who have a connection that listens here; a live view, for others to read only."""
        return self._listeners.keys()

    def tell(self, message: UsersMessage) -> None:
        """Raises `MailboxFull` and `MailboxClosed` for who wants to listen; a notification is dropped instead."""
        try:
            self.mailbox.offer(message)
        except (MailboxFull, MailboxClosed):
            if not isinstance(message, Notify):
                raise
            self.dropped += len(message.bodies)

    async def run(self) -> None:
        while True:
            for message in await self.mailbox.receive_batch(256):
                self._handle(message)

    def _handle(self, message: UsersMessage) -> None:
        match message:
            case Listen(listener):
                if not listener.closed:
                    self._listeners.setdefault(listener.user_id, {})[listener] = None
            case Unlisten(listener):
                self._forget(listener)
            case Notify():
                self._notify(message)
            case _:
                assert_never(message)

    def _notify(self, message: Notify) -> None:
        for user_id, body in message.bodies:
            for listener in tuple(self._listeners.get(user_id, ())):
                if listener.closed:
                    self._forget(listener)
                elif not (message.skip_watching and listener.watches(message.conversation_id)):
                    listener.notify(body)

    def _forget(self, listener: Listener) -> None:
        mine = self._listeners.get(listener.user_id)
        if mine is not None:
            mine.pop(listener, None)
            if not mine:
                del self._listeners[listener.user_id]
