"""Who is online, on all nodes together, and which conversations want to know."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import trio
from attrs import frozen

from actors.conversation.messages import PresenceChanged
from actors.presence.here import Here
from actors.presence.keeper import Keeper
from actors.presence.policy import PresencePolicy
from actors.presence.ports import PresenceRelay, PresenceStore, Seen
from actors.presence.watches import Watches
from actors.runtime.mailbox import MailboxClosed, MailboxFull
from chatcore.errors import ChatError

_ONLINE: Final = Seen(online=True, last_seen_at=None)


@frozen
class _Watch:
    """What a conversation wants now. `anew`: it stopped watching before."""

    user_ids: Collection[UUID]
    anew: bool


class Watcher(Protocol):
    """The actor of a conversation that watches users."""

    def tell(self, message: PresenceChanged) -> None:
        """Raises `MailboxFull` and `MailboxClosed`."""
        ...


class Presence:
    """The presence actor. Implements `PresenceDesk`, `PresenceLookup`, `PresenceWatch` and `PresenceNews`.

    Mailbox: coalescing, so it is never full and refuses nothing. What waits is one number for each user whose
    connections here have changed, the newest wish of each conversation, and the newest word on each user who is
    followed; each of these is bounded by what the node holds anyway. A conversation whose mailbox is full is told again
    a moment later, the newest only. Owns who is here and who watches whom. Permanent: after a restart the connections
    and the watches are still known, and all who are here come anew to the store.
    """

    def __init__(
        self,
        store: PresenceStore,
        relay: PresenceRelay,
        conversation: Callable[[UUID], Watcher | None],
        *,
        new_id: Callable[[], UUID],
        now: Callable[[], datetime],
        policy: PresencePolicy,
    ) -> None:
        self.delayed = 0
        """Changes that a conversation could not be told at once."""
        self._store = store
        self._relay = relay
        self._conversation = conversation
        self._now = now
        self._policy = policy
        self._here = Here(policy.grace)
        self._watches = Watches()
        self._keeper = Keeper(store, relay, self._here, self._watches, self._learn, new_id, now, policy)
        self._connections: dict[UUID, int] = {}
        self._wishes: dict[UUID, _Watch] = {}
        self._news: dict[UUID, bool] = {}
        self._wake = trio.Event()
        self._served = 0

    @property
    def online_here(self) -> int:
        return len(self._here)

    @property
    def watched(self) -> int:
        """Users whom some conversation here watches."""
        return len(self._watches)

    def came(self, user_id: UUID) -> None:
        self._connections[user_id] = self._connections.get(user_id, 0) + 1
        self._wake.set()

    def left(self, user_id: UUID) -> None:
        self._connections[user_id] = self._connections.get(user_id, 0) - 1
        self._wake.set()

    def watch(self, conversation_id: UUID, user_ids: Collection[UUID]) -> None:
        wish = self._wishes.get(conversation_id)
        self._wishes[conversation_id] = _Watch(user_ids, anew=wish is not None and wish.anew)
        self._wake.set()

    def unwatch(self, conversation_id: UUID) -> None:
        self._wishes[conversation_id] = _Watch((), anew=True)
        self._wake.set()

    def heard(self, user_id: UUID, *, online: bool) -> None:
        self._news[user_id] = online
        self._wake.set()

    def doubt(self, user_ids: Collection[UUID]) -> None:
        self._keeper.doubt(user_ids)

    def restored(self) -> None:
        self._keeper.restored()

    async def lookup(self, user_ids: Collection[UUID]) -> dict[UUID, Seen]:
        others = [user_id for user_id in user_ids if user_id not in self._here]
        seen: dict[UUID, Seen] = {}
        if others:
            try:
                seen = await self._store.lookup(others)
            except ChatError:
                seen = {each: Seen(self._watches.knows_online(each), None) for each in others}
        return {user_id: _ONLINE if user_id in self._here else seen[user_id] for user_id in user_ids}

    async def run(self) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keeper.run)
                await self._serve()
        finally:
            with trio.move_on_after(self._policy.close_timeout, shield=True):
                await self._close()

    async def _close(self) -> None:
        await self._take_connections(trio.current_time())
        self._take_gone(float("inf"))
        try:
            await self._keeper.close()
        except ChatError:
            # The store is away; the lease lapses by itself.
            return

    async def _serve(self) -> None:
        retry_at = float("inf")
        while True:
            with trio.move_on_at(min(self._here.next_due, retry_at)):
                await self._wake.wait()
                await trio.sleep(self._policy.gather)
            self._wake = trio.Event()
            now = trio.current_time()
            await self._take_connections(now)
            self._take_gone(now)
            await self._take_wishes()
            await self._take_news()
            await self._tell()
            retry_at = now + self._policy.retry if self._watches.has_untold else float("inf")

    async def _take_connections(self, now: float) -> None:
        at = self._now()
        while self._connections:
            user_id, by = self._connections.popitem()
            if self._here.change(user_id, by, now, at):
                self._keeper.moved(user_id, at)
                self._learn(user_id, online=True)
            await self._pause()

    def _take_gone(self, now: float) -> None:
        for user_id, at in self._here.take_gone(now):
            self._keeper.moved(user_id, at)

    async def _take_wishes(self) -> None:
        while self._wishes:
            conversation_id, wish = self._wishes.popitem()
            await self._watch(conversation_id, wish)

    async def _watch(self, conversation_id: UUID, wish: _Watch) -> None:
        change = self._watches.watch(conversation_id, wish.user_ids, anew=wish.anew)
        for user_id in change.last:
            self._relay.unfollow_presence(user_id)
            await self._pause()
        for user_id in change.first:
            self._relay.follow_presence(user_id)
            if user_id in self._here:
                self._learn(user_id, online=True)
            await self._pause()
        self._keeper.doubt(user_id for user_id in change.first if user_id not in self._here)

    async def _take_news(self) -> None:
        while self._news:
            user_id, online = self._news.popitem()
            if user_id not in self._watches:
                continue
            if online:
                self._keeper.overtaken(user_id)
                self._learn(user_id, online=True)
            else:
                # From another node: he may be on a third one, or here.
                self._keeper.doubt([user_id])
            await self._pause()

    async def _tell(self) -> None:
        for conversation_id in self._watches.untold():
            actor = self._conversation(conversation_id)
            if actor is None:
                # It has gone without a word: it crashed too often.
                await self._watch(conversation_id, _Watch((), anew=True))
            elif not self._tell_one(conversation_id, actor):
                self.delayed += 1
            await self._pause()

    def _tell_one(self, conversation_id: UUID, actor: Watcher) -> bool:
        def tell(user_id: UUID, online: bool) -> bool:
            try:
                actor.tell(PresenceChanged(user_id, online))
            except (MailboxFull, MailboxClosed):
                return False
            return True

        return self._watches.tell(conversation_id, tell)

    def _learn(self, user_id: UUID, online: bool) -> None:
        self._watches.learn(user_id, online=online)
        if self._watches.has_untold:
            self._wake.set()

    async def _pause(self) -> None:
        self._served += 1
        if self._served % self._policy.slice_size == 0:
            await trio.lowlevel.checkpoint()
