"""Who is mentioned is told of that, whatever else is told together."""

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.users.messages import Listen
from tests.kit.conversations import Town, open_town
from tests.kit.listeners import Ear


async def listening(town: Town, *ears: Ear) -> None:
    for each in ears:
        town.nodes[-1].users.tell(Listen(each))
    await wait_all_tasks_blocked()


def told(ear: Ear) -> list[tuple[str, bool]]:
    return [(note["text"], note.get("mentioned", False)) for note in ear.heard]


@pytest.mark.contract("mentions")
async def test_only_who_is_mentioned_is_told_so_and_nobody_by_himself(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        alice, bob, eve = await town.people(3)
        room = await town.group(alice, bob, eve)
        ears = [Ear(alice), Ear(bob), Ear(eve)]
        await listening(town, *ears)
        await town.node.post(room, alice, "@User 1 and @User 0")
        await trio.sleep(3)
        assert [[mentioned for _, mentioned in told(ear)] for ear in ears] == [[False], [True], [False]]


async def test_a_mention_amid_a_burst_is_told_before_its_end_on_every_node(autojump_clock: MockClock) -> None:
    async with open_town(nodes=2, joined=True) as town:
        alice, bob, eve = await town.people(3)
        room = await town.group(alice, bob, eve)
        his, hers = Ear(bob), Ear(eve)
        times: list[float] = []
        his.on_notify = lambda: times.append(trio.current_time())
        await listening(town, his, hers)
        for text in ("m1", "m2", "for @user 1", "m4"):
            await town.node.post(room, alice, text)
        await trio.sleep(5)
        assert told(his) == [("m1", False), ("for @user 1", True), ("m4", False)]
        assert told(hers) == [("m1", False), ("m4", False)]
        assert all(b - a > 0.99 for a, b in pairwise(times))


async def test_a_mention_is_not_lost_to_a_newer_message_of_another_node(autojump_clock: MockClock) -> None:
    async with open_town(nodes=3, joined=True) as town:
        alice, bob = await town.people(2)
        room = await town.group(alice, bob)
        his = Ear(bob)
        await listening(town, his)
        await town.nodes[0].post(room, alice, "m1")
        await town.nodes[0].post(room, alice, "@User 1")
        await town.nodes[1].post(room, alice, "m3")
        await trio.sleep(5)
        assert ("@User 1", True) in told(his)
        assert told(his)[-1] in {("m3", False), ("@User 1", True)}


async def test_a_renamed_member_is_mentioned_by_his_new_name(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = Ear(bob)
        await listening(town, his)
        await town.node.post(room, alice, "@User 1")
        await town.node.chat.users.update(bob, name="Robert", profile_picture_url=None)
        await town.node.refresh(room)
        await trio.sleep(2)
        await town.node.post(room, alice, "@User 1")
        await trio.sleep(2)
        await town.node.post(room, alice, "@robert")
        await trio.sleep(2)
        assert [mentioned for _, mentioned in told(his)] == [True, False, True]
