"""Random users on several devices against a small model: marks and unread counts are right after every path."""

import random
from collections.abc import AsyncGenerator
from uuid import UUID

import attrs
import pytest

from actors.conversation.messages import MarkDelivered
from chathttp.settings import Settings
from tests.kit.rest import RestKit, open_rest

STEPS = 150


@pytest.fixture
async def rest() -> AsyncGenerator[RestKit]:
    async with open_rest(Settings(send_rate=10_000, send_burst=10_000)) as kit:
        yield kit


@attrs.define
class Marks:
    read: int = 0
    delivered: int = 0

    def move(self, read: int, delivered: int = 0) -> None:
        """Never back, and who has read has got it."""
        self.read = max(self.read, read)
        self.delivered = max(self.delivered, delivered, self.read)


@attrs.define
class World:
    """A group of which the first user is the owner, who stays."""

    rest: RestKit
    rng: random.Random
    users: list[tuple[str, str]]
    """Ids and tokens."""
    group: str
    marks: dict[int, Marks]
    """Of the members."""
    messages: list[tuple[str, int]] = attrs.field(factory=list[tuple[str, int]])
    """Id and sender of each `seq`, from 1 on."""
    dead: set[int] = attrs.field(factory=set[int])

    @property
    def last(self) -> int:
        return len(self.messages)

    async def call(self, user: int, method: str, path: str, body: object = None, *, status: int) -> None:
        answer = await self.rest.call(method, path, body, token=self.users[user][1])
        assert answer.status == status, answer.body

    async def send(self, user: int) -> None:
        given = {"conversationId": self.group, "text": f"Text {self.last}"}
        answer = await self.rest.call("POST", "/api/messages", given, token=self.users[user][1])
        assert (answer.status, answer.json["seq"]) == (201, self.last + 1)
        self.messages.append((answer.json["id"], user))
        self.marks[user].move(self.last, self.last)

    async def read_up_to(self, user: int) -> None:
        """One device may be behind another, or speak of what is not there yet."""
        seq = self.rng.randint(0, self.last + 3)
        await self.call(user, "PUT", f"/api/conversations/{self.group}/read", {"seq": seq}, status=204)
        self.marks[user].move(min(seq, self.last))

    async def read_message(self, user: int) -> None:
        if self.messages:
            seq = self.rng.randint(1, self.last)
            await self.call(user, "PUT", f"/api/messages/{self.messages[seq - 1][0]}/read", status=204)
            self.marks[user].move(seq)

    async def get(self, user: int) -> None:
        """A device acknowledges what it got."""
        seq, user_id = self.rng.randint(0, self.last), UUID(self.users[user][0])
        _: None = await self.rest.conversations.ref(UUID(self.group)).ask(
            lambda reply: MarkDelivered(user_id, seq, reply, durable=True), timeout=5.0
        )
        self.marks[user].move(0, seq)

    async def edit(self, user: int) -> None:
        for seq, (message_id, sender) in enumerate(self.messages, 1):
            if sender == user and seq not in self.dead:
                await self.call(user, "PATCH", f"/api/messages/{message_id}", {"text": "Changed"}, status=200)
                return

    async def erase(self, user: int) -> None:
        """A tombstone counts as it did before."""
        for seq, (message_id, sender) in enumerate(self.messages, 1):
            if sender == user and seq not in self.dead:
                await self.call(user, "DELETE", f"/api/messages/{message_id}", status=204)
                self.dead.add(seq)
                return

    async def leave(self, user: int) -> None:
        if user != 0:
            path = f"/api/conversations/{self.group}/participants/{self.users[user][0]}"
            await self.call(user, "DELETE", path, status=204)
            del self.marks[user]

    async def come_back(self, user: int) -> None:
        given = {"userIds": [self.users[user][0]]}
        await self.call(0, "POST", f"/api/conversations/{self.group}/participants", given, status=200)
        self.marks[user] = Marks(self.last, self.last)

    async def step(self) -> None:
        user = self.rng.randrange(len(self.users))
        if user not in self.marks:
            await self.come_back(user)
            return
        await self.rng.choice(
            [self.send, self.send, self.read_up_to, self.read_message, self.get, self.edit, self.erase, self.leave]
        )(user)

    async def check(self) -> None:
        """What each member sees is what the model says, in each place where it is to be seen."""
        shown = {self.users[user][0]: (marks.read, marks.delivered) for user, marks in self.marks.items()}
        for user, marks in self.marks.items():
            token = self.users[user][1]
            one = (await self.rest.call("GET", f"/api/conversations/{self.group}", token=token)).json
            listed = (await self.rest.call("GET", "/api/conversations", token=token)).json[0]
            for found in (one, listed):
                assert (found["lastSeq"], found["unreadCount"]) == (self.last, self.last - marks.read)
                assert {
                    each["userId"]: (each["lastReadSeq"], each["lastDeliveredSeq"]) for each in found["participants"]
                } == shown
            path = f"/api/messages?conversationId={self.group}&size=200"
            page = (await self.rest.call("GET", path, token=token)).json["content"]
            assert {each["seq"]: each["isRead"] for each in page} == {
                seq: seq <= marks.read for seq in range(1, self.last + 1)
            }


@pytest.mark.parametrize("seed", range(4))
async def test_marks_and_unread_counts_are_those_of_the_model(rest: RestKit, seed: int) -> None:
    rng = random.Random(seed)
    people = [await rest.user(f"User {number}") for number in range(4)]
    group = await rest.group(people[0][1], *(user_id for user_id, _ in people[1:]))
    users = [(str(user_id), token) for user_id, token in people]
    world = World(rest, rng, users, group, {number: Marks() for number in range(len(users))})
    for number in range(STEPS):
        await world.step()
        if number % 5 == 0:
            await world.check()
    await world.check()
    assert world.last > STEPS // 10
