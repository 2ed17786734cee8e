"""Per-user fan-out of notifications to all connections of a user on this node."""

from collections.abc import Collection
from typing import assert_never
from uuid import UUID

import trio

from actors.runtime.mailbox import Mailbox, MailboxClosed, MailboxFull
from actors.users.messages import Listen, Listener, Notify, Unlisten, UsersMessage


class Users:
    """The users actor.

    Mailbox: `capacity` messages. Full: notifications are dropped and counted in `dropped` (they are best effort), a
    connection that wants to listen is refused as `OVERLOADED`. Owns who listens. Permanent: its supervisor restarts
    it, and the listeners stay, since they belong to the connections. A checkpoint comes after every `slice_size`
    listeners served.
    """

    def __init__(self, capacity: int, slice_size: int = 256) -> None:
        self.mailbox: Mailbox[UsersMessage] = Mailbox("users", capacity)
        self.dropped = 0
        """Notifications that were not told because too much waited."""
        self._slice = slice_size
        self._served = 0
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
        for message in self.mailbox.in_hand:
            # Left by a crash: who came and went must not be forgotten; what crashed it may be a notification.
            if not isinstance(message, Notify):
                await self._handle(message)
        while True:
            for message in await self.mailbox.receive_batch(self._slice):
                await self._handle(message)

    async def _handle(self, message: UsersMessage) -> None:
        match message:
            case Listen(listener):
                if not listener.closed:
                    self._listeners.setdefault(listener.user_id, {})[listener] = None
            case Unlisten(listener):
                self._forget(listener)
            case Notify():
                await self._notify(message)
            case _:
                assert_never(message)

    async def _notify(self, message: Notify) -> None:
        for user_id, body in message.bodies:
            for listener in tuple(self._listeners.get(user_id, ())):
                if listener.closed:
                    self._forget(listener)
                elif not (message.skip_watching and listener.watches(message.conversation_id)):
                    listener.notify(body)
                self._served += 1
                if self._served % self._slice == 0:
                    await trio.lowlevel.checkpoint()

    def _forget(self, listener: Listener) -> None:
        mine = self._listeners.get(listener.user_id)
        if mine is not None:
            mine.pop(listener, None)
            if not mine:
                del self._listeners[listener.user_id]
