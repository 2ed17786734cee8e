"""The relay of pushes, over an outbox in memory and a provider that can fail."""

import random
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

import trio
import trio.testing
from attrs import define, field

from actors.push.ports import Device, Found, Fresh, Job, Push, Told, Waiting, Wanted
from actors.push.relay import PushRelay, RelayPolicy

JAN, ROOM = UUID(int=1), UUID(int=2)
PUSH = Push(JAN, ROOM, UUID(int=3), 7, UUID(int=4), "Eva", "Hello", datetime(2026, 1, 1, tzinfo=UTC), 1)
PHONE, TABLET = Device(JAN, "phone", "ios", "a"), Device(JAN, "tablet", "ios", "b")
POLICY = RelayPolicy(interval=1.0, concurrency=2, attempts=4, backoff=2.0, backoff_max=8.0, lease=60.0)


@define
class _Store:
    """What the relay needs of `PushStore`, with one push."""

    push: Push | None = PUSH
    devices: dict[str, Device] = field(factory=lambda: {"phone": PHONE, "tablet": TABLET})
    due_at: float | None = 0.0
    attempts: int = 0
    remaining: Collection[str] | None = None
    ended: list[str] = field(factory=list[str])

    async def take(self, *, limit: int, lease: float) -> list[Job]:
        if self.due_at is None or self.due_at > trio.current_time():
            return []
        self.attempts, self.due_at = self.attempts + 1, trio.current_time() + lease
        chosen = [each for each in self.devices.values() if self.remaining is None or each.id in self.remaining]
        return [Job(JAN, ROOM, 7, self.attempts, self.push, chosen)]

    async def sent(self, job: Job, *, delay: float) -> None:
        self.due_at = None
        self.ended.append("sent")

    async def failed(self, job: Job, remaining: Collection[str], *, delay: float | None) -> None:
        self.remaining = list(remaining)
        self.due_at = None if delay is None else trio.current_time() + delay
        if delay is None:
            self.ended.append("dropped")

    async def forget(self, device: Device) -> None:
        del self.devices[device.id]

    async def clock(self) -> tuple[float, bool]:
        raise AssertionError

    async def scan(self, after: UUID, until: UUID | None, *, limit: int) -> list[Found]:
        raise AssertionError

    async def wanted(self, fresh: Sequence[Fresh]) -> list[Wanted]:
        raise AssertionError

    async def queue(self, wanted: Sequence[Wanted], *, delay: float) -> int:
        raise AssertionError

    async def sweep(self, *, older_than: float) -> None:
        raise AssertionError

    async def waiting(self) -> Waiting:
        raise AssertionError


@define
class _Provider:
    answers: dict[str, Told] = field(factory=dict[str, Told])
    tries: list[tuple[str, float]] = field(factory=list[tuple[str, float]])

    async def send(self, push: Push, device: Device) -> Told:
        self.tries.append((device.id, trio.current_time()))
        return self.answers.get(device.id, Told.SENT)


def relay(store: _Store, provider: _Provider) -> PushRelay:
    return PushRelay(store, provider, POLICY, random.Random(1))


async def test_a_push_goes_to_every_device_once(autojump_clock: trio.testing.MockClock, nursery: trio.Nursery) -> None:
    store, provider = _Store(), _Provider()
    actor = relay(store, provider)
    nursery.start_soon(actor.run)
    await trio.sleep(200)
    assert [device for device, _ in provider.tries] == ["phone", "tablet"]
    assert (store.ended, actor.figures.sent) == (["sent"], 2)


async def test_only_the_devices_that_failed_are_tried_again_with_longer_waits_until_it_is_given_up(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    store, provider = _Store(), _Provider({"tablet": Told.FAILED})
    actor = relay(store, provider)
    nursery.start_soon(actor.run)
    await trio.sleep(200)
    assert [device for device, _ in provider.tries] == ["phone", *(["tablet"] * POLICY.attempts)]
    times = [at for device, at in provider.tries if device == "tablet"]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert all(whole / 2 <= wait <= whole + 1 for wait, whole in zip(waits, (2.0, 4.0, 8.0), strict=True))
    assert (store.ended, actor.figures.failed, actor.figures.dropped) == (["dropped"], POLICY.attempts, 1)


async def test_a_token_that_is_gone_ends_its_device_and_not_the_push(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    store, provider = _Store(), _Provider({"phone": Told.GONE})
    actor = relay(store, provider)
    nursery.start_soon(actor.run)
    await trio.sleep(10)
    assert (list(store.devices), store.ended, actor.figures.gone) == (["tablet"], ["sent"], 1)


async def test_what_has_nothing_to_tell_any_more_is_done_without_a_word(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    store, provider = _Store(push=None), _Provider()
    actor = relay(store, provider)
    nursery.start_soon(actor.run)
    await trio.sleep(10)
    assert (provider.tries, store.ended, actor.figures.void) == ([], ["sent"], 1)
