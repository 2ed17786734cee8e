"""Keeps the store in step with who is here, and asks it about those who are watched."""

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from uuid import UUID

import trio

from actors.presence.here import Here
from actors.presence.policy import PresencePolicy
from actors.presence.ports import PresenceRelay, PresenceStore
from actors.presence.watches import Watches
from chatcore.errors import ChatError


class Keeper:
    """The presence actor's second task: the only one that waits for the store.

    Owns the lease, who has come or gone and is not stored yet (one entry a user, so bounded by the users), and which
    watched users are to be looked up. What fails stays, and is done when the store is back. `learn` is called for each
    watched user of whom something is found out.
    """

    def __init__(
        self,
        store: PresenceStore,
        relay: PresenceRelay,
        here: Here,
        watches: Watches,
        learn: Callable[[UUID, bool], None],
        new_id: Callable[[], UUID],
        now: Callable[[], datetime],
        policy: PresencePolicy,
    ) -> None:
        self._store = store
        self._relay = relay
        self._here = here
        self._watches = watches
        self._learn = learn
        self._new_id = new_id
        self._now = now
        self._policy = policy
        self._lease: UUID | None = None
        self._former: UUID | None = None
        self._is_good = False
        self._beat_at = 0.0
        self._living: frozenset[UUID] = frozenset()
        self._moved: dict[UUID, datetime] = {}
        self._doubted: dict[UUID, None] = {}
        self._asked: frozenset[UUID] = frozenset()
        self._wake = trio.Event()
        self._back = trio.Event()

    def moved(self, user_id: UUID, at: datetime) -> None:
        """He has come or gone, as `here` has it."""
        self._moved[user_id] = at
        self._wake.set()

    def doubt(self, user_ids: Iterable[UUID]) -> None:
        """Look them up."""
        self._doubted.update(dict.fromkeys(user_ids))
        if self._doubted:
            self._wake.set()

    def overtaken(self, user_id: UUID) -> None:
        """Something is known of him that an answer which is under way may not know yet."""
        if user_id in self._asked:
            self.doubt([user_id])

    def restored(self) -> None:
        """The store was away; perhaps it has forgotten something."""
        self._is_good = False
        self.doubt(self._watches.users)
        self._wake.set()
        self._back.set()

    async def run(self) -> None:
        self._is_good = False
        while True:
            self._wake = trio.Event()
            self._back = trio.Event()
            try:
                await self._step()
            except ChatError:
                # Without the store, what is known here is all that is known.
                for user_id in self._moved:
                    self._learn(user_id, user_id in self._here)
                with trio.move_on_after(self._policy.retry):
                    await self._back.wait()
                continue
            if not (self._moved or self._doubted):
                with trio.move_on_at(self._beat_at):
                    await self._wake.wait()

    async def close(self) -> None:
        """Tell what is untold, and give the lease back: nobody is here any more. Raises `ChatError`."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        while self._moved:
            await self._settle(lease)
        await self._store.close(lease)
        for user_id in self._here:
            self._relay.tell_presence(user_id, online=False)

    async def _step(self) -> None:
        """One call of the store for each thing to be done, so that beats are never late for long."""
        lease = self._lease
        if lease is None or not self._is_good:
            lease = await self._open()
        elif trio.current_time() >= self._beat_at:
            await self._beat(lease)
            return
        await self._settle(lease)
        if self._former is not None and not self._moved:
            await self._store.close(self._former)
            self._former = None
        await self._look_up()

    async def _open(self) -> UUID:
        """A new lease, under which everybody who is here comes anew."""
        lease = self._new_id()
        started = trio.current_time()
        self._is_good = True
        try:
            await self._store.open(lease, self._now())
        except BaseException:
            self._is_good = False
            raise
        self._former, self._lease = self._lease, lease
        # The first beat tells whose end is to be noticed.
        self._beat_at = started
        now = self._now()
        for user_id in self._here:
            self._moved.setdefault(user_id, now)
        return lease

    async def _beat(self, lease: UUID) -> None:
        started = trio.current_time()
        living = await self._store.beat(lease, self._now())
        if living is None:
            self._is_good = False
            return
        self._beat_at = started + self._policy.lifetime / 3
        if not self._living.issubset(living):
            self.doubt(self._watches.users)
        self._living = frozenset(living)

    async def _settle(self, lease: UUID) -> None:
        """Store who has come and gone, and tell the other nodes then: they may look it up."""
        if not self._moved:
            return
        moved = dict(islice(self._moved.items(), self._policy.slice_size))
        for user_id in moved:
            del self._moved[user_id]
        came = [user_id for user_id in moved if user_id in self._here]
        left = {user_id: at for user_id, at in moved.items() if user_id not in self._here}
        try:
            if left:
                await self._store.leave(lease, left)
            if came:
                await self._store.come(lease, came, instead_of=self._former)
        except BaseException:
            for user_id, at in moved.items():
                self._moved.setdefault(user_id, at)
            raise
        for user_id in came:
            self._relay.tell_presence(user_id, online=True)
        for user_id in left:
            self._relay.tell_presence(user_id, online=False)
        self.doubt(user_id for user_id in left if user_id in self._watches)

    async def _look_up(self) -> None:
        user_ids = list(islice(self._doubted, self._policy.slice_size))
        for user_id in user_ids:
            del self._doubted[user_id]
        # Who has moved once more is looked up once that is stored.
        wanted = [each for each in user_ids if each in self._watches and each not in self._moved]
        if not wanted:
            return
        self._asked = frozenset(wanted)
        try:
            seen = await self._store.lookup(wanted)
        except BaseException:
            self._doubted.update(dict.fromkeys(wanted))
            raise
        finally:
            self._asked = frozenset()
        for user_id in wanted:
            self._learn(user_id, user_id in self._here or seen[user_id].online)
