"""What clients are given of a conversation that retention cuts meanwhile, held against a model of it."""

import json
import random
from uuid import UUID, uuid4

import attrs
import pytest
from trio.testing import MockClock

from actors.conversation.messages import Edit, Post, Refresh
from chatcore.model import Appended, Event, NewMessage
from tests.kit.house import House, open_house
from tests.kit.session import MemoryClient

STEPS = 60
Seen = tuple[str | None, int, int, str, bool]
"""Event, seq, rev and text of a MESSAGE, and whether history before it was truncated."""


@attrs.define
class Told:
    id: UUID
    seq: int
    created_rev: int
    rev: int
    text: str


@attrs.define
class Model:
    """What there is, and what was cut from its old end."""

    rev: int = 0
    last_seq: int = 0
    cut_rev: int = 0
    messages: list[Told] = attrs.field(factory=list[Told])

    @property
    def first_seq(self) -> int:
        return self.messages[0].seq if self.messages else self.last_seq + 1

    def append(self, message_id: UUID, text: str) -> None:
        self.rev += 1
        self.last_seq += 1
        self.messages.append(Told(message_id, self.last_seq, self.rev, self.rev, text))

    def edit(self, told: Told, text: str) -> None:
        self.rev += 1
        told.rev, told.text = self.rev, text

    def cut(self, count: int) -> None:
        gone = self.messages[:count]
        if gone:
            self.rev += 1
            self.cut_rev = gone[-1].created_rev
            del self.messages[:count]

    def after_seq(self, seq: int) -> list[Seen]:
        created = [(each.created_rev, "message.created", each) for each in self.messages if each.seq > seq]
        return self._seen(created, truncated=seq < self.first_seq - 1)

    def after_rev(self, rev: int) -> list[Seen]:
        events = [(each.created_rev, "message.created", each) for each in self.messages]
        events += [(each.rev, "message.updated", each) for each in self.messages if each.rev > each.created_rev]
        return self._seen([each for each in events if each[0] > rev], truncated=rev < self.cut_rev)

    def _seen(self, events: list[tuple[int, str, Told]], *, truncated: bool) -> list[Seen]:
        ordered = sorted(events, key=lambda each: each[0])
        return [
            (kind, each.seq, rev, each.text, truncated and number == 0)
            for number, (rev, kind, each) in enumerate(ordered)
        ]


async def seen(client: MemoryClient) -> list[Seen]:
    return [
        (
            frame.header("event"),
            int(frame.header("seq") or 0),
            int(frame.header("rev") or 0),
            json.loads(frame.body)["text"],
            frame.header("history-truncated") == "true",
        )
        for frame in await client.settled()
        if frame.command == "MESSAGE"
    ]


class Story:
    """Random steps, told to the house and to the model."""

    def __init__(self, house: House, alice: UUID, group: UUID, seed: int) -> None:
        self.house, self.alice, self.group = house, alice, group
        self.rng = random.Random(seed)
        self.model = Model()

    async def step(self) -> None:
        roll = self.rng.random()
        if roll < 0.45:
            await self._append()
        elif roll < 0.6 and self.model.messages:
            await self._edit(self.rng.choice(self.model.messages))
        elif roll < 0.75:
            await self._cut(self.rng.randint(1, 5))
        else:
            await self._resume()

    async def _append(self) -> None:
        new = NewMessage(uuid4(), self.group, self.alice, f"text {self.rng.random()}")
        ref = self.house.conversations.ref(self.group)
        appended: Appended = await ref.ask(lambda reply: Post(new, reply), timeout=5)
        self.model.append(new.id, new.text)
        assert (appended.seq, appended.rev) == (self.model.last_seq, self.model.rev)

    async def _edit(self, told: Told) -> None:
        text = f"edited {self.rng.random()}"
        ref = self.house.conversations.ref(self.group)
        event: Event = await ref.ask(lambda reply: Edit(told.id, self.alice, text, reply), timeout=5)
        self.model.edit(told, text)
        assert event.rev == self.model.rev

    async def _cut(self, count: int) -> None:
        cut = await self.house.chat.retention.cut(self.group, older_than=-1.0, limit=count)
        self.model.cut(count)
        assert cut.rev == self.model.rev
        _: None = await self.house.conversations.ref(self.group).ask(Refresh, timeout=5)

    async def _resume(self) -> None:
        client = await self.house.client(self.alice)
        by_seq = self.rng.random() < 0.5
        number = self.rng.randint(0, self.model.last_seq if by_seq else self.model.rev)
        header = {"last-seq" if by_seq else "last-rev": str(number)}
        destination = f"/topic/conversation.{self.group}"
        client.send("SUBSCRIBE", b"", id="s", destination=destination, **header)
        expected = self.model.after_seq(number) if by_seq else self.model.after_rev(number)
        assert await seen(client) == expected
        client.transport.hang_up()


@pytest.mark.parametrize("seed", range(8))
async def test_every_resume_has_what_is_left_and_tells_what_is_not(seed: int, autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice = await house.user("alice")
        group = await house.group(alice)
        story = Story(house, alice, group, seed)
        live = await house.client(alice)
        live.send("SUBSCRIBE", b"", id="live", destination=f"/topic/conversation.{group}")
        await live.settled()
        for _ in range(STEPS):
            await story.step()
        revs = [rev for _, _, rev, _, _ in await seen(live)]
        assert revs == sorted(set(revs))
        assert story.model.last_seq >= 10
        assert story.model.first_seq > 1
        history = await house.chat.history.oldest(group, after_seq=0, limit=999)
        assert [(each.seq, each.text) for each in history] == [(each.seq, each.text) for each in story.model.messages]
