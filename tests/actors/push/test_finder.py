"""The finder, over messages in memory."""

from collections.abc import Collection, Sequence
from uuid import UUID, uuid4

import trio
import trio.testing
from attrs import define, field

from actors.presence.ports import Seen
from actors.privacy.ports import START, Denied, Taken
from actors.push.finder import FinderPolicy, PushFinder, first_id_of
from actors.push.ports import Device, Found, Fresh, Job, Waiting, Wanted

ROOM, SENDER, JAN, EVA = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)
POLICY = FinderPolicy(interval=1.0, delay=1.0, settle=20.0, lease=10.0)


@define
class _Store:
    """What the finder needs of `PushStore`; everybody has a device. Its clock begins at 1,000."""

    messages: list[Found] = field(factory=list[Found])
    queued: list[Wanted] = field(factory=list[Wanted])
    any_devices: bool = True
    looked_at: int = 0

    async def clock(self) -> tuple[float, bool]:
        return 1000.0 + trio.current_time(), self.any_devices

    async def scan(self, after: UUID, until: UUID | None, *, limit: int) -> list[Found]:
        found = sorted((each for each in self.messages if after < each.id <= (until or each.id)), key=lambda m: m.id)
        return found[:limit]

    async def wanted(self, fresh: Sequence[Fresh]) -> list[Wanted]:
        self.looked_at += len(fresh)
        return [Wanted(user_id, each.conversation_id, each.seq) for each in fresh for user_id in (JAN, EVA)]

    async def queue(self, wanted: Sequence[Wanted], *, delay: float) -> int:
        self.queued += wanted
        return len(wanted)

    async def take(self, *, limit: int, lease: float) -> list[Job]:
        raise AssertionError

    async def sent(self, job: Job, *, delay: float) -> None:
        raise AssertionError

    async def failed(self, job: Job, remaining: Collection[str], *, delay: float | None) -> None:
        raise AssertionError

    async def forget(self, device: Device) -> None:
        raise AssertionError

    async def sweep(self, *, older_than: float) -> None: ...

    async def waiting(self) -> Waiting:
        return Waiting(len(self.queued), 0.0)

    def say(self, seq: int, *, at: float | None = None) -> None:
        """With an id of that time of the store's clock, or of now."""
        made = first_id_of(1000.0 + trio.current_time() if at is None else at)
        self.messages.append(Found(UUID(int=made.int + seq), ROOM, seq, SENDER))


@define
class _Claims:
    holder: UUID | None = None
    position: UUID = START

    async def take(self, name: str, holder: UUID, *, lease: float, interval: float) -> Taken | Denied:
        if self.holder not in (None, holder):
            return Denied(1.0)
        self.holder = holder
        return Taken(self.position)

    async def hold(self, name: str, holder: UUID, position: UUID, *, lease: float) -> bool:
        if self.holder != holder:
            return False
        self.position = position
        return True

    async def finish(self, name: str, holder: UUID) -> None:
        raise AssertionError


@define
class _Presence:
    online: set[UUID] = field(factory=set[UUID])

    async def lookup(self, user_ids: Collection[UUID]) -> dict[UUID, Seen]:
        return {each: Seen(each in self.online, None) for each in user_ids}


def finder(store: _Store, claims: _Claims, presence: _Presence) -> PushFinder:
    return PushFinder(store, claims, presence, POLICY, uuid4())


async def test_a_message_is_queued_within_a_round_for_who_is_offline_and_once(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    store, claims, presence = _Store(), _Claims(), _Presence({EVA})
    nursery.start_soon(finder(store, claims, presence).run)
    await trio.sleep(1.5)
    store.say(1)
    await trio.sleep(1.0)
    assert store.queued == [Wanted(JAN, ROOM, 1)]
    # Who goes offline later was told by his socket.
    presence.online.clear()
    await trio.sleep(60)
    assert store.queued == [Wanted(JAN, ROOM, 1)]


async def test_a_message_that_is_committed_after_a_newer_one_is_not_missed(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    store, claims = _Store(), _Claims()
    nursery.start_soon(finder(store, claims, _Presence({EVA})).run)
    await trio.sleep(30)
    store.say(2)
    await trio.sleep(1.5)
    store.say(1, at=1000.0 + trio.current_time() - 10)
    await trio.sleep(30)
    assert [each.seq for each in store.queued] == [2, 1]


async def test_who_goes_on_after_a_dead_node_begins_where_that_was_sure_of(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    store, claims, presence = _Store(), _Claims(), _Presence({EVA})
    with trio.move_on_after(30):
        await finder(store, claims, presence).run()
    store.say(1)
    await trio.sleep(500)
    claims.holder = None
    nursery.start_soon(finder(store, claims, presence).run)
    await trio.sleep(1)
    assert store.queued == [Wanted(JAN, ROOM, 1)]


async def test_one_node_at_a_time_looks(autojump_clock: trio.testing.MockClock, nursery: trio.Nursery) -> None:
    store, claims, presence = _Store(), _Claims(), _Presence({EVA})
    for _ in range(2):
        nursery.start_soon(finder(store, claims, presence).run)
    await trio.sleep(1.5)
    store.say(1)
    await trio.sleep(30)
    assert store.queued == [Wanted(JAN, ROOM, 1)]


async def test_while_nobody_has_a_device_no_message_is_looked_at(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    store, claims = _Store(any_devices=False), _Claims()
    nursery.start_soon(finder(store, claims, _Presence()).run)
    await trio.sleep(1.5)
    store.say(1)
    await trio.sleep(30)
    assert store.looked_at == 0
    assert first_id_of(1000.0) < claims.position
