"""How a subscription joins and leaves: no gap, no repeat, and nothing for who is no member."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.conversation.messages import Attach, Detach
from actors.conversation.policy import ConversationPolicy
from actors.conversation.subscription import Topic
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Mark
from tests.kit.conversations import Answer, open_town
from tests.kit.listening import Listening


async def test_a_member_learns_the_position_and_his_marks() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.post(room, alice, "one")
        await town.node.change_name(room, alice, "Name")
        position = await town.node.position(room, bob)
        assert (position.rev, position.last_seq) == (2, 1)
        assert position.mark == Mark(bob, 0, 0)
        assert (await town.node.position(room, alice)).mark == Mark(alice, 1, 1)


async def test_a_stranger_may_neither_join_nor_attach() -> None:
    async with open_town() as town:
        room, _, _ = await town.pair()
        (stranger,) = await town.people(1)
        for asked in (town.node.position(room, stranger), town.node.attach(room, Listening(stranger))):
            with pytest.raises(ChatError) as refusal:
                await asked
            assert refusal.value.code is ErrorCode.FORBIDDEN


async def test_a_subscription_that_is_just_behind_gets_what_is_at_hand_and_then_joins() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.position(room, alice)
        for text in "abc":
            await town.node.post(room, alice, text)
        listening = Listening(bob, rev=1)
        assert await town.node.attach(room, listening)
        assert listening.texts == ["b", "c"]
        await town.node.post(room, alice, "d")
        await wait_all_tasks_blocked()
        assert listening.revs == [2, 3, 4]


@pytest.mark.parametrize("policy", [ConversationPolicy(recent_events=2), ConversationPolicy(recent_bytes=200)])
async def test_a_subscription_that_is_further_behind_must_read_the_database_first(policy: ConversationPolicy) -> None:
    async with open_town(policy) as town:
        room, alice, bob = await town.pair()
        await town.node.position(room, alice)
        for _ in range(3):
            await town.node.post(room, alice, "x" * 20)
        listening = Listening(bob, rev=0)
        assert not await town.node.attach(room, listening)
        assert listening.events == []
        await town.node.post(room, alice, "y")
        listening.rev = 2
        assert await town.node.attach(room, listening)
        assert listening.revs == [3, 4]


async def test_what_was_before_the_actor_is_not_at_hand() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.chat.log.append([town.node.message(room, alice, "one")])
        assert not await town.node.attach(room, Listening(bob, rev=0))
        assert await town.node.attach(room, Listening(bob, rev=1))


async def test_attaching_twice_is_attaching_once() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        listening = await town.node.listen(room, bob)
        assert await town.node.attach(room, listening)
        await town.node.post(room, alice, "one")
        await wait_all_tasks_blocked()
        assert listening.seqs == [1]
        town.node.leave(room, listening)
        await town.node.post(room, alice, "two")
        assert (await town.node.marks(room))[bob].delivered_seq == 1


async def test_nothing_comes_after_a_detach() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        listening = await town.node.listen(room, bob)
        town.node.tell(room, Detach(listening))
        town.node.tell(room, Detach(listening))
        await town.node.post(room, alice, "one")
        await wait_all_tasks_blocked()
        assert listening.events == []


async def test_a_subscription_that_closed_before_it_was_attached_is_left_alone() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.post(room, alice, "one")
        listening = Listening(bob, rev=0, closed=True)
        assert await town.node.attach(room, listening)
        await town.node.post(room, alice, "two")
        assert listening.events == []


async def test_an_attach_that_nobody_waits_for_any_more_is_not_performed(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.position(room, alice)
        town.faults.pause("append")
        town.node.send(room, alice, "one")
        listening, answer = Listening(bob), Answer[bool]()
        town.node.tell(room, Attach(listening, answer.reply(trio.current_time() + 1)))
        await trio.sleep(2)
        town.faults.resume("append")
        await town.node.post(room, alice, "two")
        await wait_all_tasks_blocked()
        assert answer.code is ErrorCode.UNAVAILABLE
        assert listening.events == []


async def test_the_answer_to_a_subscription_comes_before_what_its_topic_begins_with() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.start_typing(room, alice)
        listening, answer = Listening(bob, Topic.TYPING), Answer[bool]()
        listening.on_deliver = lambda: answers.append(list(answer.results))
        answers: list[list[object]] = []
        town.node.tell(room, Attach(listening, answer.reply()))
        await wait_all_tasks_blocked()
        assert answers == [[True]]
        assert listening.notices == [{"user": str(alice), "typing": True}]


async def test_a_large_room_is_served_in_slices_between_which_others_run() -> None:
    async with open_town(ConversationPolicy(fanout_slice=10)) as town:
        room, alice, bob = await town.pair()
        listening = [await town.node.listen(room, bob) for _ in range(100)]
        progress: list[int] = []
        done = trio.Event()

        async def watch() -> None:
            last_look = False
            while not last_look:
                last_look = done.is_set()
                served = sum(bool(each.events) for each in listening)
                if not progress or served > progress[-1]:
                    progress.append(served)
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await town.node.post(room, alice, "one")
            while sum(bool(each.events) for each in listening) < 100:
                await trio.lowlevel.checkpoint()
            done.set()
        assert progress[-1] == 100
        # Within one of Trio's rounds the watcher may come before the first slice and, in the next, after the second.
        assert max(b - a for a, b in zip([0, *progress], progress, strict=False)) <= 20


async def test_who_subscribes_during_a_slow_fan_out_starts_at_its_end() -> None:
    async with open_town(ConversationPolicy(fanout_slice=1)) as town:
        room, alice, bob = await town.pair()
        for _ in range(20):
            await town.node.listen(room, bob)
        town.node.send(room, alice, "one")
        fresh = await town.node.listen(room, bob)
        behind = Listening(bob, rev=0)
        assert await town.node.attach(room, behind)
        await town.node.post(room, alice, "two")
        await wait_all_tasks_blocked()
        assert fresh.seqs == [2]
        assert behind.seqs == [1, 2]


async def test_who_closes_during_a_slow_fan_out_gets_nothing_more() -> None:
    async with open_town(ConversationPolicy(fanout_slice=1)) as town:
        room, alice, bob = await town.pair()
        listening = [await town.node.listen(room, bob) for _ in range(3)]

        def close_the_next() -> None:
            listening[1].closed = True

        listening[0].on_deliver = close_the_next
        await town.node.post(room, alice, "one")
        await wait_all_tasks_blocked()
        assert [each.seqs for each in listening] == [[1], [], [1]]


async def test_a_subscription_whose_end_was_never_told_is_forgotten_when_it_is_found_closed() -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        gone, stays = await town.node.listen(room, bob), await town.node.listen(room, alice)
        gone.closed = True
        await town.node.post(room, bob, "one")
        gone.closed = False
        await town.node.post(room, alice, "two")
        await wait_all_tasks_blocked()
        assert gone.events == []
        assert stays.seqs == [1, 2]
