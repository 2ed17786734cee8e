"""Who types is told to who asks, and ends by itself."""

from uuid import UUID

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.conversation.policy import ConversationPolicy
from actors.conversation.subscription import Topic
from chatcore.errors import ChatError, ErrorCode
from tests.kit.conversations import open_town


def says(user_id: UUID, *typing: bool) -> list[dict[str, object]]:
    return [{"user": str(user_id), "typing": each} for each in typing]


@pytest.mark.contract("SEND /app/typing.start")
async def test_typing_ends_six_seconds_after_the_last_start_of_many(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob, Topic.TYPING)
        start = trio.current_time()
        ends: list[float] = []
        for _ in range(3):
            await town.node.start_typing(room, alice)
            await trio.sleep(4)
        assert his.take_notices() == says(alice, True)
        his.on_deliver = lambda: ends.append(trio.current_time() - start)
        await trio.sleep(60)
        assert his.notices == says(alice, False)
        assert ends == [pytest.approx(14)]


@pytest.mark.contract("SEND /app/typing.stop")
async def test_a_stop_and_a_sent_message_end_typing(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob, Topic.TYPING)
        await town.node.start_typing(room, alice)
        await town.node.stop_typing(room, alice)
        await town.node.stop_typing(room, alice)
        assert his.take_notices() == says(alice, True, False)
        await trio.sleep(1)
        await town.node.start_typing(room, alice)
        await town.node.post(room, bob, "another's message ends nothing")
        await town.node.post(room, alice, "mine does")
        await trio.sleep(60)
        assert his.take_notices() == says(alice, True, False)


@pytest.mark.contract("limit typing events a second")
async def test_excess_starts_are_dropped_silently_and_stops_are_not(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob, Topic.TYPING)
        for _ in range(5):
            await town.node.start_typing(room, alice)
            await town.node.stop_typing(room, alice)
        assert his.take_notices() == says(alice, True, False)
        await trio.sleep(60)
        assert his.take_notices() == []


async def test_a_new_subscription_first_hears_who_types_now(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        await town.node.start_typing(room, alice)
        his = await town.node.listen(room, bob, Topic.TYPING)
        assert his.take_notices() == says(alice, True)
        await trio.sleep(7)
        assert his.take_notices() == says(alice, False)
        assert (await town.node.listen(room, bob, Topic.TYPING)).notices == []


async def test_a_stranger_does_not_type() -> None:
    async with open_town() as town:
        room, _, bob = await town.pair()
        (stranger,) = await town.people(1)
        his = await town.node.listen(room, bob, Topic.TYPING)
        with pytest.raises(ChatError) as refusal:
            await town.node.start_typing(room, stranger)
        assert refusal.value.code is ErrorCode.FORBIDDEN
        await town.node.stop_typing(room, stranger)
        assert his.notices == []


async def test_typing_goes_on_while_the_database_is_away(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob, Topic.TYPING)
        town.faults.pause()
        await town.node.start_typing(room, alice)
        await trio.sleep(7)
        assert his.notices == says(alice, True, False)
        town.faults.resume()


async def test_typing_is_told_in_slices_and_not_to_who_has_gone() -> None:
    async with open_town(ConversationPolicy(fanout_slice=2)) as town:
        room, alice, bob = await town.pair()
        his = [await town.node.listen(room, bob, Topic.TYPING) for _ in range(5)]
        other_topic = await town.node.listen(room, bob, Topic.READ)
        his[3].closed = True
        await town.node.start_typing(room, alice)
        await wait_all_tasks_blocked()
        assert [len(each.notices) for each in his] == [1, 1, 1, 0, 1]
        assert other_topic.notices == []
