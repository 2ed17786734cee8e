"""One STOMP connection against real actors over in-memory storage."""

import json
from uuid import uuid4

import attrs
import pytest
import trio
from trio.testing import MockClock

from chathttp.stomp.frame import Version
from tests.kit.house import POLICY, open_house
from tests.kit.session import handshake
from tests.kit.talk import body_of, send, subscribe, topic, two


@pytest.mark.contract("frame CONNECT", "frame CONNECTED", "token in CONNECT", "heart-beats")
async def test_connect_agrees_on_version_and_heart_beat(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        client = house.open().connect(house.token(await house.user("alice")), heart_beat="5000,4000")
        frame = await client.expect("CONNECTED")
        assert frame.header("version") == "1.2"
        assert frame.header("heart-beat") == "10000,10000"


@pytest.mark.contract("token in the handshake or the query")
@pytest.mark.parametrize("where", ["handshake header", "query"])
async def test_the_token_may_come_with_the_handshake(autojump_clock: MockClock, where: str) -> None:
    async with open_house() as house:
        token = house.token(await house.user("alice"))
        request = (
            handshake(authorization=f"Bearer {token}".encode())
            if where == "handshake header"
            else handshake(query=f"a=b&access_token={token}".encode())
        )
        client = house.open(request)
        client.send("CONNECT", accept_version="1.2", host="x")
        await client.expect("CONNECTED")


@pytest.mark.contract("close 1008", "error UNAUTHORIZED")
@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c"])
async def test_a_bad_token_gets_an_error_and_close_1008(autojump_clock: MockClock, token: str) -> None:
    async with open_house() as house:
        client = house.open().connect(token)
        error = await client.expect("ERROR")
        assert error.header("message") == "UNAUTHORIZED"
        assert client.transport.close_code == 1008


@pytest.mark.contract("limit CONNECT within 10 s", "close 1008")
async def test_no_connect_in_time_gets_an_error_and_close_1008(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        opened = trio.current_time()
        client = house.open()
        assert (await client.expect("ERROR")).header("message") == "UNAUTHORIZED"
        assert client.transport.close_code == 1008
        assert 10.0 <= trio.current_time() - opened <= 11.0


@pytest.mark.contract("refused SUBSCRIBE", "error NOT_FOUND")
async def test_a_conversation_that_does_not_exist_is_not_found(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        client = await house.client(await house.user("alice"))
        client.send("SUBSCRIBE", id="s", destination=topic(uuid4()))
        assert (await client.expect("ERROR")).header("message") == "NOT_FOUND"
        client.send("SUBSCRIBE", id="s", destination="/queue/anything")
        assert (await client.expect("ERROR")).header("message") == "NOT_FOUND"
        client.send("SUBSCRIBE", id="s", destination="/user/queue/errors", receipt="freed")
        await client.expect("RECEIPT")


@pytest.mark.contract("token that expires", "error TOKEN_EXPIRED")
async def test_a_token_that_expires_ends_the_session(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        client = house.open().connect(house.token(await house.user("alice"), lifetime=40))
        await client.expect("CONNECTED")
        assert (await client.expect("ERROR")).header("message") == "TOKEN_EXPIRED"
        assert client.transport.close_code == 1008


@pytest.mark.contract("SEND /app/auth.refresh")
async def test_a_newer_token_of_the_same_user_keeps_the_session(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, bob = await house.user("alice"), await house.user("bob")
        client = house.open().connect(house.token(alice, lifetime=20))
        await client.expect("CONNECTED")
        await subscribe(client, "/user/queue/errors", "errors")
        other = json.dumps({"accessToken": house.token(bob)}).encode()
        client.send("SEND", other, destination="/app/auth.refresh", receipt="no")
        assert body_of(await client.expect("MESSAGE"))["errorCode"] == "UNAUTHORIZED"
        newer = json.dumps({"accessToken": house.token(alice, lifetime=40)}).encode()
        client.send("SEND", newer, destination="/app/auth.refresh", receipt="yes")
        assert (await client.expect("RECEIPT")).header("receipt-id") == "yes"
        await trio.sleep(30)
        assert not client.transport.closed
        await trio.sleep(15)
        assert client.transport.close_code == 1008


async def test_disconnect_answers_after_everything_sent_before(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, _, group = await two(house)
        client = await house.client(alice)
        house.chat.faults.pause("append")
        send(client, group, "last words", receipt="sent")
        client.send("DISCONNECT", receipt="bye")
        assert await client.settled() == []
        house.chat.faults.resume("append")
        assert [f.header("receipt-id") for f in await client.settled()] == ["sent", "bye"]
        assert client.transport.close_code == 1000


@pytest.mark.contract("close 1002", "frame ERROR")
@pytest.mark.parametrize(
    ("octets", "code"),
    [(b"NONSENSE\n\n\0", 1002), (b"SEND\ndestination:/app/x\n\n" + b"x" * 140_000, 1009), (b"CONNECT\n\n\0", 1002)],
)
async def test_a_malformed_frame_gets_an_error_and_the_close(
    autojump_clock: MockClock, octets: bytes, code: int
) -> None:
    async with open_house() as house:
        client = await house.client(await house.user("alice"))
        client.transport.put(octets)
        await client.expect("ERROR")
        assert client.transport.close_code == code


async def test_the_error_for_a_malformed_frame_names_its_receipt(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        client = await house.client(await house.user("alice"))
        client.send("SEND", b"{}", receipt="r")
        assert (await client.expect("ERROR")).header("receipt-id") == "r"


@pytest.mark.contract("heart-beats")
async def test_silence_for_twice_the_agreed_interval_closes_and_beats_are_sent(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        client = await house.client(await house.user("alice"), heart_beat="10000,10000")
        for _ in range(5):
            await trio.sleep(10)
            client.transport.put("\n")
        assert not client.transport.closed
        await trio.sleep(25)
        assert client.transport.close_code == 1013
        await client.settled()
        assert client.heart_beats >= 5


@pytest.mark.contract("heart-beats")
async def test_without_heart_beats_the_server_pings_and_drops_a_silent_client(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        client = await house.client(await house.user("alice"))
        await trio.sleep(45)
        assert client.transport.pings == 1
        assert not client.transport.closed
        await trio.sleep(30)
        assert client.transport.closed


async def test_an_unsubscribed_topic_is_silent_and_its_id_is_free(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, _, group = await two(house)
        client = await house.client(alice)
        await subscribe(client, topic(group))
        client.send("UNSUBSCRIBE", id="s", receipt="gone")
        await client.expect("RECEIPT")
        send(client, group, "unheard", receipt="r")
        assert [f.command for f in await client.settled()] == ["RECEIPT"]
        await subscribe(client, topic(group))


@pytest.mark.contract("STOMP 1.2, 1.1 and 1.0")
async def test_stomp_1_0_clients_talk_too(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, _, group = await two(house)
        client = house.open()
        client.version = Version.V10
        client.send("CONNECT", Authorization=f"Bearer {house.token(alice)}")
        assert (await client.expect("CONNECTED")).header("version") == "1.0"
        client.send("SUBSCRIBE", destination=topic(group))
        send(client, group, "old")
        message = await client.expect("MESSAGE")
        assert (message.header("seq"), message.header("ack")) == ("1", None)


@pytest.mark.contract("limit subscriptions of a connection")
async def test_the_session_policy_bounds_subscriptions(autojump_clock: MockClock) -> None:
    limits = attrs.evolve(POLICY.connection, max_subscriptions=1)
    async with open_house(attrs.evolve(POLICY, connection=limits)) as house:
        alice, _, group = await two(house)
        client = await house.client(alice)
        await subscribe(client, topic(group))
        client.send("SUBSCRIBE", id="more", destination=topic(group, ".read"))
        assert (await client.expect("ERROR")).header("message") == "VALIDATION_ERROR"
