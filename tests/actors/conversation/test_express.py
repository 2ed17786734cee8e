"""A post that comes alone goes without a switch of tasks, and as if there had been one."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.bridge.news import Advanced
from actors.conversation.messages import Heard, Join, Position, Refresh, StartTyping
from actors.conversation.policy import ConversationPolicy
from actors.conversation.subscription import Topic
from actors.runtime import EventKind
from chatcore.errors import ErrorCode, overloaded, unavailable
from tests.kit.conversations import Answer, open_town


async def test_what_comes_while_a_post_is_on_its_way_waits_for_it_and_then_goes_together(
    autojump_clock: MockClock,
) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        town.faults.pause("append")
        first = town.node.send(room, alice, "one")
        await wait_all_tasks_blocked()
        assert town.faults.calls["append"] == 1
        later = town.node.send(room, alice, "two", "three")
        town.node.tell(room, Join(bob, (asked := Answer[Position]()).reply()))
        town.node.tell(room, Refresh())
        await wait_all_tasks_blocked()
        assert town.faults.calls["append"] == 1
        assert not asked.results
        town.faults.resume("append")
        await wait_all_tasks_blocked()
        assert [answer.value.seq for answer in (*first, *later)] == [1, 2, 3]
        assert town.faults.calls["append"] == 2
        assert asked.value.rev == 3
        assert his.texts == ["one", "two", "three"]


async def test_what_is_due_meanwhile_is_done_after_it(autojump_clock: MockClock) -> None:
    async with open_town(ConversationPolicy(mark_interval=1.0)) as town:
        room, alice, bob = await town.pair()
        await town.node.listen(room, bob)
        await town.node.post(room, alice, "one")
        town.faults.pause("append")
        await town.node.listen(room, bob)
        (answer,) = town.node.send(room, alice, "two")
        saved = town.faults.calls["save_marks"]
        await trio.sleep(5)
        assert town.faults.calls["save_marks"] == saved
        town.faults.resume("append")
        await trio.sleep(3)
        assert answer.value.seq == 2
        assert town.faults.calls["save_marks"] > saved


async def test_an_audience_of_more_than_a_slice_is_left_to_the_actors_task(autojump_clock: MockClock) -> None:
    async with open_town(ConversationPolicy(fanout_slice=2)) as town:
        room, alice, bob = await town.pair()
        his = [await town.node.listen(room, bob) for _ in range(5)]
        for text in ("one", "two"):
            await town.node.post(room, alice, text)
        await wait_all_tasks_blocked()
        assert [each.texts for each in his] == [["one", "two"]] * 5


async def test_a_message_of_who_types_ends_that(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        typing = await town.node.listen(room, bob, Topic.TYPING)
        town.node.tell(room, StartTyping(alice, Answer[None]().reply()))
        await wait_all_tasks_blocked()
        await town.node.post(room, alice, "one")
        await wait_all_tasks_blocked()
        assert his.texts == ["one"]
        assert typing.take_notices() == [{"user": str(alice), "typing": True}, {"user": str(alice), "typing": False}]


@pytest.mark.parametrize("error", [unavailable(), overloaded()])
async def test_a_failed_append_is_told_to_the_sender(autojump_clock: MockClock, error: Exception) -> None:
    async with open_town() as town:
        room, alice, _ = await town.pair()
        await town.node.post(room, alice, "one")
        town.faults.fail_next(error, method="append")
        (answer,) = town.node.send(room, alice, "two")
        await wait_all_tasks_blocked()
        assert answer.code in {ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED}
        assert (await town.node.post(room, alice, "three")).seq == 2


async def test_an_error_on_the_short_way_is_a_crash_and_the_post_is_settled_by_its_id(
    autojump_clock: MockClock,
) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        await town.node.post(room, alice, "one")
        town.faults.fail_next(RuntimeError("boom"), method="append", after_commit=True)
        (answer,) = town.node.send(room, alice, "two")
        await trio.sleep(1)
        assert town.node.count(EventKind.CRASHED) == 1
        assert answer.value.seq == 2
        assert his.texts == ["one", "two"]


async def test_at_a_stop_a_post_on_its_way_is_waited_for(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, _ = await town.pair()
        await town.node.post(room, alice, "one")
        town.faults.pause("append")
        (answer,) = town.node.send(room, alice, "two")
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(town.node.conversations.stop, 5.0)
            await trio.sleep(1)
            assert not answer.results
            town.faults.resume("append")
        assert answer.value.seq == 2


async def test_at_a_stop_that_cannot_wait_it_is_refused_and_a_late_answer_ignored(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, _ = await town.pair()
        await town.node.post(room, alice, "one")
        town.faults.pause("append")
        (answer,) = town.node.send(room, alice, "two")
        await wait_all_tasks_blocked()
        await town.node.conversations.stop(1.0)
        assert answer.code is ErrorCode.UNAVAILABLE
        town.faults.resume("append")
        await wait_all_tasks_blocked()
        assert len(answer.results) == 1


async def test_a_sender_who_goes_meanwhile_changes_nothing_for_the_others(autojump_clock: MockClock) -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await there.listen(room, bob)
        mine = await here.listen(room, bob)
        town.faults.pause("append")
        with trio.move_on_after(1):
            await here.post(room, alice, "one")
        here.tell(room, Heard(Advanced(0)))
        town.faults.resume("append")
        await here.post(room, alice, "two")
        await wait_all_tasks_blocked()
        assert his.texts == mine.texts == ["one", "two"]
        assert here.count(EventKind.CRASHED) == 0


async def test_each_of_many_posts_is_followed_by_what_it_brings_to_do(autojump_clock: MockClock) -> None:
    async with open_town(ConversationPolicy(mark_interval=1.0)) as town:
        room, alice, bob = await town.pair()
        await town.node.listen(room, bob)
        for number in range(5):
            before = town.faults.calls["save_marks"]
            for _ in range(3):
                await town.node.post(room, alice, f"{number}")
            await trio.sleep(3)
            assert town.faults.calls["save_marks"] > before


async def test_a_failure_between_two_posts_is_seen_to_in_time(autojump_clock: MockClock) -> None:
    async with open_town(ConversationPolicy(retry_seconds=1.0, mark_interval=60.0)) as town:
        room, alice, _ = await town.pair()
        await town.node.post(room, alice, "one")
        await town.node.post(room, alice, "two")
        town.faults.fail_next(unavailable(), method="append")
        (answer,) = town.node.send(room, alice, "three")
        await wait_all_tasks_blocked()
        assert answer.code is ErrorCode.UNAVAILABLE
        loads = town.faults.calls["load"]
        await trio.sleep(2)
        assert town.faults.calls["load"] > loads
