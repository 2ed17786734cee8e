"""Presence on one node: connections, watching conversations, and a store that may be away."""

from uuid import UUID

import trio
from trio.testing import MockClock

from actors.presence.policy import PresencePolicy
from actors.presence.ports import Seen
from tests.kit.presence import open_presence_town, wall_clock

ROOM, OTHER_ROOM = UUID(int=91), UUID(int=92)
ANN, BOB, EVE = UUID(int=1), UUID(int=2), UUID(int=3)
SOON = 0.5
"""Longer than what comes and goes is gathered."""
GRACE = PresencePolicy().grace + SOON


async def test_a_user_is_online_from_his_first_connection_to_the_end_of_his_last(autojump_clock: MockClock) -> None:
    async with open_presence_town() as town:
        node = town.nodes[0]
        watcher = node.watcher(ROOM)
        node.presence.watch(ROOM, [ANN, BOB])
        await trio.sleep(SOON)
        assert await node.online(ANN, BOB) == [False, False]
        for _ in range(2):
            node.presence.came(ANN)
            await trio.sleep(SOON)
        assert await node.online(ANN, BOB) == [True, False]
        node.presence.left(ANN)
        await trio.sleep(GRACE)
        assert await node.online(ANN) == [True]
        assert watcher.take_told() == [(ANN, True)]
        node.presence.left(ANN)
        left_at = wall_clock()
        await trio.sleep(GRACE)
        (seen,) = (await node.presence.lookup([ANN])).values()
        assert not seen.online
        assert seen.last_seen_at is not None
        assert 0 <= (seen.last_seen_at - left_at).total_seconds() <= SOON
        assert watcher.take_told() == [(ANN, False)]


async def test_who_comes_back_within_the_grace_was_never_away(autojump_clock: MockClock) -> None:
    async with open_presence_town() as town:
        node = town.nodes[0]
        watcher = node.watcher(ROOM)
        node.presence.watch(ROOM, [ANN])
        node.presence.came(ANN)
        await trio.sleep(SOON)
        for pause in (0.0, 0.9, 0.9):
            node.presence.left(ANN)
            await trio.sleep(pause)
            assert await node.online(ANN) == [True]
            node.presence.came(ANN)
            await trio.sleep(SOON)
        await trio.sleep(10)
        assert watcher.told == [(ANN, True)]
        assert node.wire.told == [(ANN, True)]
        assert node.presence.online_here == 1


async def test_who_comes_and_leaves_at_once_was_here_all_the_same(autojump_clock: MockClock) -> None:
    async with open_presence_town() as town:
        node = town.nodes[0]
        watcher = node.watcher(ROOM)
        node.presence.watch(ROOM, [ANN])
        await trio.sleep(SOON)
        for _ in range(2):
            came_at = wall_clock()
            node.presence.came(ANN)
            node.presence.left(ANN)
            await trio.sleep(SOON)
            assert await node.online(ANN) == [True]
            # Once more within the grace: it begins anew.
            node.presence.came(ANN)
            node.presence.left(ANN)
            await trio.sleep(PresencePolicy().grace - SOON / 2)
            assert await node.online(ANN) == [True]
            await trio.sleep(GRACE)
            for seen in ((await node.presence.lookup([ANN]))[ANN], (await town.store.lookup([ANN]))[ANN]):
                assert not seen.online
                assert seen.last_seen_at is not None
                assert SOON <= (seen.last_seen_at - came_at).total_seconds() <= 2 * SOON
            assert watcher.take_told() == [(ANN, True), (ANN, False)]


async def test_a_crowd_is_stored_by_few_calls(autojump_clock: MockClock) -> None:
    async with open_presence_town() as town:
        node = town.nodes[0]
        await trio.sleep(SOON)
        crowd = [UUID(int=1000 + number) for number in range(1200)]
        for user_id in crowd:
            node.presence.came(user_id)
        await trio.sleep(SOON)
        assert all(await node.online(*crowd))
        assert town.store.faults.calls["come"] == 3
        assert all(seen.online for seen in (await town.store.lookup(crowd)).values())


async def test_who_begins_to_watch_is_told_who_is_online_and_of_nobody_twice(autojump_clock: MockClock) -> None:
    async with open_presence_town() as town:
        node = town.nodes[0]
        first, second = node.watcher(ROOM), node.watcher(OTHER_ROOM)
        for user_id in (ANN, BOB):
            node.presence.came(user_id)
        await trio.sleep(SOON)
        node.presence.watch(ROOM, [ANN, EVE])
        await trio.sleep(SOON)
        assert first.take_told() == [(ANN, True)]
        node.presence.watch(ROOM, [ANN, BOB, EVE])
        node.presence.watch(OTHER_ROOM, [BOB])
        await trio.sleep(SOON)
        assert first.take_told() == second.take_told() == [(BOB, True)]
        node.presence.came(EVE)
        await trio.sleep(SOON)
        assert (first.take_told(), second.take_told()) == ([(EVE, True)], [])
        assert node.presence.watched == 3
        assert node.wire.followed == {ANN, BOB, EVE}


async def test_who_is_watched_no_more_is_told_of_no_more_and_not_followed(autojump_clock: MockClock) -> None:
    async with open_presence_town() as town:
        node = town.nodes[0]
        first, second = node.watcher(ROOM), node.watcher(OTHER_ROOM)
        node.presence.watch(ROOM, [ANN, BOB])
        node.presence.watch(OTHER_ROOM, [ANN])
        await trio.sleep(SOON)
        node.presence.watch(ROOM, [BOB])
        await trio.sleep(SOON)
        node.presence.came(ANN)
        await trio.sleep(SOON)
        assert (first.told, second.told) == ([], [(ANN, True)])
        for room in (ROOM, OTHER_ROOM, ROOM):
            node.presence.unwatch(room)
        node.presence.left(ANN)
        node.presence.came(BOB)
        await trio.sleep(GRACE)
        assert (first.told, second.told) == ([], [(ANN, True)])
        assert node.wire.followed == set()
        assert node.presence.watched == 0


async def test_who_stops_watching_and_begins_again_is_told_all_anew(autojump_clock: MockClock) -> None:
    async with open_presence_town() as town:
        node = town.nodes[0]
        watcher = node.watcher(ROOM)
        node.presence.came(ANN)
        node.presence.watch(ROOM, [ANN])
        await trio.sleep(SOON)
        for pause in (0.0, SOON):
            assert watcher.take_told() == [(ANN, True)]
            node.presence.unwatch(ROOM)
            await trio.sleep(pause)
            node.presence.watch(ROOM, [ANN])
            await trio.sleep(SOON)
        assert watcher.take_told() == [(ANN, True)]


async def test_a_conversation_whose_mailbox_is_full_is_told_the_newest_when_it_has_room(
    autojump_clock: MockClock,
) -> None:
    async with open_presence_town() as town:
        node = town.nodes[0]
        full, other = node.watcher(ROOM), node.watcher(OTHER_ROOM)
        full.room = 0
        for room in (ROOM, OTHER_ROOM):
            node.presence.watch(room, [ANN, BOB])
        for user_id in (ANN, BOB):
            node.presence.came(user_id)
        await trio.sleep(SOON)
        node.presence.left(BOB)
        await trio.sleep(5)
        assert sorted(other.told) == [(ANN, True), (BOB, False), (BOB, True)]
        assert full.told == []
        assert node.presence.delayed > 0
        full.room = 1
        await trio.sleep(2)
        full.room = 10
        await trio.sleep(2)
        assert sorted(full.told) == [(ANN, True), (BOB, False)]


async def test_a_conversation_that_has_gone_without_a_word_is_watching_no_more(autojump_clock: MockClock) -> None:
    async with open_presence_town() as town:
        node = town.nodes[0]
        node.presence.watch(ROOM, [ANN])
        await trio.sleep(SOON)
        assert node.presence.watched == 1
        node.presence.came(ANN)
        await trio.sleep(SOON)
        assert node.presence.watched == 0


async def test_without_its_store_a_node_tells_what_it_knows_itself_and_catches_up_later(
    autojump_clock: MockClock,
) -> None:
    async with open_presence_town() as town:
        node = town.nodes[0]
        watcher = node.watcher(ROOM)
        for user_id in (ANN, BOB):
            node.presence.came(user_id)
        node.presence.watch(ROOM, [ANN, BOB, EVE])
        await trio.sleep(SOON)
        assert sorted(watcher.take_told()) == [(ANN, True), (BOB, True)]
        town.store.faults.away = True
        node.presence.left(ANN)
        node.presence.came(EVE)
        await trio.sleep(5)
        assert sorted(watcher.take_told()) == [(ANN, False), (EVE, True)]
        assert await node.presence.lookup([ANN, EVE]) == {ANN: Seen(False, None), EVE: Seen(True, None)}
        town.store.faults.away = False
        await trio.sleep(PresencePolicy().retry + SOON)
        stored = await town.store.lookup([ANN, BOB, EVE])
        assert [stored[user_id].online for user_id in (ANN, BOB, EVE)] == [False, True, True]
        assert watcher.told == []


async def test_a_store_that_has_lost_everything_is_told_all_anew(autojump_clock: MockClock) -> None:
    async with open_presence_town() as town:
        node = town.nodes[0]
        watcher = node.watcher(ROOM)
        node.presence.watch(ROOM, [ANN])
        node.presence.came(ANN)
        await trio.sleep(SOON)
        for told_of_it, wait in ((False, PresencePolicy().lifetime / 3 + SOON), (True, SOON)):
            town.store.lose_all()
            if told_of_it:
                node.presence.restored()
            await trio.sleep(wait)
            assert (await town.store.lookup([ANN]))[ANN].online
        assert watcher.told == [(ANN, True)]


async def test_who_leaves_while_the_store_is_written_to_is_offline_in_the_end(autojump_clock: MockClock) -> None:
    async with open_presence_town(policy=PresencePolicy(grace=0.0)) as town:
        node = town.nodes[0]
        watcher = node.watcher(ROOM)
        node.presence.watch(ROOM, [ANN])
        await trio.sleep(SOON)
        town.store.faults.pause("come")
        node.presence.came(ANN)
        await trio.sleep(SOON)
        node.presence.left(ANN)
        await trio.sleep(SOON)
        town.store.faults.resume("come")
        await trio.sleep(SOON)
        assert not (await town.store.lookup([ANN]))[ANN].online
        assert watcher.told == [(ANN, True), (ANN, False)]


async def test_at_the_end_nobody_is_here(autojump_clock: MockClock) -> None:
    async with open_presence_town(2) as town:
        here, there = town.nodes
        watcher = there.watcher(ROOM)
        there.presence.watch(ROOM, [ANN, BOB])
        for user_id in (ANN, BOB):
            here.presence.came(user_id)
        await trio.sleep(SOON)
        here.presence.left(ANN)
        here.scope.cancel()
        await trio.sleep(SOON)
        assert await there.online(ANN, BOB) == [False, False]
        assert sorted(watcher.told[2:]) == [(ANN, False), (BOB, False)]
