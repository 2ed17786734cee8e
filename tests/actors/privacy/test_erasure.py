"""The erasure actor over the in-memory twin and real conversation actors."""

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.adapters.memory import MemoryChat
from actors.bridge.alone import Alone
from actors.conversation.directory import Conversations, supervise_conversations
from actors.conversation.messages import Refresh
from actors.conversation.policy import ConversationPolicy
from actors.conversation.room import ConversationServices
from actors.privacy.erased import Erased
from actors.privacy.erasure import ErasurePolicy, Erasures
from actors.privacy.ports import START
from actors.runtime.spec import RestartIntensity
from actors.users.actor import Users
from chatcore.model import Role
from chathttp.wire import JsonBodyEncoder
from tests.kit.chat import Chat, chat_over
from tests.kit.presence import Nobody

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = ErasurePolicy(tombstone=True, batch=2, pause=1.0, lease=30.0)


class Office:
    def __init__(self, twin: MemoryChat, conversations: Conversations, policy: ErasurePolicy) -> None:
        self.chat: Chat = chat_over(twin)
        self.faults = twin.faults
        self.others_told: list[UUID] = []
        self.closed: list[UUID] = []
        self._policy = policy
        self._conversations = conversations
        self.erased = Erased(twin.erasures, refresh_seconds=1.0, tell_others=self.others_told.append)
        self.erased.closers.append(self.closed.extend)

    def node(self) -> Erasures:
        return Erasures(
            self.chat.erasures,
            self.erased,
            lambda: self._conversations,
            self._policy,
            holder=uuid4(),
            changed=lambda conversation_id, _: self._conversations.ref(conversation_id).tell(Refresh()),
            new_id=uuid4,
        )

    async def texts(self, room: UUID) -> list[str]:
        return [each.text for each in await self.chat.history.oldest(room, after_seq=0, limit=99)]


@asynccontextmanager
async def open_office(policy: ErasurePolicy = POLICY) -> AsyncGenerator[Office]:
    twin = MemoryChat(lambda: EPOCH + timedelta(seconds=trio.current_time()))
    conversations = supervise_conversations(
        ConversationServices(
            twin.log,
            twin.history,
            twin.conversations,
            Users(100),
            JsonBodyEncoder(),
            ConversationPolicy(),
            Alone(),
            Nobody(),
            twin.groups,
        ),
        max_conversations=100,
        intensity=RestartIntensity(3, 30.0),
        rng=random.Random(1),
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(conversations.run)
        yield Office(twin, conversations, policy)
        nursery.cancel_scope.cancel()


async def test_all_is_done_in_the_background_and_audited(autojump_clock: MockClock) -> None:
    async with open_office() as office, trio.open_nursery() as nursery:
        chat, node = office.chat, office.node()
        nursery.start_soon(node.run)
        ann, bob, eve = await chat.people(3)
        owned, joined, left = await chat.group(bob, ann, eve), await chat.group(ann, bob), await chat.group(ann, bob)
        pair = await chat.direct(ann, bob)
        for room in (owned, joined, left, pair):
            await chat.say(room, bob, "one", "two", "three")
            await chat.say(room, ann, "stays")
        await chat.groups.change_role(owned, bob, eve, Role.ADMIN)
        await chat.conversations.remove_member(left, bob, bob)
        await node.accept(bob, "203.0.113.5", "request")
        assert bob in office.erased
        assert office.closed == office.others_told == [bob]
        await trio.sleep(120)
        for room in (owned, joined, left, pair):
            assert await office.texts(room) == ["", "", "", "stays"]
        roles = {each.user_id: each.role for each in (await chat.load(owned)).participants}
        assert roles == {ann: Role.MEMBER, eve: Role.OWNER}
        assert await chat.users.conversation_ids(bob) == [pair]
        actions = [each.entry.action for each in await chat.export.audit(bob, START, limit=9)]
        assert sorted(actions) == ["erasure.finished", "erasure.requested"]
        figures = node.figures
        assert (figures.accepted, figures.finished, figures.tombstones, figures.waiting) == (1, 1, 12, 0)
        nursery.cancel_scope.cancel()


async def test_messages_stay_where_the_deployment_keeps_them(autojump_clock: MockClock) -> None:
    async with open_office(ErasurePolicy(tombstone=False)) as office, trio.open_nursery() as nursery:
        chat, node = office.chat, office.node()
        nursery.start_soon(node.run)
        ann, bob = await chat.people(2)
        room = await chat.group(ann, bob)
        await chat.say(room, bob, "one")
        await node.accept(bob, None, None)
        await trio.sleep(60)
        (message,) = await chat.history.oldest(room, after_seq=0, limit=9)
        assert (message.text, message.sender_name) == ("one", "Deleted user")
        assert await chat.erasures.waiting() == 0
        nursery.cancel_scope.cancel()


async def test_a_job_goes_on_on_another_node_wherever_one_was_cut_off(autojump_clock: MockClock) -> None:
    for patience in range(14):
        async with open_office() as office:
            chat = office.chat
            ann, bob = await chat.people(2)
            rooms = [await chat.group(ann, bob) for _ in range(2)] + [await chat.direct(ann, bob)]
            for room in rooms:
                await chat.say(room, bob, *["text"] * 5)
            first, second = office.node(), office.node()
            await first.accept(bob, None, None)
            with trio.move_on_after(patience / 2 + 0.25):
                await first.run()
            with trio.move_on_after(120):
                await second.run()
            assert await chat.erasures.waiting() == 0
            assert await chat.users.conversation_ids(bob) == [rooms[-1]]
            for room in rooms:
                assert await office.texts(room) == [""] * 5


async def test_one_that_cannot_go_on_holds_up_no_other(autojump_clock: MockClock) -> None:
    async with open_office() as office, trio.open_nursery() as nursery:
        chat, node = office.chat, office.node()
        ann, bob = await chat.people(2)
        room = await chat.group(ann, bob)
        office.faults.fail_next(method="memberships")
        for user in (ann, bob):
            await node.accept(user, None, None)
        nursery.start_soon(node.run)
        await trio.sleep(1)
        assert (node.figures.failed, node.figures.finished) == (1, 1)
        await trio.sleep(120)
        assert (node.figures.finished, await chat.erasures.waiting()) == (2, 0)
        assert await chat.conversations.load(room) is None
        nursery.cancel_scope.cancel()


async def test_what_another_node_erased_is_heard_or_found(autojump_clock: MockClock) -> None:
    async with open_office() as office, trio.open_nursery() as nursery:
        chat, erased = office.chat, office.erased
        ann, bob, eve = await chat.people(3)
        await office.node().accept(ann, None, None)
        late = Erased(chat.erasures, refresh_seconds=1.0, tell_others=lambda _: None)
        nursery.start_soon(late.run)
        await late.loaded()
        assert ann in late
        late.hear([bob])
        assert bob in late
        closed: list[UUID] = []
        late.closers.append(closed.extend)
        await office.node().accept(eve, None, None)
        await trio.sleep(1.5)
        assert eve in late
        assert closed == [eve]
        assert len(late) == 3
        assert len(erased) == 2
        nursery.cancel_scope.cancel()


async def test_nobody_is_known_before_the_database_was_read(autojump_clock: MockClock) -> None:
    async with open_office() as office, trio.open_nursery() as nursery:
        office.faults.fail_next(method="erased")
        nursery.start_soon(office.erased.run)
        await wait_all_tasks_blocked()
        with trio.move_on_after(0.5) as patience:
            await office.erased.loaded()
        assert patience.cancelled_caught
        await office.erased.loaded()
        nursery.cancel_scope.cancel()
