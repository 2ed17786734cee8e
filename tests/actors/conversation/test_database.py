"""A database that is away, slow, or silent about what it did."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.conversation.messages import Attach, Detach, Join, Position
from actors.conversation.policy import ConversationPolicy
from actors.runtime import EventKind
from chatcore.errors import ChatError, ErrorCode
from tests.kit.conversations import Answer, open_town
from tests.kit.listening import Listening


async def test_an_append_of_unknown_outcome_reaches_live_subscriptions_once(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        town.faults.fail_next(method="append", after_commit=True)
        with pytest.raises(ChatError) as refusal:
            await town.node.post(room, alice, "one", key="k")
        assert refusal.value.code is ErrorCode.UNAVAILABLE
        await wait_all_tasks_blocked()
        assert his.texts == []
        again = await town.node.post(room, alice, "one", key="k")
        assert not again.was_new
        await wait_all_tasks_blocked()
        assert his.texts == ["one"]
        await trio.sleep(60)
        assert his.texts == ["one"]


@pytest.mark.parametrize("delay", [0.5, 5.0, 25.0])
async def test_an_append_that_is_committed_after_it_was_given_up_is_delivered(
    autojump_clock: MockClock, delay: float
) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        town.faults.fail_next(method="append")
        message = town.node.message(room, alice, "late")
        with pytest.raises(ChatError):
            await town.node.post(room, alice, "late")
        await trio.sleep(delay)
        await town.node.chat.log.append([message])
        await trio.sleep(35)
        assert his.texts == ["late"]


async def test_what_a_crashed_actor_had_sent_to_the_store_is_looked_for_afterwards(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        town.faults.fail_next(RuntimeError("boom"), method="append")
        (answer,) = town.node.send(room, alice, "late")
        await trio.sleep(3)
        assert answer.code is ErrorCode.UNAVAILABLE
        await town.node.chat.log.append([town.node.message(room, alice, "late")])
        await trio.sleep(35)
        assert his.texts == ["late"]


async def test_a_doubt_costs_few_looks_and_ends(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, _ = await town.pair()
        await town.node.listen(room, alice)
        loads = town.faults.calls["load"]
        town.faults.fail_next(method="append")
        with pytest.raises(ChatError):
            await town.node.post(room, alice, "one")
        await trio.sleep(600)
        assert 4 <= town.faults.calls["load"] - loads <= 7


@pytest.mark.parametrize("method", ["edit", "delete"])
async def test_a_change_of_unknown_outcome_is_delivered_within_a_second(autojump_clock: MockClock, method: str) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        message = await town.node.post(room, alice, "one")
        his = await town.node.listen(room, bob)
        town.faults.fail_next(method=method, after_commit=True)
        node = town.node
        change = node.edit(room, message.id, alice, "ONE") if method == "edit" else node.delete(room, message.id, alice)
        with pytest.raises(ChatError):
            await change
        await trio.sleep(1.1)
        assert his.revs == [2]


async def test_the_database_being_away_refuses_sends_and_heals_by_itself(autojump_clock: MockClock) -> None:
    async with open_town(nodes=2) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await here.listen(room, bob)
        await there.post(room, alice, "from elsewhere")
        town.faults.fail_next(method="append")
        for _ in range(5):
            town.faults.fail_next(method="load")
        with pytest.raises(ChatError) as refusal:
            await here.post(room, alice, "one")
        assert refusal.value.code is ErrorCode.UNAVAILABLE
        await trio.sleep(4.5)
        assert his.texts == []
        await trio.sleep(3)
        assert his.texts == ["from elsewhere"]


async def test_a_commit_that_is_ahead_while_history_cannot_be_read_is_delivered_later_and_in_order(
    autojump_clock: MockClock,
) -> None:
    async with open_town(nodes=2) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await here.listen(room, bob)
        await there.post(room, alice, "one")
        town.faults.fail_next(method="events")
        assert (await here.post(room, alice, "two")).seq == 2
        await wait_all_tasks_blocked()
        assert his.texts == []
        await trio.sleep(1.1)
        assert his.texts == ["one", "two"]


async def test_an_actor_that_starts_without_a_database_refuses_and_leaves(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, _ = await town.pair()
        town.faults.fail_next(method="load")
        with pytest.raises(ChatError) as refusal:
            await town.node.post(room, alice, "one")
        assert refusal.value.code is ErrorCode.UNAVAILABLE
        await wait_all_tasks_blocked()
        assert len(town.node.conversations) == 0
        assert (await town.node.post(room, alice, "one")).seq == 1


@pytest.mark.parametrize("code", [ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED])
async def test_subscriptions_outlast_a_restart_without_a_database(autojump_clock: MockClock, code: ErrorCode) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        leaving = await town.node.listen(room, bob)
        for _ in range(5):
            town.faults.fail_next(ChatError(code, "away"), method="load")
        town.node.encoder.crashes = 1
        assert (await town.node.post(room, alice, "one")).seq == 1
        answers = [Answer[Position]() for _ in range(3)]
        for answer in answers:
            await trio.sleep(0.3)
            town.node.tell(room, Join(alice, answer.reply()))
            town.node.tell(room, Detach(leaving))
        leaving.closed = True
        await trio.sleep(1)
        assert {answer.code for answer in answers} == {code}
        assert his.texts == []
        await trio.sleep(5)
        assert his.texts == ["one"]
        assert leaving.texts == []
        await town.node.post(room, alice, "two")
        await wait_all_tasks_blocked()
        assert his.texts == ["one", "two"]


async def test_an_actor_without_a_database_leaves_once_its_last_subscription_has(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob)
        for _ in range(100):
            town.faults.fail_next(method="load")
        town.node.encoder.crashes = 1
        await town.node.post(room, alice, "one")
        await trio.sleep(3)
        assert len(town.node.conversations) == 1
        his.closed = True
        await trio.sleep(3)
        assert len(town.node.conversations) == 0


async def test_a_stop_ends_an_actor_that_waits_for_the_database(autojump_clock: MockClock) -> None:
    async with open_town(ConversationPolicy(retry_seconds=1000)) as town:
        room, alice, bob = await town.pair()
        await town.node.listen(room, bob)
        town.faults.fail_next(method="load")
        town.node.encoder.crashes = 1
        await town.node.post(room, alice, "one")
        await trio.sleep(3)
        start = trio.current_time()
        await town.node.conversations.stop(10)
        assert trio.current_time() == start


async def test_a_resynchronisation_that_is_cut_short_goes_on_where_it_was(autojump_clock: MockClock) -> None:
    async with open_town(ConversationPolicy(history_page=2), nodes=2) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await here.listen(room, bob)
        town.faults.pause("load")
        here.encoder.crashes = 1
        await here.post(room, alice, "0")
        for number in range(1, 7):
            there_answer = await there.chat.log.append([there.message(room, alice, str(number))])
            assert there_answer
        town.faults.resume("load")
        town.faults.pause("events")
        await trio.sleep(1)
        town.faults.fail_next(method="events")
        town.faults.resume("events")
        await trio.sleep(5)
        assert his.texts == [str(number) for number in range(7)]


async def test_a_subscription_may_not_join_a_room_that_cannot_be_read(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, _ = await town.pair()
        (carol,) = await town.people(1)
        await town.node.position(room, alice)
        town.faults.fail_next(method="load")
        answer = Answer[bool]()
        town.node.tell(room, Attach(Listening(carol), answer.reply()))
        await wait_all_tasks_blocked()
        assert answer.code is ErrorCode.UNAVAILABLE


async def test_an_unexpected_refusal_at_the_start_is_a_crash(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, _ = await town.pair()
        town.faults.fail_next(ChatError(ErrorCode.INTERNAL_ERROR, "what?"), method="load")
        assert (await town.node.post(room, alice, "one")).seq == 1
        assert town.node.count(EventKind.CRASHED) == 1
