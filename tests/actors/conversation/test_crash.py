"""Crashes: subscriptions, typists and listeners stay, posts in hand are settled, nobody sees a gap or a repeat."""

import pytest
import trio
from trio.testing import MockClock

from actors.conversation.messages import Join, Position
from actors.conversation.subscription import Topic
from actors.runtime import EventKind, RestartIntensity
from chatcore.errors import ChatError, ErrorCode
from tests.kit.conversations import Answer, open_town
from tests.kit.listening import Listening

FRAGILE = RestartIntensity(max_restarts=2, within=30.0, backoff_initial=0.01, backoff_max=0.01)


async def test_a_crash_after_the_commit_is_but_a_pause(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        await town.node.post(room, alice, "one")
        town.node.encoder.crashes = 2
        assert (await town.node.post(room, alice, "two")).seq == 2
        assert (await town.node.post(room, alice, "three")).seq == 3
        await trio.sleep(5)
        assert his.texts == ["one", "two", "three"]
        assert town.node.count(EventKind.CRASHED) == 2


async def test_posts_in_hand_are_settled_by_their_ids(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        town.faults.fail_next(RuntimeError("boom"), method="append", after_commit=True)
        town.node.tell(room, Join(alice, Answer[Position]().reply()))  # the actor wakes, and finds them together
        committed = town.node.send(room, alice, "committed", "too")
        town.node.tell(room, Join(alice, (asked := Answer[Position]()).reply()))
        await trio.sleep(1)
        assert [(answer.value.seq, answer.value.was_new) for answer in committed] == [(1, True), (2, True)]
        assert asked.code is ErrorCode.UNAVAILABLE
        town.faults.fail_next(RuntimeError("boom"), method="append")
        (never,) = town.node.send(room, alice, "never")
        await trio.sleep(1)
        assert never.code is ErrorCode.UNAVAILABLE
        assert his.texts == town.texts(room) == ["committed", "too"]


async def test_posts_in_hand_are_settled_even_if_the_next_actor_crashes_too(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        town.faults.fail_next(RuntimeError("boom"), method="append", after_commit=True)
        town.faults.fail_next(RuntimeError("boom"), method="find")
        (answer,) = town.node.send(room, alice, "one")
        await trio.sleep(1)
        assert town.node.count(EventKind.CRASHED) == 2
        assert answer.value.seq == 1
        assert his.texts == ["one"]


async def test_a_crash_in_the_middle_of_a_fan_out_repeats_nothing(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = [await town.node.listen(room, bob) for _ in range(5)]
        broken = True

        def crash() -> None:
            nonlocal broken
            if broken:
                broken = False
                raise RuntimeError("boom")

        his[2].on_deliver = crash
        await town.node.post(room, alice, "one")
        await trio.sleep(1)
        assert [each.texts for each in his] == [["one"]] * 5


async def test_what_is_given_again_after_a_crash_counts_as_delivered(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        alice, bob, carol = await town.people(3)
        room = await town.group(alice, bob, carol)
        his = await town.node.listen(room, bob)
        slow = Listening(carol, slow=True)
        assert await town.node.attach(room, slow)
        town.node.encoder.crashes = 1
        await town.node.post(room, alice, "one")
        await trio.sleep(1)
        assert his.texts == slow.texts == ["one"]
        marks = await town.node.marks(room)
        assert (marks[bob].delivered_seq, marks[carol].delivered_seq) == (1, 0)
        await town.node.post(room, alice, "two")
        marks = await town.node.marks(room)
        assert (marks[bob].delivered_seq, marks[carol].delivered_seq) == (2, 0)


async def test_what_a_late_joiner_was_given_from_what_is_at_hand_is_not_given_again(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.position(room, bob)
        await town.node.post(room, alice, "one")
        his = Listening(bob, rev=0)
        assert await town.node.attach(room, his)
        town.node.encoder.crashes = 1
        await town.node.post(room, alice, "two")
        await trio.sleep(1)
        assert his.texts == ["one", "two"]


async def test_subscriptions_of_who_left_meanwhile_end(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        alice, bob, carol = await town.people(3)
        room = await town.group(alice, bob, carol)
        his, hers = await town.node.listen(room, bob), await town.node.listen(room, carol)
        typing = await town.node.listen(room, carol, Topic.TYPING)
        await town.node.start_typing(room, bob)
        await town.node.chat.conversations.remove_member(room, alice, bob)
        town.node.encoder.crashes = 1
        await town.node.post(room, alice, "one")
        await trio.sleep(1)
        assert his.ended
        assert his.texts == []
        assert hers.texts == ["one"]
        assert typing.notices == [{"user": str(bob), "typing": True}, {"user": str(bob), "typing": False}]


async def test_who_typed_is_told_to_have_stopped_in_time_although_the_actor_crashed(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob, Topic.TYPING)
        await town.node.start_typing(room, bob)
        town.node.encoder.crashes = 1
        await town.node.post(room, alice, "one")
        await trio.sleep(5)
        assert town.node.count(EventKind.CRASHED) == 1
        assert len(his.notices) == 1
        await trio.sleep(1.5)
        assert his.notices[1:] == [{"user": str(bob), "typing": False}]


async def test_marks_are_told_again_after_a_crash(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        hers = await town.node.listen(room, alice, Topic.READ)
        town.node.encoder.crashes = 1
        await town.node.post(room, bob, "one")
        await trio.sleep(1)
        assert {"user": str(bob), "read": 1, "delivered": 1} in hers.notices


async def test_a_conversation_that_keeps_crashing_is_quarantined_and_its_subscriptions_catch_up_afterwards(
    autojump_clock: MockClock,
) -> None:
    async with open_town(intensity=FRAGILE, nodes=2) as town:
        room, alice, bob = await town.pair()
        other = await town.group(alice, bob)
        here, there = town.nodes
        his = await here.listen(room, bob)
        left = await here.listen(room, bob)
        here.encoder.crashes = 4
        await here.post(room, alice, "one")
        await trio.sleep(1)
        assert here.count(EventKind.QUARANTINED) == 1
        with pytest.raises(ChatError) as refusal:
            await here.post(room, alice, "two")
        assert refusal.value.code is ErrorCode.UNAVAILABLE
        await there.post(room, alice, "from elsewhere")
        here.encoder.crashes = 0
        assert (await here.post(other, alice, "others do not notice")).seq == 1
        left.closed = True
        await trio.sleep(40)
        assert his.texts == ["one", "from elsewhere"]
        assert left.texts == []


async def test_a_quarantined_conversation_that_everybody_left_is_forgotten(autojump_clock: MockClock) -> None:
    async with open_town(intensity=FRAGILE) as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        town.node.encoder.crashes = 3
        await town.node.post(room, alice, "one")
        await trio.sleep(1)
        his.closed = True
        loads = town.faults.calls["load"]
        await trio.sleep(100)
        assert len(town.node.conversations) == 0
        assert town.faults.calls["load"] == loads


async def test_no_room_for_a_conversation_that_comes_out_of_quarantine_is_tried_again(
    autojump_clock: MockClock,
) -> None:
    async with open_town(intensity=FRAGILE, max_conversations=1) as town:
        room, alice, bob = await town.pair()
        other = await town.group(alice, bob)
        his = await town.node.listen(room, bob)
        town.node.encoder.crashes = 3
        await town.node.post(room, alice, "one")
        await trio.sleep(30.5)
        blocking = await town.node.listen(other, bob)
        await trio.sleep(20)
        assert his.texts == []
        town.node.leave(other, blocking)
        await trio.sleep(130)
        assert his.texts == ["one"]


async def test_marks_that_are_stored_nowhere_yet_outlive_a_crash(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        hers = await town.node.listen(room, alice, Topic.READ)
        await town.node.listen(room, alice)
        await town.node.post(room, alice, "one")
        await trio.sleep(3)
        await town.node.read(room, bob, 1)
        town.faults.fail_next(method="save_marks")
        town.faults.fail_next(method="save_marks")
        town.node.encoder.crashes = 1
        await town.node.post(room, alice, "two")
        await trio.sleep(5)
        assert town.node.count(EventKind.CRASHED) == 1
        assert town.stored(room, bob) == (1, 1)
        assert [notice["read"] for notice in hers.notices if notice["user"] == str(bob)] in ([1], [1, 1])
