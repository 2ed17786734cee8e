"""What members do and see in a conversation, through STOMP, over real actors and in-memory storage."""

import json

import attrs
import pytest
import trio
from trio.testing import MockClock

from actors.conversation.messages import RemoveMember
from actors.conversation.policy import ConversationPolicy
from actors.ports import Roster
from actors.runtime.reply import Reply
from tests.kit.house import POLICY, open_house
from tests.kit.talk import body_of, send, seqs, subscribe, topic, two


@pytest.mark.contract("SEND /app/message.send", "SUBSCRIBE /topic/conversation.{conversationId}")
async def test_a_message_reaches_all_subscribers_in_order_and_the_receipt_bears_its_number(
    autojump_clock: MockClock,
) -> None:
    async with open_house() as house:
        alice, bob, group = await two(house)
        sender, receiver = await house.clients([alice, bob])
        await subscribe(sender, topic(group))
        await subscribe(receiver, topic(group), "other")
        for number in range(3):
            send(sender, group, f"hello {number}", receipt=f"r{number}")
        frames = await sender.settled()
        receipts = [frame for frame in frames if frame.command == "RECEIPT"]
        assert [(r.header("receipt-id"), r.header("seq")) for r in receipts] == [("r0", "1"), ("r1", "2"), ("r2", "3")]
        received = await receiver.settled()
        assert seqs(frames) == seqs(received) == ["1", "2", "3"]
        assert [body_of(frame)["text"] for frame in received] == ["hello 0", "hello 1", "hello 2"]
        first = received[0]
        assert first.header("event") == "message.created"
        assert first.header("destination") == topic(group)
        assert first.header("subscription") == "other"
        assert first.header("message-id") == receipts[0].header("message-id") == body_of(first)["id"]


@pytest.mark.contract("SEND /app/message.send")
async def test_the_receipt_waits_for_the_commit(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, _, group = await two(house)
        client = await house.client(alice)
        house.chat.faults.pause("append")
        send(client, group, "hello", receipt="r")
        assert await client.settled() == []
        house.chat.faults.resume("append")
        assert (await client.expect("RECEIPT")).header("receipt-id") == "r"


async def test_frames_are_read_on_while_a_commit_is_awaited_up_to_the_bound(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, _, group = await two(house)
        client = await house.client(alice)
        house.chat.faults.pause("append")
        for number in range(POLICY.max_sends_in_flight + 1):
            send(client, group, str(number), receipt=str(number))
        client.send("SUBSCRIBE", id="late", destination="/user/queue/errors", receipt="late")
        assert await client.settled() == []
        house.chat.faults.resume("append")
        receipts = [frame.header("receipt-id") for frame in await client.settled()]
        assert sorted(filter(None, receipts)) == ["0", "1", "2", "3", "4", "late"]
        assert [r for r in receipts if r != "late"] == ["0", "1", "2", "3", "4"]


async def test_a_full_mailbox_holds_the_senders_back_and_refuses_nobody_in_time(autojump_clock: MockClock) -> None:
    async with open_house(attrs.evolve(POLICY, max_sends_in_flight=8), ConversationPolicy(mailbox_capacity=2)) as house:
        alice, bob, group = await two(house)
        clients = await house.clients([alice, bob])
        house.chat.faults.pause("append")
        for client in clients:
            for number in range(8):
                send(client, group, str(number), receipt=str(number))
        assert [await client.settled() for client in clients] == [[], []]
        await trio.sleep(4)
        house.chat.faults.resume("append")
        for client in clients:
            assert [frame.header("receipt-id") for frame in await client.settled()] == [str(n) for n in range(8)]


@pytest.mark.contract("error OVERLOADED")
async def test_a_mailbox_that_stays_full_refuses_as_overloaded(autojump_clock: MockClock) -> None:
    async with open_house(conversation_policy=ConversationPolicy(mailbox_capacity=1)) as house:
        alice, _, group = await two(house)
        client = await house.client(alice)
        await subscribe(client, "/user/queue/errors", "errors")
        house.chat.faults.pause("append")
        for number in range(3):
            send(client, group, str(number), receipt=str(number))
        started = trio.current_time()
        refused = body_of(await client.expect("MESSAGE"))
        assert (refused["errorCode"], refused["receipt"]) == ("OVERLOADED", "2")
        assert trio.current_time() - started == POLICY.mailbox_timeout
        house.chat.faults.resume("append")
        assert [frame.header("receipt-id") for frame in await client.settled()] == ["0", "1"]


@pytest.mark.contract("refused SUBSCRIBE", "error FORBIDDEN")
async def test_a_stranger_can_neither_subscribe_nor_send_nor_read(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        _, _, group = await two(house)
        client = await house.client(await house.user("mallory"))
        await subscribe(client, "/user/queue/errors", "errors")
        for suffix in ("", ".typing", ".read"):
            client.send("SUBSCRIBE", id=f"s{suffix}", destination=topic(group, suffix), receipt="x")
            error = await client.expect("ERROR")
            assert (error.header("message"), error.header("subscription")) == ("FORBIDDEN", f"s{suffix}")
            assert error.header("receipt-id") == "x"
        client.send("SUBSCRIBE", id="replay", destination=topic(group), last_seq="0")
        assert (await client.expect("ERROR")).header("message") == "FORBIDDEN"
        send(client, group, "hello", receipt="r")
        refused = body_of(await client.expect("MESSAGE"))
        assert refused["errorCode"] == "FORBIDDEN"
        assert (refused["destination"], refused["receipt"]) == ("/app/message.send", "r")
        body = json.dumps({"conversationId": str(group), "seq": 1}).encode()
        client.send("SEND", body, destination="/app/message.read", receipt="m")
        assert body_of(await client.expect("MESSAGE"))["errorCode"] == "FORBIDDEN"
        assert not client.transport.closed


@pytest.mark.contract("SUBSCRIBE /user/queue/errors")
async def test_a_refused_send_gives_no_receipt_even_when_nobody_listens_to_errors(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, _, group = await two(house)
        client = await house.client(alice)
        send(client, group, "   ", receipt="blank")
        client.send("SEND", b"{", destination="/app/message.send", receipt="broken")
        client.send("SEND", b"{}", destination="/app/nowhere", receipt="nowhere")
        assert await client.settled() == []


@pytest.mark.contract("SUBSCRIBE /user/queue/errors", "limit sends a second and user", "error RATE_LIMITED")
async def test_a_send_over_the_rate_is_refused_and_the_connection_stays(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, _, group = await two(house)
        client = await house.client(alice)
        await subscribe(client, "/user/queue/errors", "errors")
        for number in range(45):
            send(client, group, str(number), receipt=str(number))
        frames = await client.settled()
        codes = [body_of(f)["errorCode"] for f in frames if f.command == "MESSAGE"]
        assert codes == ["RATE_LIMITED"] * 5
        assert len([f for f in frames if f.command == "RECEIPT"]) == 40
        await trio.sleep(1)
        send(client, group, "again", receipt="again")
        assert (await client.expect("RECEIPT")).header("receipt-id") == "again"


@pytest.mark.contract(
    "SEND /app/typing.start", "SEND /app/typing.stop", "SUBSCRIBE /topic/conversation.{conversationId}.typing"
)
async def test_typing_reaches_the_others_and_ends_with_the_connection(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, bob, group = await two(house)
        typist, watcher = await house.clients([alice, bob])
        await subscribe(watcher, topic(group, ".typing"))
        body = json.dumps({"conversationId": str(group)}).encode()
        typist.send("SEND", body, destination="/app/typing.start", receipt="t")
        await typist.expect("RECEIPT")
        started = body_of(await watcher.expect("MESSAGE"))
        assert started == {"conversationId": str(group), "userId": str(alice), "isTyping": True}
        late = await house.client(bob)
        await subscribe(late, topic(group, ".typing"))
        assert body_of(await late.expect("MESSAGE"))["isTyping"] is True
        before = trio.current_time()
        typist.transport.hang_up()
        assert body_of(await watcher.expect("MESSAGE"))["isTyping"] is False
        assert trio.current_time() - before < 1


@pytest.mark.contract("SEND /app/message.read", "SUBSCRIBE /topic/conversation.{conversationId}.read")
async def test_marks_are_announced_and_reading_waits_for_the_database_when_a_receipt_is_wanted(
    autojump_clock: MockClock,
) -> None:
    async with open_house() as house:
        alice, bob, group = await two(house)
        sender, reader = await house.clients([alice, bob])
        await subscribe(sender, topic(group, ".read"))
        send(sender, group, "one", receipt="r")
        await sender.expect("RECEIPT")
        mine = body_of(await sender.expect("MESSAGE"))
        assert (mine["userId"], mine["lastReadSeq"]) == (str(alice), 1)
        body = json.dumps({"conversationId": str(group), "seq": 99}).encode()
        house.chat.faults.pause("save_marks")
        reader.send("SEND", body, destination="/app/message.read", receipt="read")
        assert await reader.settled() == []
        house.chat.faults.resume("save_marks")
        await reader.expect("RECEIPT")
        theirs = body_of(await sender.expect("MESSAGE"))
        assert (theirs["userId"], theirs["lastReadSeq"], theirs["lastDeliveredSeq"]) == (str(bob), 1, 1)


@pytest.mark.contract("BEGIN, COMMIT, ABORT")
async def test_transactions_hold_back_and_commit_answers_last(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, _, group = await two(house)
        client = await house.client(alice)
        client.send("BEGIN", transaction="t", receipt="begun")
        await client.expect("RECEIPT")
        for number in range(3):
            send(client, group, str(number), receipt=str(number), transaction="t")
        assert await client.settled() == []
        client.send("COMMIT", transaction="t", receipt="done")
        receipts = [frame.header("receipt-id") for frame in await client.settled()]
        assert receipts == ["0", "1", "2", "done"]
        client.send("BEGIN", transaction="u")
        send(client, group, "never", transaction="u")
        client.send("ABORT", transaction="u", receipt="aborted")
        assert [f.header("receipt-id") for f in await client.settled()] == ["aborted"]
        assert [m.text for m in await house.chat.history.oldest(group, after_seq=0, limit=10)] == ["0", "1", "2"]


@pytest.mark.contract("removed member", "SUBSCRIBE /user/queue/notification")
async def test_a_member_who_is_removed_hears_nothing_more_and_is_notified(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, bob, group = await two(house)
        owner, member = await house.clients([alice, bob])
        await subscribe(member, topic(group))
        await subscribe(member, "/user/queue/notification", "n")

        def removal(reply: Reply[Roster]) -> RemoveMember:
            return RemoveMember(alice, bob, reply)

        await house.conversations.ref(group).ask(removal, timeout=5)
        send(owner, group, "behind his back", receipt="r")
        await owner.expect("RECEIPT")
        frames = await member.settled()
        assert [body_of(f)["type"] for f in frames] == ["participant.removed"]
        member.send("SUBSCRIBE", id="s", destination=topic(group))
        assert (await member.expect("ERROR")).header("message") == "FORBIDDEN"


@pytest.mark.contract("SUBSCRIBE /user/queue/notification")
async def test_notifications_skip_a_connection_that_watches_the_conversation(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, bob, group = await two(house)
        sender, watching, elsewhere = await house.clients([alice, bob, bob])
        await subscribe(watching, "/user/queue/notification", "n")
        await subscribe(watching, topic(group))
        await subscribe(elsewhere, "/user/queue/notification", "n")
        send(sender, group, "hello", receipt="r")
        await sender.expect("RECEIPT")
        told = body_of(await elsewhere.expect("MESSAGE"))
        assert (told["type"], told["unreadCount"], told["preview"]) == ("message.created", 1, "hello")
        assert [f.header("destination") for f in await watching.settled()] == [topic(group)]
