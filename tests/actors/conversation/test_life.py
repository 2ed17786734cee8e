"""Passivation, stops, and an actor that sleeps when it has nothing to do."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.conversation.messages import Refresh
from actors.conversation.policy import ConversationPolicy
from actors.conversation.subscription import Topic
from chatcore.errors import ChatError, ErrorCode
from tests.kit.conversations import open_town

ACTOR = "conversations/"


class Steps(trio.abc.Instrument):
    """Counts how often the tasks of conversations ran."""

    def __init__(self) -> None:
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += task.name.startswith(ACTOR)


async def test_an_actor_with_nothing_due_sleeps(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        for topic in Topic:
            await town.node.listen(room, bob, topic)
        await town.node.post(room, alice, "one")
        await town.node.start_typing(room, alice)
        await town.node.read(room, bob, 1)
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(10)
        busy, steps.count = steps.count, 0
        await trio.sleep(3600)
        trio.lowlevel.remove_instrument(steps)
        assert 1 <= busy <= 60
        assert steps.count <= 2 * 3600 / 60


async def test_a_quiet_conversation_without_subscriptions_leaves_memory(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, _ = await town.pair()
        await town.node.post(room, alice, "one")
        await trio.sleep(59)
        assert len(town.node.conversations) == 1
        await town.node.position(room, alice)
        await trio.sleep(59)
        assert len(town.node.conversations) == 1
        await trio.sleep(2)
        assert len(town.node.conversations) == 0
        assert (await town.node.post(room, alice, "two")).seq == 2


async def test_a_subscription_keeps_it_in_memory_until_it_has_gone_even_without_a_word(
    autojump_clock: MockClock,
) -> None:
    async with open_town() as town:
        room, _, bob = await town.pair()
        his = await town.node.listen(room, bob, Topic.READ)
        await trio.sleep(1000)
        assert len(town.node.conversations) == 1
        his.closed = True
        await trio.sleep(61)
        assert len(town.node.conversations) == 0


async def test_marks_are_stored_before_it_leaves_and_what_comes_meanwhile_is_not_lost(
    autojump_clock: MockClock,
) -> None:
    async with open_town(ConversationPolicy(large_room_members=1, large_room_mark_interval=1000)) as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        await town.node.post(room, alice, "one")
        his.closed = True
        town.faults.pause("save_marks")
        await trio.sleep(61)
        assert town.faults.calls["save_marks"] == 1
        (answer,) = town.node.send(room, alice, "two")
        again = town.node.send(room, alice, "three")[0]
        await wait_all_tasks_blocked()
        town.faults.resume("save_marks")
        await wait_all_tasks_blocked()
        assert town.stored(room, bob) == (0, 1)
        assert (answer.value.seq, again.value.seq) == (2, 3)


async def test_posts_that_race_with_passivation_are_all_answered(autojump_clock: MockClock) -> None:
    async with open_town(ConversationPolicy(idle_seconds=1.0)) as town:
        room, alice, _ = await town.pair()
        seqs: list[int] = []
        for round_ in range(50):
            seqs.append((await town.node.post(room, alice, "x")).seq)
            await trio.sleep(1.0 if round_ % 2 else 1.0 - 1e-9)
        assert seqs == list(range(1, 51))


async def test_a_stop_lets_what_waits_be_handled(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        town.faults.pause("append")
        answers = town.node.send(room, alice, "one", "two")
        await wait_all_tasks_blocked()
        answers += town.node.send(room, alice, "three")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(town.node.conversations.stop, 5)
            await wait_all_tasks_blocked()
            with pytest.raises(ChatError):
                town.node.tell(room, Refresh())
            town.faults.resume("append")
        assert [answer.value.seq for answer in answers] == [1, 2, 3]
        assert his.seqs == [1, 2, 3]


@pytest.mark.parametrize("method", ["load", "append", "events", "save_marks", "find"])
async def test_a_cancellation_at_any_call_leaves_nobody_waiting(autojump_clock: MockClock, method: str) -> None:
    async with open_town(nodes=2) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        await here.listen(room, bob)
        await there.post(room, alice, "elsewhere")
        town.faults.pause(method)
        if method == "find":
            town.faults.fail_next(RuntimeError("boom"), method="append", after_commit=True)
        answers = here.send(room, alice, "one", "two")
        here.tell(room, Refresh())
        await trio.sleep(2)
        answers += here.send(room, alice, "three")
        await here.conversations.stop(1)
        assert all(answer.results for answer in answers)
        for answer in answers:
            if isinstance(answer.results[0], ChatError):
                assert answer.code is ErrorCode.UNAVAILABLE
            else:
                assert town.state.rooms[room].seq_of[answer.value.id] == answer.value.seq
        town.faults.resume(method)
