"""One long random story told to the twin and to PostgreSQL: all answers are the same but for the times."""

import random
import re
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import pytest

from chatcore.errors import ChatError
from chatcore.model import Appended, Mark, NewMessage, Role
from tests.kit.chat import Chat, database_for_tests, memory_chat, postgres_chat, running

STEPS = 600

Step = Callable[[Chat], Awaitable[object]]


def timeless(value: object) -> str:
    return re.sub(r"datetime\.datetime\([^)]*\)", "…", repr(value))


class Author:
    """Draws the next step, from what the story has so far."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.users: list[UUID] = []
        self.rooms: list[UUID] = []
        self.messages: list[tuple[UUID, UUID]] = []
        self.sent: list[NewMessage] = []

    def new_id(self) -> UUID:
        return UUID(int=self.rng.getrandbits(128), version=4)

    def user(self) -> UUID:
        return self.rng.choice(self.users) if self.rng.random() < 0.97 else self.new_id()

    def room(self) -> UUID:
        return self.rng.choice(self.rooms) if self.rng.random() < 0.97 else self.new_id()

    def message(self) -> tuple[UUID, UUID]:
        """Conversation and id."""
        if self.messages and self.rng.random() < 0.95:
            return self.rng.choice(self.messages)
        return self.room(), self.new_id()

    def learn(self, sent: Sequence[NewMessage], outcomes: Sequence[Appended | ChatError]) -> None:
        for message, outcome in zip(sent, outcomes, strict=True):
            if isinstance(outcome, Appended) and outcome.was_new:
                self.messages.append((message.conversation_id, message.id))

    def batch(self) -> list[NewMessage]:
        messages: list[NewMessage] = []
        for _ in range(self.rng.randint(1, 6)):
            client_id = self.rng.choice([None, None, "a", "b", str(self.rng.random())])
            reply_to = self.message()[1] if self.rng.random() < 0.2 else None
            text = "\x00" if self.rng.random() < 0.05 else "hello"
            messages.append(NewMessage(self.new_id(), self.room(), self.user(), text, client_id, reply_to))
        if self.sent and self.rng.random() < 0.2:
            messages.append(self.rng.choice(self.sent))
        self.sent += messages
        return messages

    def step(self) -> Step:
        by, user, room = self.user(), self.user(), self.room()
        where, message = self.message()
        rev, span, limit = self.rng.randint(0, 60), self.rng.randint(0, 60), self.rng.randint(1, 12)
        mark = Mark(user, self.rng.randint(0, 40), self.rng.randint(0, 40))
        moderator = self.rng.random() < 0.2
        emoji, present, role = self.rng.choice("😀👍🎉❤"), self.rng.random() < 0.7, self.rng.choice(list(Role))
        steps: list[Step] = [
            lambda chat: chat.log.edit(where, message, by, "edited"),
            lambda chat: chat.log.delete(where, message, by, moderator=moderator),
            lambda chat: chat.conversations.add_members(room, by, [user], max_members=5),
            lambda chat: chat.conversations.remove_member(room, by, user),
            lambda chat: chat.log.react(where, message, by, emoji, present=present, max_distinct=3),
            lambda chat: chat.groups.change_role(room, by, user, role),
            lambda chat: chat.relations.block(by, user, max_blocks=2),
            lambda chat: chat.relations.unblock(by, user),
            lambda chat: chat.conversations.change_details(room, by, name=f"{rev}", avatar_url=None),
            lambda chat: chat.conversations.save_marks(room, [mark]),
            lambda chat: chat.conversations.load(room),
            lambda chat: chat.history.newest(room, before_seq=rev, limit=limit),
            lambda chat: chat.history.oldest(room, after_seq=rev, limit=limit),
            lambda chat: chat.history.changed(room, after_rev=rev, limit=limit),
            lambda chat: chat.history.events(room, after_rev=rev, upto_rev=rev + span, limit=limit),
            lambda chat: chat.history.event_floor(room, after_rev=rev, upto_rev=rev + span, limit=limit),
        ]
        return self.rng.choice(steps)


async def told(chat: Chat, step: Step) -> object:
    try:
        return await step(chat)
    except ChatError as refusal:
        return refusal


@pytest.mark.parametrize("seed", range(3))
async def test_a_random_story_has_the_same_answers_on_both(seed: int, database_url: str) -> None:
    async with running(database_for_tests(database_url)) as database:
        twin, real = memory_chat(), postgres_chat(database)
        author = Author(seed)
        for chat in (twin, real):
            author.users = await chat.people(5)
            author.rooms = [await chat.group(*author.users[i:]) for i in range(3)]
            author.rooms.append(await chat.direct(*author.users[:2]))
        for _ in range(STEPS):
            if author.rng.random() < 0.4:
                sent = author.batch()
                outcomes = await twin.log.append(sent)
                assert timeless(await real.log.append(sent)) == timeless(outcomes)
                author.learn(sent, outcomes)
            else:
                step = author.step()
                assert timeless(await told(real, step)) == timeless(await told(twin, step))
        assert len(author.messages) >= 100
        for room in author.rooms:
            assert timeless(await real.load(room)) == timeless(await twin.load(room))
            events = [
                await chat.history.events(room, after_rev=0, upto_rev=10**6, limit=10**6) for chat in (twin, real)
            ]
            assert timeless(events[0]) == timeless(events[1])
