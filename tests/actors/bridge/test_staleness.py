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
        nodes[1].broker.come_back()
        await trio.sleep(5)
        assert heard == [()]


async def test_what_only_a_newer_release_keeps_is_passed_over(autojump_clock: MockClock) -> None:
    async with open_nodes(1) as nodes:
        heard = keep(nodes[0])
        await trio.sleep(0.1)
        heard.clear()
        nodes.hub.deliver(Received(NODES, Envelopes(ANN).seal(Stale("something new", (BOB,)))))
        await trio.sleep(0.1)
        assert heard == []
