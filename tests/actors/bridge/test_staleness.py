"""Who keeps copies hears when they may be out of date."""

from uuid import UUID

import trio
from trio.testing import MockClock

from actors.bridge.broker import Received
from actors.bridge.channels import NODES
from actors.bridge.envelope import Envelopes
from actors.bridge.staleness import Copied, Stale
from tests.actors.bridge.nodes import ANN, BOB, Node, open_nodes


def keep(node: Node) -> list[tuple[UUID, ...]]:
    heard: list[tuple[UUID, ...]] = []
    node.bridge.give_stale_to(Copied.FEATURES, heard.append)
    return heard


async def test_the_other_nodes_hear_what_one_has_changed(autojump_clock: MockClock) -> None:
    async with open_nodes(3) as nodes:
        heard = [keep(node) for node in nodes.nodes]
        await trio.sleep(0.1)
        for each in heard:
            each.clear()
        nodes[0].bridge.tell_stale(Copied.FEATURES, ANN, BOB)
        nodes[0].bridge.tell_stale(Copied.FEATURES)
        await trio.sleep(0.1)
        assert heard == [[], [(ANN, BOB), ()], [(ANN, BOB), ()]]


async def test_all_copies_are_in_doubt_when_the_broker_comes_back(autojump_clock: MockClock) -> None:
    async with open_nodes(2) as nodes:
        heard = keep(nodes[1])
        await trio.sleep(0.1)
        heard.clear()
        nodes[1].broker.go_away()
        await trio.sleep(5)
        assert heard == []
        assert not nodes[1].bridge.hears_all
        nodes[1].broker.come_back()
        await trio.sleep(5)
        assert set(heard) == {()}
        assert nodes[1].bridge.hears_all


async def test_what_a_full_outbox_has_no_room_for_is_told_when_there_is(autojump_clock: MockClock) -> None:
    async with open_nodes(2, outbox=3) as nodes:
        heard = keep(nodes[1])
        await trio.sleep(1)
        heard.clear()
        for number in range(5):
            nodes[0].bridge.tell_stale(Copied.FEATURES, UUID(int=number))
        await trio.sleep(1)
        assert heard[-1] == ()
        # Of one that lost its room nothing else tells.
        assert len(heard) < 5


async def test_what_one_told_while_the_broker_was_away_the_others_doubt_when_it_is_back(
    autojump_clock: MockClock,
) -> None:
    async with open_nodes(2) as nodes:
        heard = keep(nodes[1])
        await trio.sleep(1)
        assert nodes[1].bridge.hears_all
        heard.clear()
        nodes[0].broker.go_away()
        nodes[0].bridge.tell_stale(Copied.FEATURES, ANN)
        await trio.sleep(5)
        assert heard == []
        # The other's own broker is there, but it does not hear of the first.
        assert not nodes[1].bridge.hears_all
        nodes[0].broker.come_back()
        await trio.sleep(5)
        assert () in heard
        assert nodes[1].bridge.hears_all


async def test_a_short_absence_that_the_others_do_not_notice_puts_their_copies_in_doubt(
    autojump_clock: MockClock,
) -> None:
    async with open_nodes(2) as nodes:
        heard = keep(nodes[1])
        await trio.sleep(1)
        heard.clear()
        nodes[0].broker.go_away()
        nodes[0].bridge.tell_stale(Copied.FEATURES, ANN)
        await trio.sleep(0.1)
        assert nodes[1].bridge.hears_all
        nodes[0].broker.come_back()
        await trio.sleep(0.3)
        assert () in heard


async def test_what_only_a_newer_release_keeps_is_passed_over(autojump_clock: MockClock) -> None:
    async with open_nodes(1) as nodes:
        heard = keep(nodes[0])
        await trio.sleep(0.1)
        heard.clear()
        nodes.hub.deliver(Received(NODES, Envelopes(ANN).seal(Stale("something new", (BOB,)))))
        await trio.sleep(0.1)
        assert heard == []
