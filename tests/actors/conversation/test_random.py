"""Everything at once, at random: nodes over one store and a hub that loses and doubles, crashes, outages, removals."""

import random
from contextlib import suppress
from math import inf
from uuid import UUID

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from actors.conversation.messages import Post
from actors.conversation.policy import ConversationPolicy
from actors.conversation.subscription import Encoded, Topic
from actors.runtime.reply import Reply
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Appended, Participant
from chathttp.session.replay import From
from tests.kit.conversations import Node, Town, open_town
from tests.kit.followers import Follower
from tests.kit.listening import Listening

POLICY = ConversationPolicy(
    batch_limit=4, idle_seconds=1.5, fanout_slice=2, recent_events=4, history_page=3, flush_timeout=1.0
)
CHAOS_SECONDS = 12.0
METHODS = ("append", "edit", "delete", "load", "events", "find", "save_marks", "remove_member", "add_members")


@attrs.define
class World:
    town: Town
    room: UUID
    owner: UUID
    member: UUID
    guest: UUID
    rng: random.Random
    removed_at: int = 0
    refusals: set[ErrorCode] = attrs.field(factory=set[ErrorCode])
    acknowledged: list[Appended] = attrs.field(factory=list[Appended])

    def node(self) -> Node:
        return self.rng.choice(self.town.nodes)

    def may_hear(self, user_id: UUID, event: Encoded) -> bool:
        """Nothing that happened after a removal reaches who was removed."""
        return self.is_member(user_id) or event.rev < self.removed_at

    def is_member(self, user_id: UUID) -> bool:
        return user_id in self.town.state.rooms[self.room].participants

    async def write(self, user_id: UUID, name: str) -> None:
        """Post with keys, each until it is answered; change some of what was posted."""
        mine: list[UUID] = []
        number = 0
        while True:
            await trio.sleep(self.rng.random() * 0.4)
            try:
                if mine and self.rng.random() < 0.3:
                    await self._change(user_id, self.rng.choice(mine))
                else:
                    key = f"{name}{number}"
                    answer = await self.node().post(self.room, user_id, key, key=key, timeout=3)
                    self.acknowledged.append(answer)
                    mine.append(answer.id)
                    number += 1
            except ChatError as error:
                self.refusals.add(error.code)

    async def _change(self, user_id: UUID, message_id: UUID) -> None:
        if self.rng.random() < 0.3:
            await self.node().delete(self.room, message_id, user_id)
        else:
            await self.node().edit(self.room, message_id, user_id, f"edited {self.rng.random()}")

    async def burst(self) -> None:
        """Posts that wait together, without keys; the answers go where they are counted."""
        while True:
            await trio.sleep(self.rng.random() * 3)
            node = self.node()
            for number in range(self.rng.randrange(2, 10)):
                message = node.message(self.room, self.owner, f"burst {number}")
                deadline = trio.current_time() + self.rng.choice([0.01, 5])
                try:
                    node.tell(self.room, Post(message, self._reply(deadline)))
                except ChatError:
                    break

    def _reply(self, deadline: float) -> Reply[Appended]:
        def answered(answer: Appended | ChatError) -> None:
            if not isinstance(answer, ChatError):
                self.acknowledged.append(answer)

        return Reply[Appended].to(answered, deadline)

    async def come_and_go(self) -> None:
        while True:
            await trio.sleep(self.rng.random() * 3)
            with suppress(ChatError):
                if self.is_member(self.guest):
                    await self.node().remove(self.room, self.owner, self.guest)
                else:
                    await self.node().add(self.room, self.owner, self.guest)

    async def break_things(self) -> None:
        while True:
            await trio.sleep(self.rng.random())
            faults = self.town.faults
            match self.rng.randrange(5):
                case 0:
                    self.node().encoder.crashes += 1
                case 1 | 2:
                    error = RuntimeError("boom") if self.rng.random() < 0.5 else None
                    method = self.rng.choice(METHODS)
                    faults.fail_next(error, method=method, after_commit=self.rng.random() < 0.5)
                case 3:
                    method = self.rng.choice([None, "append", "load", "events"])
                    faults.pause(method)
                    try:
                        await trio.sleep(self.rng.random())
                    finally:
                        faults.resume(method)
                case _:
                    for _ in range(3):
                        faults.fail_next(method=self.rng.choice(["load", "events", "oldest", "event_floor"]))

    async def break_hub(self) -> None:
        """It is away at times, and else loses, delays and doubles; sweeps run all the time, as a bridge has them."""
        hub = self.town.hub
        while True:
            hub.away = self.rng.random() < 0.3
            hub.loss, hub.doubling = self.rng.choice([0, 0, 0.2]), self.rng.choice([0, 0.2])
            slowest = self.rng.choice([0, 0.01, 0.5])
            hub.delay = lambda slowest=slowest: self.rng.random() * slowest
            await trio.sleep(self.rng.random() * 3)

    def calm_hub(self) -> None:
        hub = self.town.hub
        hub.away, hub.loss, hub.doubling, hub.delay = False, 0, 0, lambda: 0.0

    async def sweep(self) -> None:
        while True:
            await trio.sleep(1)
            for node in self.town.nodes:
                node.line.sweep()

    async def read(self) -> None:
        """Members read on any node."""
        while True:
            await trio.sleep(self.rng.random() * 0.5)
            stored = self.town.state.rooms[self.room]
            user_id = self.rng.choice([self.owner, self.member])
            with suppress(ChatError):
                await self.node().read(self.room, user_id, self.rng.randint(0, stored.last_seq + 1))

    async def watch_marks(self) -> None:
        """Nobody who stays at a node ever sees a read mark fall, nor does a stored one."""
        seen: dict[tuple[int, str], int] = {}
        ears = [await self._ear(node) for node in self.town.nodes]
        while True:
            await trio.sleep(0.1)
            for number, ear in enumerate(ears):
                for notice in ear.take_notices():
                    key = (number, notice["user"])
                    assert notice["read"] >= seen.get(key, 0)
                    seen[key] = notice["read"]
            for user_id in (self.owner, self.member):
                key = (-1, str(user_id))
                read, _ = self.town.stored(self.room, user_id)
                assert read >= seen.get(key, 0)
                seen[key] = read

    async def _ear(self, node: Node) -> Listening:
        """Crashes come only later."""
        return await node.listen(self.room, self.owner, Topic.READ)


class Members(dict[UUID, Participant]):
    """Participants that note the rev at which one is removed: the store raises it after the removal, at once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._room = world.town.state.rooms[world.room]
        super().__init__(self._room.participants)

    def __delitem__(self, user_id: UUID) -> None:
        self._world.removed_at = self._room.rev + 1
        super().__delitem__(user_id)


async def scenario(seed: int) -> None:
    rng = random.Random(seed)
    async with open_town(POLICY, nodes=rng.choice([2, 3]), joined=True) as town:
        owner, member, guest = await town.people(3)
        room = await town.group(owner, member, guest)
        world = World(town, room, owner, member, guest, rng)
        town.state.rooms[room].participants = Members(world)
        followers = [
            Follower(room, user_id, by, random.Random(rng.random()), world.may_hear)
            for user_id in (owner, member, guest)
            for by in (From.REV, From.SEQ)
        ]
        calm = False

        def lifetime() -> float:
            return inf if calm else rng.random() * 4

        for follower in followers:
            town.nursery.start_soon(follower.follow, world.node, lifetime, rng.choice([1, 3, 50]))
        town.nursery.start_soon(world.sweep)
        town.nursery.start_soon(world.watch_marks)
        with trio.move_on_after(CHAOS_SECONDS):
            async with trio.open_nursery() as chaos:
                chaos.start_soon(world.write, owner, "o")
                chaos.start_soon(world.write, guest, "g")
                chaos.start_soon(world.burst)
                chaos.start_soon(world.read)
                chaos.start_soon(world.break_hub)
                chaos.start_soon(world.come_and_go)
                chaos.start_soon(world.break_things)
        calm = True
        world.calm_hub()
        while not world.is_member(guest):
            with suppress(ChatError, RuntimeError):
                await town.node.chat.conversations.add_members(room, owner, [guest], max_members=10)
        await trio.sleep(60)
        check(world, followers)
        for node in town.nodes:
            for user_id, mark in (await node.marks(room)).items():
                assert (mark.read_seq, mark.delivered_seq) == town.stored(room, user_id)
            assert node.line.following == {room}


def check(world: World, followers: list[Follower]) -> None:
    stored = world.town.state.rooms[world.room]
    assert sorted(stored.messages) == list(range(1, stored.last_seq + 1))
    assert len(world.acknowledged) > 3
    assert world.refusals <= {ErrorCode.UNAVAILABLE, ErrorCode.FORBIDDEN, ErrorCode.CONFLICT}
    for answer in world.acknowledged:
        assert stored.seq_of[answer.id] == answer.seq
    texts = {seq: message.text for seq, message in stored.messages.items()}
    for follower in followers:
        assert follower.last_seq == stored.last_seq
        if follower.by is From.REV:
            assert follower.texts == texts


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 2**32))
def test_every_client_sees_each_message_once_in_order_whatever_fails(seed: int) -> None:
    trio.run(scenario, seed, clock=MockClock(autojump_threshold=0))
