"""What the room makes of batches that were had already, wholly or in part, as another node may send them."""

from datetime import UTC, datetime
from uuid import UUID

from actors.adapters.memory import ChatState, MemoryChat
from actors.bridge.alone import Alone
from actors.conversation.audience import Attendance, Audience
from actors.conversation.policy import ConversationPolicy
from actors.conversation.room import ConversationServices, Room
from actors.users.actor import Users
from chatcore.model import ConversationType, Event, NewMessage
from chatcore.typing import Typing
from tests.kit.listening import Encoder, Listening
from tests.kit.presence import Nobody

ALICE, ROOM = UUID(int=1), UUID(int=2)


async def open_room() -> tuple[MemoryChat, Room, Listening]:
    chat = MemoryChat(state=ChatState(lambda: datetime(2024, 1, 1, tzinfo=UTC)))
    await chat.users.add(ALICE, "alice@example.com", "Alice")
    conversation, _ = await chat.conversations.create(ROOM, ConversationType.GROUP, ALICE, [], "Group", None)
    services = ConversationServices(
        chat.log,
        chat.history,
        chat.conversations,
        Users(1),
        Encoder(),
        ConversationPolicy(),
        Alone(),
        Nobody(),
        chat.groups,
    )
    room = Room(services, conversation, Attendance(Audience(), Typing(6, 1)))
    listening = Listening(ALICE)
    assert room.attach(listening)
    return chat, room, listening


async def events(chat: MemoryChat, count: int) -> list[Event]:
    await chat.log.append([NewMessage(UUID(int=10 + n), ROOM, ALICE, f"{n}") for n in range(count)])
    return await chat.history.events(ROOM, after_rev=0, upto_rev=count, limit=count)


async def test_of_a_batch_that_was_had_in_part_the_rest_is_delivered() -> None:
    chat, room, listening = await open_room()
    all_events = await events(chat, 5)
    await room.admit(all_events[:3], 0)
    await room.admit(all_events[1:5], 1)
    assert listening.revs == [1, 2, 3, 4, 5]


async def test_a_batch_that_was_had_is_dropped() -> None:
    chat, room, listening = await open_room()
    all_events = await events(chat, 3)
    await room.admit(all_events, 0)
    await room.admit(all_events[:2], 0)
    await room.admit(all_events, 0)
    assert listening.revs == [1, 2, 3]


async def test_of_a_batch_that_is_ahead_nothing_is_left_out() -> None:
    chat, room, listening = await open_room()
    all_events = await events(chat, 5)
    await room.admit(all_events[3:4], 3)
    assert listening.revs == [1, 2, 3, 4]
    await room.admit(all_events[4:], 4)
    assert listening.revs == [1, 2, 3, 4, 5]
