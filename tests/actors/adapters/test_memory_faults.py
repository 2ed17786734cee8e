"""Faults to order in the in-memory twins."""

from datetime import UTC, datetime

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.adapters.memory import MemoryChat
from chatcore.errors import ChatError, ErrorCode
from tests.kit.chat import Chat, chat_over


@pytest.fixture
def twin() -> MemoryChat:
    return MemoryChat()


@pytest.fixture
def chat(twin: MemoryChat) -> Chat:
    return chat_over(twin)


async def test_a_failure_hits_the_next_call_only(twin: MemoryChat, chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    twin.faults.fail_next(method="append")
    assert await chat.conversations.load(room) is not None
    with pytest.raises(ChatError) as refusal:
        await chat.say(room, ann, "refused")
    assert refusal.value.code is ErrorCode.UNAVAILABLE
    [stored] = await chat.say(room, ann, "stored")
    assert stored.seq == 1
    assert twin.faults.calls["append"] == 2


async def test_failures_queue_up_and_may_hit_any_method(twin: MemoryChat, chat: Chat) -> None:
    twin.faults.fail_next(ValueError("one"))
    twin.faults.fail_next(ValueError("two"))
    for match in ("one", "two"):
        with pytest.raises(ValueError, match=match):
            await chat.user()
    await chat.user()


async def test_a_failure_after_the_commit_leaves_its_work(twin: MemoryChat, chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    message = chat.message(room, ann, client_message_id="x")
    twin.faults.fail_next(method="append", after_commit=True)
    with pytest.raises(ChatError):
        await chat.post(message)
    [repeated] = await chat.post(chat.message(room, ann, client_message_id="x"))
    assert (repeated.id, repeated.was_new) == (message.id, False)


async def test_paused_calls_wait_and_then_go_on(twin: MemoryChat, chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    twin.faults.pause("append")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(chat.say, room, ann, "waits")
        await wait_all_tasks_blocked()
        assert (await chat.load(room)).last_seq == 0
        twin.faults.resume("append")
    assert (await chat.load(room)).last_seq == 1


async def test_a_pause_of_all_holds_every_method(twin: MemoryChat, chat: Chat) -> None:
    twin.faults.pause()
    with trio.move_on_after(0.01) as scope:
        await chat.user()
    assert scope.cancelled_caught
    twin.faults.resume()
    await chat.user()


async def test_two_nodes_share_one_state() -> None:
    one = MemoryChat(now=lambda: datetime(2030, 1, 1, tzinfo=UTC))
    other = MemoryChat(state=one.state)
    chat, far = map(chat_over, (one, other))
    ann = await chat.user()
    room = await chat.group(ann)
    [stored] = await chat.say(room, ann, "hello")
    assert stored.created_at == datetime(2030, 1, 1, tzinfo=UTC)
    assert [each.id for each in await far.history.oldest(room, after_seq=0, limit=5)] == [stored.id]


async def test_retention_deletes_from_the_old_end(twin: MemoryChat, chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    sent = await chat.say(room, ann, *"abcde")
    twin.state.room(room).forget_before(4)
    after = await chat.load(room)
    assert (after.first_seq, after.last_seq) == (4, 5)
    assert [each.seq for each in await chat.history.oldest(room, after_seq=0, limit=9)] == [4, 5]
    assert await chat.history.find([sent[0].id]) == []
