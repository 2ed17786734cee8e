"""The sweep finds what the bridge has lost, and how soon."""

from collections.abc import Callable
from uuid import UUID

import trio
from msgspec import msgpack
from trio.testing import MockClock

from actors.bridge.actor import BridgePolicy
from actors.bridge.broker import Received
from actors.bridge.channels import NODES
from actors.bridge.envelope import VERSION
from actors.bridge.news import DELETED_REV, Advanced, MarksStored
from actors.bridge.sweeper import SweepPolicy
from actors.conversation.messages import Heard
from tests.actors.bridge.nodes import OTHER_ROOM, ROOM, Nodes, advanced, commit, open_nodes

CHANNEL = f"conversation.{ROOM}"


async def seconds_until(condition: Callable[[], bool]) -> float:
    start = trio.current_time()
    with trio.fail_after(60):
        while not condition():  # noqa: ASYNC110  # the clock jumps
            await trio.sleep(0.01)
    return trio.current_time() - start


async def with_room(nodes: Nodes, rev: int = 1) -> None:
    """`ROOM`, on all nodes, at `rev`."""
    nodes.figures.rev[ROOM] = rev
    for node in nodes.nodes:
        node.rooms.open(ROOM)
        node.bridge.follow_conversation(ROOM)
    await trio.sleep(0.1)
    for node in nodes.nodes:
        assert node.rooms.heard() == advanced(rev)


async def test_once_its_channel_is_in_force_a_conversation_is_told_at_once_and_many_by_one_statement(
    autojump_clock: MockClock,
) -> None:
    async with open_nodes(1) as nodes:
        rooms = [UUID(int=1000 + number) for number in range(50)]
        for number, room in enumerate(rooms):
            nodes.figures.rev[room] = number
            nodes[0].rooms.open(room)
            nodes[0].bridge.follow_conversation(room)
        await trio.sleep(0.05)
        assert [nodes[0].rooms.heard(room) for room in rooms] == [advanced(number) for number in range(50)]
        assert [len(ids) for _, ids in nodes.figures.asked] == [50]


async def test_while_nodes_of_another_version_serve_the_sweep_is_as_quick_as_while_it_is_away(
    autojump_clock: MockClock,
) -> None:
    async with open_nodes(1) as nodes:
        await with_room(nodes)
        for _ in range(20):
            nodes.hub.deliver(Received(NODES, msgpack.encode([VERSION + 1, "whatever"])))
            await trio.sleep(0.5)
        nodes.figures.rev[ROOM] = 2
        nodes.hub.deliver(Received(NODES, msgpack.encode([VERSION + 1, "whatever"])))
        there = nodes[0].rooms
        assert await seconds_until(lambda: there.mailboxes[ROOM].depth > 0) < 1.1
        assert there.heard() == advanced(2)
        # They have gone, and so has the hurry.
        await trio.sleep(5)
        asked = len(nodes.figures.asked)
        await trio.sleep(20)
        assert len(nodes.figures.asked) == asked + 2


async def test_what_no_message_told_of_is_found_by_the_next_sweep(autojump_clock: MockClock) -> None:
    async with open_nodes(2) as nodes:
        await with_room(nodes)
        nodes.hub.lose.add(CHANNEL)
        nodes[0].bridge.tell_conversation(ROOM, commit(2))
        nodes.figures.rev[ROOM] = 2
        there = nodes[1].rooms
        assert 5 < await seconds_until(lambda: there.mailboxes[ROOM].depth > 0) < 10.1
        assert there.heard() == advanced(2)


async def test_a_conversation_that_stands_still_is_told_nothing(autojump_clock: MockClock) -> None:
    async with open_nodes(1) as nodes:
        await with_room(nodes)
        await trio.sleep(60)
        assert nodes[0].rooms.heard() == []
        assert 5 <= nodes[0].bridge.figures().sweeps <= 7


async def test_while_it_is_away_the_sweep_comes_each_second(autojump_clock: MockClock) -> None:
    async with open_nodes(2) as nodes:
        await with_room(nodes)
        nodes[1].broker.go_away()
        await trio.sleep(5.5)
        for rev in (2, 3, 4):
            nodes.figures.rev[ROOM] = rev
            assert await seconds_until(lambda: nodes[1].rooms.mailboxes[ROOM].depth > 0) <= 1.1
            assert nodes[1].rooms.heard() == advanced(rev)


async def test_while_another_node_is_cut_off_the_sweep_comes_each_second_here_too(autojump_clock: MockClock) -> None:
    async with open_nodes(2) as nodes:
        await with_room(nodes)
        await trio.sleep(2)
        nodes[0].broker.go_away()
        nodes[0].bridge.tell_conversation(ROOM, commit(2))
        nodes.figures.rev[ROOM] = 2
        assert await seconds_until(lambda: nodes[1].rooms.mailboxes[ROOM].depth > 0) <= 3.0
        assert nodes[1].rooms.heard() == advanced(2)
        nodes.figures.rev[ROOM] = 3
        assert await seconds_until(lambda: nodes[1].rooms.mailboxes[ROOM].depth > 0) <= 1.1
        nodes[0].broker.come_back()
        await trio.sleep(2)
        before = nodes[1].bridge.figures().sweeps
        await trio.sleep(5)
        assert nodes[1].bridge.figures().sweeps <= before + 1


async def test_after_an_absence_what_is_followed_is_compared_at_once(autojump_clock: MockClock) -> None:
    async with open_nodes(1, BridgePolicy(sweep=SweepPolicy(1000, 1000))) as nodes:
        await with_room(nodes)
        nodes[0].broker.go_away()
        nodes.figures.rev[ROOM] = 2
        await trio.sleep(3)
        assert nodes[0].rooms.heard() == []
        nodes[0].broker.come_back()
        assert await seconds_until(lambda: nodes[0].rooms.mailboxes[ROOM].depth > 0) < 0.1
        assert nodes[0].rooms.heard() == advanced(2)


async def test_pages_are_of_the_size_that_is_set(autojump_clock: MockClock) -> None:
    async with open_nodes(1, BridgePolicy(sweep=SweepPolicy(page=2))) as nodes:
        for number in range(5):
            nodes[0].rooms.open(UUID(int=number))
        await trio.sleep(10.5)
        assert [len(ids) for _, ids in nodes.figures.asked] == [2, 2, 1]


async def test_while_the_database_is_away_it_is_asked_again_and_nothing_followed_is_forgotten(
    autojump_clock: MockClock,
) -> None:
    async with open_nodes(1) as nodes:
        nodes.figures.is_away = True
        nodes.figures.rev[ROOM] = 7
        nodes[0].rooms.open(ROOM)
        nodes[0].bridge.follow_conversation(ROOM)
        await trio.sleep(3.5)
        assert 3 <= nodes[0].bridge.figures().sweep_failures <= 5
        nodes.figures.is_away = False
        assert await seconds_until(lambda: nodes[0].rooms.mailboxes[ROOM].depth > 0) <= 1.1
        assert nodes[0].rooms.heard() == advanced(7)


async def test_marks_that_a_full_conversation_did_not_take_are_told_once_it_has_room(autojump_clock: MockClock) -> None:
    async with open_nodes(1, room=1) as nodes:
        await with_room(nodes)
        nodes[0].rooms.watched.append(ROOM)
        nodes.figures.sums[ROOM] = 10
        nodes[0].rooms.mailboxes[ROOM].offer(Heard(Advanced(1)))
        await trio.sleep(11)
        assert nodes[0].rooms.heard() == advanced(1)
        await trio.sleep(0.2)
        assert nodes[0].rooms.heard() == [MarksStored(10)]
        await trio.sleep(20)
        assert nodes[0].rooms.heard() == []


async def test_marks_that_moved_are_told_where_somebody_watches_them(autojump_clock: MockClock) -> None:
    async with open_nodes(1) as nodes:
        await with_room(nodes)
        nodes[0].rooms.open(OTHER_ROOM)
        nodes[0].rooms.watched.append(ROOM)
        nodes.figures.sums.update({ROOM: 10, OTHER_ROOM: 20})
        await trio.sleep(11)
        assert nodes[0].rooms.heard() == [MarksStored(10)]
        await trio.sleep(10)
        assert nodes[0].rooms.heard() == []
        nodes.figures.sums[ROOM] = 12
        await trio.sleep(10)
        assert nodes[0].rooms.heard() == [MarksStored(12)]
        assert nodes.figures.asked_sums == [[ROOM]] * 3
        assert nodes[0].rooms.heard(OTHER_ROOM) == []


async def test_who_has_a_deleted_conversation_is_told(autojump_clock: MockClock) -> None:
    async with open_nodes() as nodes:
        await with_room(nodes)
        nodes.figures.deleted.add(ROOM)
        await trio.sleep(11)
        for node in nodes.nodes:
            assert node.rooms.heard() == advanced(DELETED_REV)
