"""Conversation actors over in-memory storage, without a network: nodes and their people."""

import math
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from actors.adapters.memory import ChatState, Faults, MemoryChat
from actors.conversation.directory import Conversations, supervise_conversations
from actors.conversation.messages import (
    AddMembers,
    Attach,
    ChangeDetails,
    ChangeRole,
    ConversationMessage,
    Delete,
    DeleteConversation,
    Detach,
    Edit,
    Join,
    MarkDelivered,
    MarkRead,
    Marks,
    Position,
    Post,
    React,
    Refresh,
    RemoveMember,
    StartTyping,
    StopTyping,
)
from actors.conversation.policy import ConversationPolicy
from actors.conversation.room import ConversationServices
from actors.conversation.subscription import Topic
from actors.ports import Roster
from actors.runtime import EventKind, RestartIntensity, SupervisorEvent
from actors.runtime.reply import Reply
from actors.users.actor import Users
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Appended, ConversationType, Event, Mark, NewMessage, Role
from tests.kit.hub import Hub, Line
from tests.kit.listening import Encoder, Listening
from tests.kit.watch import Watch

T = TypeVar("T")

TIMEOUT = 10.0
PATIENT = RestartIntensity(max_restarts=1000, within=1.0, backoff_initial=0.01, backoff_max=0.05)


@attrs.define(eq=False)
class Answer(Generic[T]):
    """Keeps what a reply was settled with."""

    results: list[T | ChatError] = attrs.field(factory=list[T | ChatError])

    def reply(self, deadline: float = math.inf) -> Reply[T]:
        return Reply[T].to(self.results.append, deadline)

    @property
    def value(self) -> T:
        (result,) = self.results
        assert not isinstance(result, ChatError), result
        return result

    @property
    def code(self) -> ErrorCode:
        (result,) = self.results
        assert isinstance(result, ChatError), result
        return result.code


@attrs.define(eq=False)
class Node:
    """The conversations of one server."""

    chat: MemoryChat
    conversations: Conversations
    users: Users
    encoder: Encoder
    line: Line
    watch: Watch
    events: list[SupervisorEvent]
    new_id: Callable[[], UUID]

    def count(self, kind: EventKind) -> int:
        return sum(event.kind is kind for event in self.events)

    def tell(self, conversation_id: UUID, message: ConversationMessage) -> None:
        self.conversations.ref(conversation_id).tell(message)

    async def ask(
        self, conversation_id: UUID, make: Callable[[Reply[T]], ConversationMessage], timeout: float = TIMEOUT
    ) -> T:
        return await self.conversations.ref(conversation_id).ask(make, timeout=timeout)

    def message(self, conversation_id: UUID, sender_id: UUID, text: str, key: str | None = None) -> NewMessage:
        return NewMessage(self.new_id(), conversation_id, sender_id, text, key)

    async def post(
        self, conversation_id: UUID, sender_id: UUID, text: str, key: str | None = None, timeout: float = TIMEOUT
    ) -> Appended:
        message = self.message(conversation_id, sender_id, text, key)
        return await self.ask(conversation_id, lambda reply: Post(message, reply), timeout)

    def send(self, conversation_id: UUID, sender_id: UUID, *texts: str) -> list["Answer[Appended]"]:
        """Posts whose answers are not waited for."""
        answers = [Answer[Appended]() for _ in texts]
        for text, answer in zip(texts, answers, strict=True):
            self.tell(conversation_id, Post(self.message(conversation_id, sender_id, text), answer.reply()))
        return answers

    async def edit(self, conversation_id: UUID, message_id: UUID, editor_id: UUID, text: str) -> Event:
        return await self.ask(conversation_id, lambda reply: Edit(message_id, editor_id, text, reply))

    async def delete(self, conversation_id: UUID, message_id: UUID, user_id: UUID) -> Event | None:
        return await self.ask(conversation_id, lambda reply: Delete(message_id, user_id, False, reply))

    async def add(self, conversation_id: UUID, by: UUID, *user_ids: UUID) -> Roster:
        return await self.ask(conversation_id, lambda reply: AddMembers(by, user_ids, reply))

    async def remove(self, conversation_id: UUID, by: UUID, user_id: UUID) -> Roster:
        return await self.ask(conversation_id, lambda reply: RemoveMember(by, user_id, reply))

    async def change_role(self, conversation_id: UUID, by: UUID, user_id: UUID, role: Role) -> Roster:
        return await self.ask(conversation_id, lambda reply: ChangeRole(by, user_id, role, reply))

    async def delete_conversation(self, conversation_id: UUID, by: UUID, *, administrator: bool = False) -> Roster:
        return await self.ask(conversation_id, lambda reply: DeleteConversation(by, administrator, reply))

    async def react(
        self, conversation_id: UUID, message_id: UUID, user_id: UUID, emoji: str, *, present: bool = True
    ) -> Event | None:
        return await self.ask(conversation_id, lambda reply: React(message_id, user_id, emoji, present, reply))

    async def change_name(self, conversation_id: UUID, by: UUID, name: str) -> Roster:
        return await self.ask(conversation_id, lambda reply: ChangeDetails(by, name, None, reply))

    async def position(self, conversation_id: UUID, user_id: UUID) -> Position:
        return await self.ask(conversation_id, lambda reply: Join(user_id, reply))

    async def attach(self, conversation_id: UUID, subscription: Listening) -> bool:
        return await self.ask(conversation_id, lambda reply: Attach(subscription, reply))

    async def listen(self, conversation_id: UUID, user_id: UUID, topic: Topic = Topic.MESSAGES) -> Listening:
        """A subscription from now on."""
        subscription = Listening(user_id, topic)
        assert await self.attach(conversation_id, subscription)
        return subscription

    def leave(self, conversation_id: UUID, subscription: Listening) -> None:
        subscription.closed = True
        self.tell(conversation_id, Detach(subscription))

    async def read(self, conversation_id: UUID, user_id: UUID, seq: int, *, durable: bool = False) -> None:
        _: None = await self.ask(conversation_id, lambda reply: MarkRead(user_id, seq, reply, durable))

    async def delivered(self, conversation_id: UUID, user_id: UUID, seq: int, *, durable: bool = False) -> None:
        _: None = await self.ask(conversation_id, lambda reply: MarkDelivered(user_id, seq, reply, durable))

    async def marks(self, conversation_id: UUID) -> dict[UUID, Mark]:
        marks: Mapping[UUID, Mark] = await self.ask(conversation_id, Marks)
        return dict(marks)

    async def start_typing(self, conversation_id: UUID, user_id: UUID) -> None:
        _: None = await self.ask(conversation_id, lambda reply: StartTyping(user_id, reply))

    async def stop_typing(self, conversation_id: UUID, user_id: UUID) -> None:
        _: None = await self.ask(conversation_id, lambda reply: StopTyping(user_id, reply))

    async def refresh(self, conversation_id: UUID) -> None:
        self.tell(conversation_id, Refresh())
        await wait_all_tasks_blocked()


@attrs.define
class Town:
    """Nodes over one store, and its people. The first node is `node`."""

    state: ChatState
    nodes: list[Node]
    hub: Hub
    nursery: trio.Nursery
    ids: random.Random

    @property
    def node(self) -> Node:
        return self.nodes[0]

    @property
    def faults(self) -> Faults:
        return self.state.faults

    def new_id(self) -> UUID:
        return UUID(int=self.ids.getrandbits(128), version=4)

    async def people(self, count: int) -> list[UUID]:
        ids = [self.new_id() for _ in range(count)]
        for number, user_id in enumerate(ids):
            await self.node.chat.users.add(user_id, f"{user_id}@example.com", f"User {number}")
        return ids

    async def group(self, owner: UUID, *others: UUID) -> UUID:
        conversation_id = self.new_id()
        await self.node.chat.conversations.create(conversation_id, ConversationType.GROUP, owner, others, "Group", None)
        return conversation_id

    async def pair(self) -> tuple[UUID, UUID, UUID]:
        """A group of two, its owner first."""
        alice, bob = await self.people(2)
        return await self.group(alice, bob), alice, bob

    def texts(self, conversation_id: UUID) -> list[str]:
        """What is stored, by seq."""
        room = self.state.rooms[conversation_id]
        return [room.messages[seq].text for seq in sorted(room.messages)]

    def stored(self, conversation_id: UUID, user_id: UUID) -> tuple[int, int]:
        """The stored read and delivered mark."""
        member = self.state.rooms[conversation_id].participants[user_id]
        return member.last_read_seq, member.last_delivered_seq


@asynccontextmanager
async def open_town(
    policy: ConversationPolicy | None = None,
    *,
    nodes: int = 1,
    intensity: RestartIntensity = PATIENT,
    max_conversations: int = 100,
    users_capacity: int = 1000,
    joined: bool = False,
) -> AsyncGenerator[Town]:
    """Runs until the block ends. The store's clock is Trio's. The nodes hear each other if they are `joined`."""
    state = ChatState(lambda: datetime.fromtimestamp(trio.current_time(), UTC))
    async with trio.open_nursery() as nursery:
        hub = Hub(state, nursery)
        town = Town(state, [], hub, nursery, random.Random(7))
        for _ in range(nodes):
            line, watch = hub.join(), Watch()
            line.alone = not joined
            chat, users, encoder = MemoryChat(state=state), Users(users_capacity, line), Encoder()
            events: list[SupervisorEvent] = []
            conversations = supervise_conversations(
                ConversationServices(
                    chat.log,
                    chat.history,
                    chat.conversations,
                    users,
                    encoder,
                    policy or ConversationPolicy(),
                    line,
                    watch,
                    chat.groups,
                ),
                max_conversations=max_conversations,
                intensity=intensity,
                rng=random.Random(7),
                on_event=events.append,
            )
            line.conversations, line.users = conversations, users
            watch.conversations = conversations
            town.nodes.append(Node(chat, conversations, users, encoder, line, watch, events, town.new_id))
            await nursery.start(conversations.run)
            nursery.start_soon(users.run)
        yield town
        nursery.cancel_scope.cancel()
