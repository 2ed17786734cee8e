"""Catching up: `last-seq`, `last-rev` and the delivered mark, joined to live without a gap or a repeat."""

import json
import random
from uuid import UUID, uuid4

import attrs
import pytest
import trio
from trio.testing import MockClock

from actors.conversation.messages import Delete, Edit, MarkDelivered, RemoveMember
from actors.conversation.policy import ConversationPolicy
from actors.ports import Roster
from actors.runtime.reply import Reply
from chatcore.errors import unavailable
from chatcore.model import Event, NewMessage
from chathttp.stomp.frame import Frame
from tests.kit.house import POLICY, House, open_house
from tests.kit.session import MemoryClient


def topic(conversation: UUID) -> str:
    return f"/topic/conversation.{conversation}"


async def post(house: House, conversation: UUID, sender: UUID, count: int, text: str = "text") -> list[UUID]:
    """Store messages directly, as another node would."""
    ids: list[UUID] = []
    for _ in range(count):
        ids.append(uuid4())
        await house.chat.log.append([NewMessage(ids[-1], conversation, sender, text)])
    return ids


def subscribe(client: MemoryClient, conversation: UUID, subscription_id: str = "s", **headers: str) -> None:
    client.send(
        "SUBSCRIBE", b"", id=subscription_id, destination=topic(conversation), receipt=f"r-{subscription_id}", **headers
    )


def seen(frames: list[Frame]) -> list[tuple[str | None, int, int]]:
    """Event, seq and rev of each MESSAGE."""
    return [
        (frame.header("event"), int(frame.header("seq") or 0), int(frame.header("rev") or 0))
        for frame in frames
        if frame.command == "MESSAGE"
    ]


async def room(house: House, count: int) -> tuple[UUID, UUID, UUID, list[UUID]]:
    alice, bob = await house.user("alice"), await house.user("bob")
    group = await house.group(alice, bob)
    return alice, bob, group, await post(house, group, alice, count)


@pytest.mark.contract("frame SUBSCRIBE", "frame RECEIPT", "last-seq")
async def test_the_receipt_comes_before_the_replay_and_live_follows_it(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, bob, group, _ = await room(house, 5)
        client, sender = await house.clients([bob, alice])
        subscribe(client, group, last_seq="2")
        frames = await client.settled()
        assert frames[0].command == "RECEIPT"
        assert [seq for _, seq, _ in seen(frames)] == [3, 4, 5]
        body = json.dumps({"conversationId": str(group), "text": "live"}).encode()
        sender.send("SEND", body, destination="/app/message.send")
        assert [seq for _, seq, _ in seen(await client.settled())] == [6]


@pytest.mark.contract("last-rev")
async def test_last_rev_brings_changes_of_old_messages_and_what_was_created_since(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, bob, group, ids = await room(house, 4)
        await house.chat.log.edit(group, ids[0], alice, "new")
        await house.chat.log.delete(group, ids[2], alice, moderator=False)
        await house.chat.log.edit(group, ids[3], alice, "newer")
        client = await house.client(bob)
        subscribe(client, group, last_rev="3", last_seq="0")
        frames = await client.settled()
        assert seen(frames) == [
            ("message.created", 4, 4),
            ("message.updated", 1, 5),
            ("message.deleted", 3, 6),
            ("message.updated", 4, 7),
        ]
        bodies = [json.loads(frame.body) for frame in frames if frame.command == "MESSAGE"]
        assert [body["text"] for body in bodies] == ["newer", "new", "", "newer"]
        assert bodies[0]["rev"] == 7


@pytest.mark.contract("position above what the server has", "error CONFLICT")
async def test_a_number_above_the_servers_is_a_conflict(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        _, bob, group, _ = await room(house, 3)
        client = await house.client(bob)
        for header in ({"last_seq": "4"}, {"last_rev": "99"}):
            subscribe(client, group, **header)
            assert (await client.expect("ERROR")).header("message") == "CONFLICT"
        subscribe(client, group, last_seq="3")
        assert [frame.command for frame in await client.settled()] == ["RECEIPT"]


@pytest.mark.parametrize("header", ["last_seq", "last_rev"])
async def test_a_node_that_is_behind_another_looks_before_it_says_conflict(
    autojump_clock: MockClock, header: str
) -> None:
    async with open_house() as house:
        alice, bob, group, _ = await room(house, 1)
        client = await house.client(bob)
        subscribe(client, group, "awake")
        await client.expect("RECEIPT")
        await post(house, group, alice, 2)
        subscribe(client, group, **{header: "2"})
        frames = await client.settled()
        assert "ERROR" not in [frame.command for frame in frames]
        assert [s for f in frames if f.header("subscription") == "s" for _, s, _ in seen([f])] == [3]


@pytest.mark.parametrize("header", ["last_seq", "last_rev"])
async def test_a_node_that_is_behind_another_and_cannot_look_has_the_client_try_again(
    autojump_clock: MockClock, header: str
) -> None:
    async with open_house() as house:
        alice, bob, group, _ = await room(house, 1)
        client = await house.client(bob)
        subscribe(client, group, "awake")
        await client.expect("RECEIPT")
        await post(house, group, alice, 2)
        house.chat.faults.fail_next(method="load")
        subscribe(client, group, **{header: "3"})
        assert (await client.expect("ERROR")).header("message") == "UNAVAILABLE"


@pytest.mark.contract("limit replay of 1,000 events", "history-truncated")
@pytest.mark.parametrize("header", ["last_seq", "last_rev"])
async def test_beyond_the_limit_only_the_last_events_come_and_the_first_says_so(
    autojump_clock: MockClock, header: str
) -> None:
    async with open_house(attrs.evolve(POLICY, replay_limit=10, replay_page=4)) as house:
        _, bob, group, _ = await room(house, 25)
        client = await house.client(bob)
        subscribe(client, group, **{header: "3"})
        frames = (await client.settled())[1:]
        assert [seq for _, seq, _ in seen(frames)] == list(range(16, 26))
        assert [f.header("history-truncated") for f in frames] == ["true"] + [None] * 9
        subscribe(client, group, "exact", **{header: "15"})
        frames = (await client.settled())[1:]
        assert [seq for _, seq, _ in seen(frames)] == list(range(16, 26))
        assert {f.header("history-truncated") for f in frames} == {None}


@pytest.mark.contract("ack:client", "NACK")
async def test_client_mode_starts_after_the_delivered_mark_and_acks_move_it(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, bob, group, _ = await room(house, 5)
        client = await house.client(bob)
        subscribe(client, group, ack="client")
        frames = (await client.settled())[1:]
        assert [seq for _, seq, _ in seen(frames)] == [1, 2, 3, 4, 5]
        client.send("ACK", b"", id=frames[2].header("ack") or "", receipt="acked")
        await client.expect("RECEIPT")
        client.transport.hang_up()
        again = await house.client(bob)
        subscribe(again, group, ack="client-individual")
        frames = (await again.settled())[1:]
        assert [seq for _, seq, _ in seen(frames)] == [4, 5]
        again.send("NACK", b"", id=frames[0].header("ack") or "", receipt="refused")
        await again.expect("RECEIPT")
        again.send("ACK", b"", id=frames[1].header("ack") or "", receipt="later")
        await again.expect("RECEIPT")
        conversation = await house.chat.conversations.load(group)
        assert conversation is not None
        marks = {p.user_id: p.last_delivered_seq for p in conversation.participants}
        assert marks == {alice: 5, bob: 3}
        again.send("ACK", b"", id=frames[0].header("ack") or "", receipt="all")
        await again.expect("RECEIPT")
        conversation = await house.chat.conversations.load(group)
        assert conversation is not None
        assert {p.last_delivered_seq for p in conversation.participants} == {5}


@pytest.mark.contract("ack:auto")
async def test_written_messages_count_as_delivered_once_the_socket_took_them(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, bob, group, _ = await room(house, 0)
        client, sender = await house.clients([bob, alice])
        subscribe(client, group)
        await client.expect("RECEIPT")
        client.transport.congested = True
        body = json.dumps({"conversationId": str(group), "text": "x"}).encode()
        sender.send("SEND", body, destination="/app/message.send", receipt="r")
        await sender.expect("RECEIPT")

        async def delivered() -> int:
            await trio.sleep(3)
            conversation = await house.chat.conversations.load(group)
            assert conversation is not None
            return next(p.last_delivered_seq for p in conversation.participants if p.user_id == bob)

        assert await delivered() == 0
        client.transport.relieve()
        assert await delivered() == 1


async def test_a_member_removed_during_a_replay_gets_no_further_page(autojump_clock: MockClock) -> None:
    async with open_house(attrs.evolve(POLICY, replay_page=2)) as house:
        alice, bob, group, _ = await room(house, 10)
        client = await house.client(bob)
        client.transport.congested = True
        subscribe(client, group, last_seq="0")
        await trio.testing.wait_all_tasks_blocked()

        def removal(reply: Reply[Roster]) -> RemoveMember:
            return RemoveMember(alice, bob, reply)

        await house.conversations.ref(group).ask(removal, timeout=5)
        client.transport.relieve()
        assert [seq for _, seq, _ in seen(await client.settled())] == [1, 2]


async def test_an_outage_in_the_middle_of_a_replay_only_delays_it(autojump_clock: MockClock) -> None:
    async with open_house(attrs.evolve(POLICY, replay_page=2)) as house:
        _, bob, group, _ = await room(house, 6)
        client = await house.client(bob)
        for header in ("last_seq", "last_rev"):
            house.chat.faults.fail_next(unavailable(), method="oldest" if header == "last_seq" else "events")
            subscribe(client, group, header, **{header: "0"})
            await client.expect("RECEIPT")
            seqs = [int((await client.expect("MESSAGE")).header("seq") or 0) for _ in range(6)]
            assert seqs == [1, 2, 3, 4, 5, 6]


async def test_unsubscribing_during_a_replay_ends_it(autojump_clock: MockClock) -> None:
    async with open_house(attrs.evolve(POLICY, replay_page=2)) as house:
        _, bob, group, _ = await room(house, 10)
        client = await house.client(bob)
        client.transport.congested = True
        subscribe(client, group, last_seq="0")
        client.send("UNSUBSCRIBE", b"", id="s")
        await trio.testing.wait_all_tasks_blocked()
        client.transport.relieve()
        assert [seq for _, seq, _ in seen(await client.settled())] in ([], [1, 2])
        subscribe(client, group, last_seq="8")
        assert [seq for _, seq, _ in seen(await client.settled())] == [9, 10]


@pytest.mark.parametrize("seed", range(12))
async def test_any_mix_of_writes_and_resumes_shows_every_message_once_in_order(
    autojump_clock: MockClock, seed: int
) -> None:
    """A phone that loses its connection at random and resumes by what it has seen, while others write."""
    rng = random.Random(seed)
    policy = attrs.evolve(POLICY, replay_page=rng.choice([1, 2, 7]))
    conversation_policy = ConversationPolicy(recent_events=rng.choice([1, 3, 64]), idle_seconds=2.0)
    async with open_house(policy, conversation_policy) as house:
        alice, bob, group, ids = await room(house, 3)
        conversation = house.conversations.ref(group)
        last_seq, last_rev, seqs, revs = 0, 0, list[int](), list[int]()
        by_rev = rng.random() < 0.5

        async def write() -> None:
            for _ in range(30):
                match rng.randrange(5):
                    case 0 if ids:
                        message_id = rng.choice(ids)

                        def edit(reply: Reply[Event], message_id: UUID = message_id) -> Edit:
                            return Edit(message_id, alice, f"edit {rng.random()}", reply)

                        await conversation.ask(edit, timeout=5)
                    case 1 if len(ids) > 3:
                        message_id = ids.pop(rng.randrange(len(ids)))

                        def delete(reply: Reply[Event | None], message_id: UUID = message_id) -> Delete:
                            return Delete(message_id, alice, False, reply)

                        await conversation.ask(delete, timeout=5)
                    case 2:
                        conversation.tell(MarkDelivered(bob, 1, Reply[None].discard(), durable=False))
                    case _:
                        body = json.dumps({"conversationId": str(group), "text": "m"}).encode()
                        sender.send("SEND", body, destination="/app/message.send", receipt="w")
                        receipt = await sender.expect("RECEIPT")
                        ids.append(UUID(receipt.header("message-id")))
                await trio.sleep(rng.choice([0, 0, 0.1, 3.0]))

        async def read(client: MemoryClient, patience: float) -> None:
            nonlocal last_seq, last_rev
            with trio.move_on_after(patience):
                while True:
                    frame = await client.next()
                    if frame.command != "MESSAGE":
                        assert frame.command == "RECEIPT", frame
                        continue
                    event, seq, rev = seen([frame])[0]
                    if event == "message.created":
                        seqs.append(seq)
                        last_seq = seq
                    revs.append(rev)
                    last_rev = rev

        sender = await house.client(alice)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            for _ in range(12):
                client = await house.client(bob)
                start = {"last_rev": str(last_rev)} if by_rev else {"last_seq": str(last_seq)}
                subscribe(client, group, **start)
                await read(client, rng.choice([0.0, 0.1, 2.0]))
                client.transport.hang_up()
        client = await house.client(bob)
        subscribe(client, group, **({"last_rev": str(last_rev)} if by_rev else {"last_seq": str(last_seq)}))
        await read(client, 30)
        stored = await house.chat.conversations.load(group)
        assert stored is not None
        assert seqs == list(range(1, stored.last_seq + 1))
        if by_rev:
            assert revs == sorted(set(revs))
