"""The retention actor over the in-memory twin."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import trio
from trio.testing import MockClock

from actors.adapters.memory import MemoryChat
from actors.privacy.ports import Taken
from actors.privacy.retention import CLAIM, Retention, RetentionPolicy
from tests.kit.chat import Chat, chat_over

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 86_400.0
POLICY = RetentionPolicy(days=2, interval=600.0, batch=3, pause=1.0, lease=30.0)


class Shelf:
    """A chat whose wall clock goes with Trio's, and two nodes that may delete."""

    def __init__(self, policy: RetentionPolicy = POLICY) -> None:
        self.twin = MemoryChat(lambda: START + timedelta(seconds=trio.current_time()))
        self.chat: Chat = chat_over(self.twin)
        self.told: list[tuple[UUID, int]] = []
        self.nodes = [
            Retention(self.chat.retention, self.chat.claims, policy, uuid4(), self._changed) for _ in range(2)
        ]

    def _changed(self, conversation_id: UUID, rev: int) -> None:
        self.told.append((conversation_id, rev))

    def deleted(self) -> list[int]:
        return [each.figures.deleted for each in self.nodes]

    async def seqs(self, room: UUID) -> list[int]:
        return [each.seq for each in await self.chat.history.oldest(room, after_seq=0, limit=999)]


async def test_what_is_too_old_goes_in_batches_and_live_rooms_are_told(autojump_clock: MockClock) -> None:
    shelf = Shelf()
    ann = await shelf.chat.user()
    rooms = [await shelf.chat.group(ann) for _ in range(2)]
    for room in rooms:
        await shelf.chat.say(room, ann, *["old"] * 7)
    await trio.sleep(DAY)
    await shelf.chat.say(rooms[0], ann, "young")
    await trio.sleep(DAY + 1)
    async with trio.open_nursery() as nursery:
        for node in shelf.nodes:
            nursery.start_soon(node.run)
        await trio.sleep(60)
        assert await shelf.seqs(rooms[0]) == [8]
        assert await shelf.seqs(rooms[1]) == []
        assert sorted(shelf.deleted()) == [0, 14]
        assert sorted(shelf.told) == sorted(
            (room, 7 + extra) for room, n in zip(rooms, (1, 0), strict=True) for extra in range(n + 1, n + 4)
        )
        (worker,) = [each for each in shelf.nodes if each.figures.deleted]
        assert worker.figures.passes == 1
        nursery.cancel_scope.cancel()


async def test_without_days_nothing_is_ever_deleted(autojump_clock: MockClock) -> None:
    shelf = Shelf(RetentionPolicy(days=0))
    ann = await shelf.chat.user()
    room = await shelf.chat.group(ann)
    await shelf.chat.say(room, ann, "old")
    with trio.move_on_after(1000 * DAY):
        await shelf.nodes[0].run()
    assert await shelf.seqs(room) == [1]
    assert shelf.twin.faults.calls["scan"] == 0


async def test_another_node_goes_on_when_one_is_cut_off(autojump_clock: MockClock) -> None:
    shelf = Shelf()
    ann = await shelf.chat.user()
    room = await shelf.chat.group(ann)
    await shelf.chat.say(room, ann, *["old"] * 20)
    await trio.sleep(3 * DAY)
    with trio.move_on_after(3.5):
        await shelf.nodes[0].run()
    assert 0 < shelf.deleted()[0] < 20
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shelf.nodes[1].run)
        await trio.sleep(20)
        assert shelf.deleted()[1] == 0
        await trio.sleep(40)
        assert sum(shelf.deleted()) == 20
        nursery.cancel_scope.cancel()
    assert await shelf.seqs(room) == []


async def test_who_has_lost_the_claim_stops(autojump_clock: MockClock) -> None:
    shelf = Shelf(RetentionPolicy(days=1, batch=1, pause=6.0, lease=9.0))
    ann = await shelf.chat.user()
    room = await shelf.chat.group(ann)
    await shelf.chat.say(room, ann, *["old"] * 20)
    await trio.sleep(3 * DAY)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shelf.nodes[0].run)
        await trio.sleep(1)
        shelf.twin.faults.pause("cut")
        await trio.sleep(30)
        thief = uuid4()
        assert isinstance(await shelf.chat.claims.take(CLAIM, thief, lease=DAY, interval=0.0), Taken)
        shelf.twin.faults.resume("cut")
        await trio.sleep(300)
        assert shelf.deleted()[0] <= 2
        nursery.cancel_scope.cancel()


async def test_an_outage_is_counted_and_made_up_for(autojump_clock: MockClock) -> None:
    shelf = Shelf()
    ann = await shelf.chat.user()
    room = await shelf.chat.group(ann)
    await shelf.chat.say(room, ann, "old")
    await trio.sleep(3 * DAY)
    shelf.twin.faults.fail_next(method="cut")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shelf.nodes[0].run)
        await trio.sleep(1)
        assert (shelf.deleted()[0], shelf.nodes[0].figures.rounds.failed) == (0, 1)
        await trio.sleep(60)
        assert shelf.deleted()[0] == 1
        nursery.cancel_scope.cancel()


async def test_the_age_of_the_oldest_message_that_stays_is_known(autojump_clock: MockClock) -> None:
    shelf = Shelf()
    ann = await shelf.chat.user()
    room = await shelf.chat.group(ann)
    await shelf.chat.say(room, ann, "young")
    await trio.sleep(DAY)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shelf.nodes[0].run)
        await trio.sleep(5)
        oldest = shelf.nodes[0].figures.oldest_age
        nursery.cancel_scope.cancel()
    assert oldest is not None
    assert DAY <= oldest < DAY + 60
