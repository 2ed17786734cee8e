"""What one node's actors tell reaches the other node's, and what becomes of it when it cannot."""

from itertools import pairwise
from uuid import UUID

import trio
from attrs import evolve
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.adapters.memory.broker import MemoryHub
from actors.bridge.actor import BridgePolicy
from actors.bridge.broker import Received
from actors.bridge.envelope import Envelopes
from actors.bridge.news import Advanced, MarksMoved, TypingMoved, WhoTypes
from actors.bridge.outgoing import OutgoingLimits
from actors.conversation.messages import Heard
from actors.users.messages import Notify
from chatcore.model import Mark
from tests.actors.bridge.nodes import ANN, BOB, OTHER_ROOM, ROOM, Figures, Node, advanced, commit, make_node, open_nodes

CHANNEL = f"conversation.{ROOM}"


async def follow(*nodes: Node) -> None:
    for node in nodes:
        node.rooms.open(ROOM)
        node.bridge.follow_conversation(ROOM)
    await trio.sleep(0.1)


async def test_news_reach_the_conversation_on_the_other_nodes_in_order_and_never_echo(
    autojump_clock: MockClock,
) -> None:
    async with open_nodes(3) as nodes:
        await follow(*nodes.nodes)
        told = [
            commit(1, 2),
            TypingMoved(ANN, is_typing=True),
            MarksMoved((Mark(ANN, 2, 2),)),
            WhoTypes(),
            commit(3),
            Advanced(4),
        ]
        for news in told:
            nodes[0].bridge.tell_conversation(ROOM, news)
        await trio.sleep(0.1)
        assert [node.rooms.heard() for node in nodes.nodes] == [[], told, told]


async def test_only_who_follows_hears_and_only_until_he_stops(autojump_clock: MockClock) -> None:
    async with open_nodes(2) as nodes:
        nodes[1].rooms.open(OTHER_ROOM)
        await follow(nodes[1])
        nodes[0].bridge.tell_conversation(OTHER_ROOM, commit(1, room=OTHER_ROOM))
        nodes[0].bridge.tell_conversation(ROOM, commit(1))
        await trio.sleep(0.1)
        nodes[1].bridge.unfollow_conversation(ROOM)
        nodes[0].bridge.tell_conversation(ROOM, commit(2))
        await trio.sleep(0.1)
        assert nodes[1].rooms.heard() == [commit(1)]
        assert nodes[1].rooms.heard(OTHER_ROOM) == []


async def test_news_for_a_conversation_that_has_ended_are_nobodys(autojump_clock: MockClock) -> None:
    async with open_nodes(2) as nodes:
        await follow(nodes[1])
        nodes[1].rooms.mailboxes[ROOM].seal()
        nodes[0].bridge.tell_conversation(ROOM, commit(1))
        await trio.sleep(0.1)
        del nodes[1].rooms.mailboxes[ROOM]
        nodes[0].bridge.tell_conversation(ROOM, commit(2))
        await trio.sleep(0.1)
        assert not nodes[1].bridge.figures().dropped_in


async def test_notifications_reach_the_users_actor_of_each_node_that_has_the_user(autojump_clock: MockClock) -> None:
    async with open_nodes(3) as nodes:
        nodes[1].bridge.follow_user(ANN)
        nodes[2].bridge.follow_user(BOB)
        await trio.sleep(0.1)
        nodes[0].bridge.tell_users(Notify(ROOM, [(ANN, b"for Ann"), (BOB, b"for Bob")], seq=3))
        await trio.sleep(0.1)
        nodes[2].bridge.unfollow_user(BOB)
        nodes[0].bridge.tell_users(Notify(ROOM, [(BOB, b"unheard")]))
        await trio.sleep(0.1)
        assert [node.notified for node in nodes.nodes] == [
            [],
            [Notify(ROOM, ((ANN, b"for Ann"),), seq=3)],
            [Notify(ROOM, ((BOB, b"for Bob"),), seq=3)],
        ]


async def test_presence_crosses_and_is_doubted_when_news_of_it_may_be_missing(autojump_clock: MockClock) -> None:
    async with open_nodes(2) as nodes:
        here, there = nodes.nodes
        there.bridge.follow_presence(ANN)
        await trio.sleep(0.1)
        assert there.presence.doubted == [ANN]
        assert there.presence.times_restored == 1
        here.bridge.tell_presence(ANN, online=True)
        here.bridge.tell_presence(BOB, online=True)
        here.bridge.tell_presence(ANN, online=False)
        await trio.sleep(0.1)
        assert there.presence.told == [(ANN, True), (ANN, False)]
        there.broker.go_away()
        there.broker.come_back()
        await trio.sleep(0.1)
        assert there.presence.doubted == [ANN, ANN]
        assert there.presence.times_restored == 2
        there.bridge.unfollow_presence(ANN)
        here.bridge.tell_presence(ANN, online=True)
        await trio.sleep(0.1)
        assert len(there.presence.told) == 2


async def test_what_is_committed_while_it_is_away_is_told_of_once_it_is_back(autojump_clock: MockClock) -> None:
    async with open_nodes(2) as nodes:
        here, there = nodes.nodes
        await follow(here, there)
        here.broker.go_away()
        await trio.sleep(0.1)
        for rev in range(1, 6):
            here.bridge.tell_conversation(ROOM, commit(rev))
        here.bridge.tell_conversation(ROOM, TypingMoved(ANN, is_typing=True))
        here.bridge.tell_users(Notify(ROOM, [(ANN, b"lost"), (BOB, b"lost")]))
        here.bridge.tell_presence(ANN, online=True)
        figures = here.bridge.figures()
        assert (figures.overdue, figures.coalesced) == (1, 5)
        assert figures.dropped_out == {"typing": 1, "notices": 1, "presence": 1}
        here.broker.come_back()
        await trio.sleep(0.1)
        assert there.rooms.heard() == advanced(5)
        here.bridge.tell_conversation(ROOM, commit(6))
        await trio.sleep(0.1)
        assert there.rooms.heard() == [commit(6)]
        assert here.bridge.figures().overdue == 0


async def test_what_was_on_its_way_when_it_was_lost_is_told_of_again(autojump_clock: MockClock) -> None:
    async with open_nodes(2) as nodes:
        here, there = nodes.nodes
        await follow(here, there)
        nodes.hub.delay = 1.0
        here.bridge.tell_conversation(ROOM, commit(1))
        here.bridge.tell_conversation(ROOM, MarksMoved((Mark(ANN, 1, 1),)))
        here.bridge.tell_conversation(ROOM, commit(2, 3))
        await trio.sleep(0.1)
        here.broker.go_away()
        nodes.hub.delay = 0.0
        here.broker.come_back()
        await trio.sleep(1)
        assert there.rooms.heard() == advanced(3)
        assert here.bridge.figures().dropped_out == {"marks": 1}
        assert here.bridge.figures().coalesced == 2


async def test_with_a_full_outbox_commits_are_told_of_when_there_is_room(autojump_clock: MockClock) -> None:
    async with open_nodes(2, outbox=3) as nodes:
        here, there = nodes.nodes
        await follow(here, there)
        for rev in range(1, 8):
            here.bridge.tell_conversation(ROOM, commit(rev))
        here.bridge.tell_conversation(ROOM, WhoTypes())
        await trio.sleep(1)
        assert there.rooms.heard() == [commit(1), commit(2), commit(3), Advanced(7)]
        assert here.bridge.figures().dropped_out == {"who-types": 1}
        assert here.bridge.figures().coalesced == 4


async def test_beyond_its_bound_even_that_is_left_to_the_others_sweep(autojump_clock: MockClock) -> None:
    policy = BridgePolicy(outgoing=OutgoingLimits(conversations=2))
    async with open_nodes(2, policy) as nodes:
        here = nodes[0]
        here.broker.go_away()
        await trio.sleep(0.1)
        for room in range(4):
            for rev in (1, 2):
                here.bridge.tell_conversation(UUID(int=room), commit(rev))
        assert here.bridge.figures().overdue == 2
        assert here.bridge.figures().dropped_out == {"committed": 4}


async def test_a_commit_over_the_bound_is_told_of_instead(autojump_clock: MockClock) -> None:
    policy = BridgePolicy(outgoing=OutgoingLimits(batch_bytes=1000))
    async with open_nodes(2, policy) as nodes:
        here, there = nodes.nodes
        await follow(here, there)
        here.bridge.tell_conversation(ROOM, commit(1, text="x" * 500))
        here.bridge.tell_conversation(ROOM, commit(2, 3, text="x" * 500))
        await trio.sleep(0.1)
        assert there.rooms.heard() == [commit(1, text="x" * 500), Advanced(3)]


async def test_a_full_conversation_is_told_again_how_far_the_database_is(autojump_clock: MockClock) -> None:
    async with open_nodes(2, room=2) as nodes:
        here, there = nodes.nodes
        await follow(here, there)
        for rev in range(1, 6):
            here.bridge.tell_conversation(ROOM, commit(rev))
        here.bridge.tell_conversation(ROOM, WhoTypes())
        await trio.sleep(1)
        assert there.rooms.heard() == [commit(1), commit(2)]
        await trio.sleep(0.2)
        assert there.rooms.heard() == advanced(5)
        assert there.bridge.figures().dropped_in == {"who-types": 1}
        await trio.sleep(1)
        assert there.rooms.heard() == []


async def test_a_full_conversation_is_told_again_also_when_the_bridge_is_restarted_meanwhile(
    autojump_clock: MockClock,
) -> None:
    hub, figures = MemoryHub(), Figures()
    node = make_node(hub, figures, UUID(int=1), BridgePolicy(), outbox=10, room=1)
    figures.rev[ROOM] = 5
    async with trio.open_nursery() as nursery:
        await nursery.start(node.bridge.run)
        node.rooms.open(ROOM)
        node.rooms.mailboxes[ROOM].offer(Heard(Advanced(1)))
        node.bridge.follow_conversation(ROOM)
        await trio.sleep(0.05)
        assert node.bridge.figures().found == 1
        nursery.cancel_scope.cancel()
    assert node.rooms.heard() == advanced(1)
    async with trio.open_nursery() as nursery:
        await nursery.start(node.bridge.run)
        await trio.sleep(0.5)
        assert node.rooms.heard() == advanced(5)
        nursery.cancel_scope.cancel()


async def test_what_this_release_does_not_know_is_skipped_and_the_rest_heard() -> None:
    async with open_nodes(2) as nodes:
        here, there = nodes.nodes
        there.rooms.open(ROOM)
        there.bridge.follow_conversation(ROOM)
        await wait_all_tasks_blocked()
        sealed = Envelopes(UUID(int=9)).seal(commit(1))
        for payload in (b"\x94\x02" + sealed[2:], b"junk", sealed):
            assert here.broker.publish(CHANNEL, payload)
        here.broker.publish(f"user.{ANN}", sealed)
        await wait_all_tasks_blocked()
        assert there.rooms.heard() == [commit(1)]
        figures = there.bridge.figures()
        assert (figures.unknown, figures.malformed) == (1, 1)


async def test_what_comes_by_the_wrong_channel_is_dropped() -> None:
    async with open_nodes(2) as nodes:
        here, there = nodes.nodes
        there.bridge.follow_user(ANN)
        await wait_all_tasks_blocked()
        here.broker.publish(f"user.{ANN}", Envelopes(UUID(int=9)).seal(commit(1)))
        await wait_all_tasks_blocked()
        assert there.notified == []
        assert there.bridge.figures().dropped_in == {"committed": 1}


async def test_nodes_know_of_each_other_until_they_say_farewell(autojump_clock: MockClock) -> None:
    async with open_nodes(2) as nodes:
        third = make_node(nodes.hub, nodes.figures, UUID(int=3), BridgePolicy(), outbox=10, room=10)
        async with trio.open_nursery() as nursery:
            await nursery.start(third.bridge.run)
            await trio.sleep(1)
            assert [node.bridge.figures().peers for node in nodes.nodes] == [2, 2]
            nursery.cancel_scope.cancel()
        await trio.sleep(0.1)
        assert [node.bridge.figures().peers for node in nodes.nodes] == [1, 1]


async def test_a_slice_of_what_comes_lets_the_other_tasks_run(autojump_clock: MockClock) -> None:
    async with open_nodes(1, evolve(BridgePolicy(), slice_size=2)) as nodes:
        await follow(nodes[0])
        mailbox = nodes[0].rooms.mailboxes[ROOM]
        for rev in range(1, 13):
            nodes.hub.deliver(Received(CHANNEL, Envelopes(UUID(int=9)).seal(commit(rev))))
        depths = [0]
        while depths[-1] < 12:
            await trio.lowlevel.checkpoint()
            depths.append(mailbox.depth)
        # Between two looks at most two slices ran.
        assert max(after - before for before, after in pairwise(depths)) <= 4
