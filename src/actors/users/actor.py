"""Per-user fan-out of notifications to all connections of a user, on this node and, by the relay, on the others."""

from collections.abc import Collection
from math import inf
from typing import Final, assert_never
from uuid import UUID

import trio

from actors.bridge.alone import Alone
from actors.bridge.ports import Relay
from actors.runtime.mailbox import Mailbox, MailboxClosed, MailboxFull
from actors.users.messages import Listen, Listener, Notify, Unlisten, UsersMessage
from actors.users.newest import Due, Newest

INTERVAL: Final = 1.0
"""Seconds between two notifications of messages for one user and conversation; the clients rely on it."""
_ALONE: Final = Alone()


class Users:
    """The users actor.

    Mailbox: `capacity` messages. Full: notifications are dropped and counted in `dropped` (they are best effort), a
    connection that wants to listen is refused as `OVERLOADED`, and one that ends is found out by its `closed`. Owns who
    listens, whom the relay follows for that, and what each user was told last (of at most `memory` pairs of user and
    conversation). Permanent: its supervisor restarts it, and the listeners stay, since they belong to the connections.
    A checkpoint comes after every `slice_size` listeners served.
    """

    def __init__(self, capacity: int, relay: Relay = _ALONE, *, memory: int = 65_536, slice_size: int = 256) -> None:
        self.mailbox: Mailbox[UsersMessage] = Mailbox("users", capacity)
        self._relay = relay
        self._newest = Newest(INTERVAL, memory)
        self._refused = 0
        self._some_ended = False
        self._slice = slice_size
        self._served = 0
        self._listeners: dict[UUID, dict[Listener, None]] = {}

    @property
    def listening(self) -> Collection[UUID]:
        """The users who have a connection that listens here; a live view, for others to read only."""
        return self._listeners.keys()

    @property
    def dropped(self) -> int:
        """Notifications that were not told because too much waited."""
        return self._refused + self._newest.dropped

    def tell(self, message: UsersMessage) -> None:
        """On this node. Raises `MailboxFull` and `MailboxClosed` for who wants to listen, and for nobody else."""
        try:
            self.mailbox.offer(message)
        except (MailboxFull, MailboxClosed):
            match message:
                case Listen():
                    raise
                case Unlisten():
                    self._some_ended = True
                case Notify():
                    self._refused += len(message.bodies)

    def tell_everywhere(self, notify: Notify) -> None:
        """On this node and on all others; best effort."""
        self.tell(notify)
        self._relay.tell_users(notify)

    async def run(self) -> None:
        for message in self.mailbox.in_hand:
            # Left by a crash: who came and went must not be forgotten; what crashed it may be a notification.
            if not isinstance(message, Notify):
                await self._handle(message)
        while True:
            for message in await self._receive():
                await self._handle(message)
            for due in self._newest.take_due(trio.current_time()):
                await self._tell(due, skip_watching=True)
            if self._some_ended:
                self._some_ended = False
                self._forget_closed()

    async def _receive(self) -> list[UsersMessage]:
        """What waits or comes; nothing when something that was held back is due first."""
        due = self._newest.next_due
        if due == inf:
            return await self.mailbox.receive_batch(self._slice)
        with trio.move_on_at(due):
            return await self.mailbox.receive_batch(self._slice)
        return []

    async def _handle(self, message: UsersMessage) -> None:
        match message:
            case Listen(listener):
                if not listener.closed:
                    self._remember(listener)
            case Unlisten(listener):
                self._forget(listener)
            case Notify(conversation_id, bodies, seq, mention):
                for user_id, body in bodies:
                    if user_id in self._listeners:
                        due = Due(user_id, conversation_id, body)
                        if seq is None or self._newest.offer(due, seq, trio.current_time(), mention=mention):
                            await self._tell(due, skip_watching=seq is not None)
            case _:
                assert_never(message)

    async def _tell(self, due: Due, *, skip_watching: bool) -> None:
        for listener in tuple(self._listeners.get(due.user_id, ())):
            if listener.closed:
                self._forget(listener)
            elif not (skip_watching and listener.watches(due.conversation_id)):
                listener.notify(due.body)
            self._served += 1
            if self._served % self._slice == 0:
                await trio.lowlevel.checkpoint()

    def _remember(self, listener: Listener) -> None:
        mine = self._listeners.get(listener.user_id)
        if mine is None:
            mine = self._listeners[listener.user_id] = {}
            self._relay.follow_user(listener.user_id)
        mine[listener] = None

    def _forget(self, listener: Listener) -> None:
        mine = self._listeners.get(listener.user_id)
        if mine is not None:
            mine.pop(listener, None)
            if not mine:
                del self._listeners[listener.user_id]
                self._relay.unfollow_user(listener.user_id)

    def _forget_closed(self) -> None:
        for mine in list(self._listeners.values()):
            for listener in [each for each in mine if each.closed]:
                self._forget(listener)
