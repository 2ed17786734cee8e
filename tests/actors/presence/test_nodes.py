"""Presence on two nodes over one store."""

from uuid import UUID

import trio
from trio.testing import MockClock

from actors.presence.policy import PresencePolicy
from tests.kit.presence import open_presence_town, wall_clock

ROOM = UUID(int=91)
ANN, BOB = UUID(int=1), UUID(int=2)
SOON = 0.5
GRACE = PresencePolicy().grace + SOON
LIFETIME = PresencePolicy().lifetime


async def test_who_comes_and_leaves_on_one_node_is_told_on_the_other(autojump_clock: MockClock) -> None:
    async with open_presence_town(2) as town:
        here, there = town.nodes
        watcher = there.watcher(ROOM)
        there.presence.watch(ROOM, [ANN, BOB])
        await trio.sleep(SOON)
        here.presence.came(ANN)
        await trio.sleep(SOON)
        assert watcher.take_told() == [(ANN, True)]
        assert await there.online(ANN, BOB) == [True, False]
        here.presence.left(ANN)
        await trio.sleep(GRACE)
        assert watcher.take_told() == [(ANN, False)]
        assert await there.online(ANN) == [False]


async def test_who_was_online_elsewhere_before_he_was_watched_is_found(autojump_clock: MockClock) -> None:
    async with open_presence_town(2) as town:
        here, there = town.nodes
        here.presence.came(ANN)
        await trio.sleep(SOON)
        watcher = there.watcher(ROOM)
        there.presence.watch(ROOM, [ANN, BOB])
        await trio.sleep(SOON)
        assert watcher.told == [(ANN, True)]


async def test_who_moves_from_one_node_to_the_other_stays_online(autojump_clock: MockClock) -> None:
    async with open_presence_town(3) as town:
        here, there, watching = town.nodes
        watchers = [node.watcher(ROOM) for node in town.nodes]
        for node in town.nodes:
            node.presence.watch(ROOM, [ANN])
        here.presence.came(ANN)
        await trio.sleep(SOON)
        there.presence.came(ANN)
        here.presence.left(ANN)
        await trio.sleep(5)
        assert [watcher.told for watcher in watchers] == [[(ANN, True)]] * 3
        assert await watching.online(ANN) == [True]


async def test_a_killed_node_takes_its_users_offline_within_the_lifetime_and_watchers_are_told(
    autojump_clock: MockClock,
) -> None:
    async with open_presence_town(2) as town:
        here, there = town.nodes
        watcher = there.watcher(ROOM)
        there.presence.watch(ROOM, [ANN, BOB])
        for node, user_id in ((here, ANN), (here, BOB), (there, BOB)):
            node.presence.came(user_id)
        await trio.sleep(10)
        killed_at = wall_clock()
        town.kill(here)
        await trio.sleep(LIFETIME)
        assert await there.online(ANN, BOB) == [False, True]
        seen = (await there.presence.lookup([ANN]))[ANN]
        assert seen.last_seen_at is not None
        assert 0 <= (killed_at - seen.last_seen_at).total_seconds() <= LIFETIME / 3
        await trio.sleep(LIFETIME / 3)
        assert sorted(watcher.told[:2]) == [(ANN, True), (BOB, True)]
        assert watcher.told[2:] == [(ANN, False)]


async def test_what_was_told_while_the_way_was_cut_is_found_once_it_is_back(autojump_clock: MockClock) -> None:
    async with open_presence_town(2) as town:
        here, there = town.nodes
        watcher = there.watcher(ROOM)
        there.presence.watch(ROOM, [ANN, BOB])
        here.presence.came(ANN)
        await trio.sleep(SOON)
        here.wire.cut = True
        here.presence.left(ANN)
        here.presence.came(BOB)
        await trio.sleep(GRACE)
        assert watcher.take_told() == [(ANN, True)]
        here.wire.cut = False
        there.presence.restored()
        await trio.sleep(SOON)
        assert sorted(watcher.told) == [(ANN, False), (BOB, True)]


async def test_nobody_seems_to_leave_when_the_store_comes_back_empty(autojump_clock: MockClock) -> None:
    async with open_presence_town(2) as town:
        here, there = town.nodes
        watcher = there.watcher(ROOM)
        there.presence.watch(ROOM, [ANN])
        here.presence.came(ANN)
        await trio.sleep(SOON)
        town.store.lose_all()
        here.presence.restored()
        await trio.sleep(SOON)
        there.presence.restored()
        await trio.sleep(LIFETIME)
        assert watcher.told == [(ANN, True)]
        assert await there.online(ANN) == [True]


async def test_an_answer_that_was_under_way_does_not_undo_what_was_heard_meanwhile(autojump_clock: MockClock) -> None:
    async with open_presence_town(2) as town:
        here, there = town.nodes
        watcher = there.watcher(ROOM)
        there.presence.watch(ROOM, [BOB])
        await trio.sleep(SOON)
        town.store.answers = trio.Event()
        there.presence.watch(ROOM, [ANN, BOB])
        await trio.sleep(SOON)
        here.presence.came(ANN)
        await trio.sleep(SOON)
        assert watcher.told == [(ANN, True)]
        town.store.answers.set()
        await trio.sleep(SOON)
        assert await there.online(ANN) == [True]
        assert watcher.told[-1] == (ANN, True)
