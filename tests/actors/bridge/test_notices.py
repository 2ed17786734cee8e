"""One notification for many users in one publish."""

from random import Random
from uuid import UUID

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from actors.bridge.actor import BridgePolicy
from actors.bridge.notices import fold, unfold
from actors.bridge.outgoing import OutgoingLimits
from actors.users.messages import Notify
from tests.actors.bridge.nodes import ANN, BOB, ROOM, open_nodes

CROWD = [UUID(int=1000 + number) for number in range(1000)]
numbers = st.none() | st.integers(0, 2**40)
bodies = st.lists(st.tuples(st.uuids(), st.sampled_from([b"", b"{", b'{"a":1}', b'{"a":12}', b"x"])), max_size=20)


@given(bodies, numbers, st.integers(1, 5), st.randoms())
def test_each_user_that_is_asked_for_gets_his_body_and_nobody_else(
    told: list[tuple[UUID, bytes]], seq: int | None, most: int, rng: Random
) -> None:
    listening = {user_id.bytes: user_id for user_id, _ in told if rng.random() < 0.5}
    heard = [unfold(each, listening) for each in fold(Notify(ROOM, told, seq), most)]
    assert len(heard) == -(-len(told) // most)
    assert all(each is None or (each.conversation_id, each.seq) == (ROOM, seq) for each in heard)
    found = [entry for each in heard if each is not None for entry in each.bodies]
    assert sorted(found) == sorted(entry for entry in told if entry[0].bytes in listening)


def test_what_all_bodies_begin_with_is_there_once() -> None:
    told = [(user_id, b"x" * 300 + b"%d}" % number) for number, user_id in enumerate(CROWD)]
    (notices,) = fold(Notify(ROOM, told, 7), 1024)
    assert notices.head == b"x" * 300
    assert sum(len(rest) + len(users) for rest, users in notices.rests) < 20 * len(CROWD)


async def test_a_notification_for_more_users_than_nodes_is_one_publish_and_each_node_finds_its_own(
    autojump_clock: MockClock,
) -> None:
    async with open_nodes(3) as nodes:
        here, there, elsewhere = nodes.nodes
        for node, user_id in ((here, ANN), (there, ANN), (there, CROWD[5]), (elsewhere, BOB)):
            node.bridge.follow_user(user_id)
        there.bridge.follow_user(BOB)
        there.bridge.unfollow_user(BOB)
        await trio.sleep(0.1)
        before = here.broker.state.published
        told = [(user_id, b"for %d" % user_id.int) for user_id in (ANN, BOB, *CROWD)]
        here.bridge.tell_users(Notify(ROOM, told, seq=3))
        assert here.broker.state.published == before + 1
        await trio.sleep(0.1)
        assert [node.notified for node in nodes.nodes] == [
            [],
            [Notify(ROOM, ((ANN, b"for %d" % ANN.int), (CROWD[5], b"for 1005")), 3)],
            [Notify(ROOM, ((BOB, b"for %d" % BOB.int),), 3)],
        ]


async def test_a_notification_for_fewer_users_than_nodes_goes_to_those_who_have_them(autojump_clock: MockClock) -> None:
    async with open_nodes(4) as nodes:
        here, there, *_ = nodes.nodes
        there.bridge.follow_user(BOB)
        await trio.sleep(0.7)  # between two beats
        received = [node.broker.state.received for node in nodes.nodes]
        here.bridge.tell_users(Notify(ROOM, [(ANN, b"a"), (BOB, b"b"), (CROWD[0], b"c")]))
        await trio.sleep(0.1)
        now = [node.broker.state.received for node in nodes.nodes]
        assert [after - before for before, after in zip(received, now, strict=True)] == [0, 1, 0, 0]
        assert there.notified == [Notify(ROOM, ((BOB, b"b"),))]


async def test_a_crowd_is_told_in_publishes_of_bounded_size_and_dropped_while_it_is_away(
    autojump_clock: MockClock,
) -> None:
    policy = BridgePolicy(outgoing=OutgoingLimits(users=400))
    async with open_nodes(2, policy) as nodes:
        here, there = nodes.nodes
        for user_id in CROWD:
            there.bridge.follow_user(user_id)
        await trio.sleep(0.1)
        crowd = Notify(ROOM, [(user_id, b"x") for user_id in CROWD])
        here.bridge.tell_users(crowd)
        await trio.sleep(0.1)
        assert [len(each.bodies) for each in there.notified] == [400, 400, 200]
        here.broker.go_away()
        await trio.sleep(0.1)
        here.bridge.tell_users(crowd)
        assert here.bridge.figures().dropped_out == {"notices": 3}
        here.broker.come_back()
        await trio.sleep(0.1)
        here.bridge.tell_users(crowd)
        await trio.sleep(0.1)
        assert len(there.notified) == 6
