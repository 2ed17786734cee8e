"""What the product is for, against the real server and the real database, over real sockets."""

import json
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import attrs
import jwt
import psycopg
import pytest
import trio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from trio_websocket import ConnectionClosed

from chathttp.dev.cluster import known_directory, prepare_cluster
from chathttp.settings import Settings
from ops.bench.client import Rest
from tests.kit.command import stackmentor
from tests.kit.devserver import DevServer
from tests.kit.postgres import remove_scratch, scratch_directory
from tests.kit.stomp_client import StompClient, raw_websocket, stomp_client

SENDERS, MESSAGES = 20, 200


@attrs.frozen
class Caller:
    user_id: str
    token: str


@pytest.fixture(scope="module")
def server() -> Generator[DevServer]:
    """One that lets a user send as fast as he can, and has a short patience with silence."""
    directory = scratch_directory()
    env = {
        "STACKMENTOR_SEND_RATE": "100000",
        "STACKMENTOR_SEND_BURST": "100000",
        "STACKMENTOR_CONNECT_TIMEOUT": "1",
    }
    with DevServer(directory, env=env) as running:
        yield running
        running.stop()
    remove_scratch(directory)


def callers(server: DevServer, count: int) -> list[Caller]:
    done = stackmentor("token", "--users", str(count), "--json", data_dir=server.data_dir)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [Caller(row["userId"], row["token"]) for row in rows]


def database_url(data_dir: Path) -> str:
    assert known_directory(data_dir.resolve()).exists()
    return prepare_cluster(data_dir).url("stackmentor")


@pytest.mark.contract("one gapless order for all")
async def test_twenty_senders_at_once_leave_one_gapless_order_for_every_subscriber_and_the_database(
    server: DevServer,
) -> None:
    people = callers(server, SENDERS)
    group = Rest(server.url, people[0].token).make_group("busy", [each.user_id for each in people[1:]])
    total = SENDERS * MESSAGES
    received: dict[str, list[tuple[int, str]]] = {}
    subscribed = 0
    everybody_listens = trio.Event()

    async def send_all(client: StompClient) -> None:
        for number in range(MESSAGES):
            body = {"conversationId": group, "text": f"message {number}", "clientMessageId": f"c{number}"}
            headers = {"destination": "/app/message.send", "receipt": f"r{number}"}
            await client.send("SEND", headers, json.dumps(body).encode())

    async def take_part(person: Caller) -> None:
        nonlocal subscribed
        async with stomp_client(server.ws_url, person.token, timeout=120) as client:
            await client.subscribe(f"/topic/conversation.{group}")
            subscribed += 1
            if subscribed == SENDERS:
                everybody_listens.set()
            await everybody_listens.wait()
            mine: list[tuple[int, str]] = []
            receipts = 0
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send_all, client)
                while len(mine) < total or receipts < MESSAGES:
                    frame = await client.next()
                    if frame.command == "RECEIPT":
                        receipts += 1
                    else:
                        assert frame.command == "MESSAGE", frame
                        mine.append((int(frame.header("seq") or 0), json.loads(frame.body)["id"]))
            received[person.user_id] = mine

    async with trio.open_nursery() as nursery:
        for person in people:
            nursery.start_soon(take_part, person)

    with psycopg.connect(database_url(server.data_dir)) as connection:
        rows = connection.execute(
            "SELECT seq, id::text FROM messages WHERE conversation_id = %s ORDER BY seq", [group]
        ).fetchall()
    assert [seq for seq, _ in rows] == list(range(1, total + 1))
    for mine in received.values():
        assert mine == rows
    assert len(received) == SENDERS


@pytest.mark.contract("a slow reader holds up nobody")
async def test_a_reader_who_stops_reading_neither_slows_the_others_nor_fills_the_server(server: DevServer) -> None:
    sender, reader, stuck = callers(server, 3)
    group = Rest(server.url, sender.token).make_group("slow", [reader.user_id, stuck.user_id])
    text = "x" * 9000
    count = 1200
    async with (
        stomp_client(server.ws_url, sender.token, timeout=120) as sending,
        stomp_client(server.ws_url, reader.token, timeout=120) as reading,
        raw_websocket(server.ws_url) as websocket,
    ):
        stuck_client = StompClient(websocket)
        assert (await stuck_client.connect(stuck.token)).command == "CONNECTED"
        await stuck_client.subscribe(f"/topic/conversation.{group}")
        await reading.subscribe(f"/topic/conversation.{group}")

        async def send_all() -> None:
            for _ in range(count):
                body = json.dumps({"conversationId": group, "text": text}).encode()
                await sending.send("SEND", {"destination": "/app/message.send"}, body)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_all)
            for number in range(1, count + 1):
                assert (await reading.next()).header("seq") == str(number)
        before_the_end, close_code = await read_to_the_end(stuck_client)
        assert close_code == 1013
        got = len(before_the_end)
        assert before_the_end == [str(number) for number in range(1, got + 1)]
        assert got < count
    async with stomp_client(server.ws_url, stuck.token, timeout=120) as resumed:
        await resumed.subscribe(f"/topic/conversation.{group}", last_seq=str(got))
        missed = [(await resumed.next()).header("seq") for _ in range(min(count - got, 1000))]
        assert missed[-1] == str(count)
        assert missed == [str(number) for number in range(count - len(missed) + 1, count + 1)]


async def read_to_the_end(client: StompClient) -> tuple[list[str | None], int]:
    """The `seq` headers of what still comes, and the close code."""
    seqs: list[str | None] = []
    try:
        while True:
            seqs.append((await client.next()).header("seq"))
    except ConnectionClosed as closed:
        return seqs, 1006 if closed.reason is None else closed.reason.code


async def test_a_stranger_can_neither_subscribe_nor_send_nor_read_the_history(server: DevServer) -> None:
    owner, friend, stranger = callers(server, 3)
    group = Rest(server.url, owner.token).make_group("private", [friend.user_id])
    async with stomp_client(server.ws_url, stranger.token) as client:
        await client.subscribe("/user/queue/errors", "errors")
        await client.send("SUBSCRIBE", {"id": "s", "destination": f"/topic/conversation.{group}", "last-seq": "0"})
        assert (await client.expect("ERROR")).header("message") == "FORBIDDEN"
        body = json.dumps({"conversationId": group, "text": "let me in"}).encode()
        await client.send("SEND", {"destination": "/app/message.send", "receipt": "r"}, body)
        assert json.loads((await client.expect("MESSAGE")).body)["errorCode"] == "FORBIDDEN"
    status, answer = Rest(server.url, stranger.token).get(f"/api/messages?conversationId={group}")
    assert (status, answer["errorCode"]) == (403, "FORBIDDEN")


def _private_key(server: DevServer) -> tuple[str, RSAPrivateKey]:
    with psycopg.connect(database_url(server.data_dir)) as connection:
        row = connection.execute("SELECT kid, private_pem FROM identity_keys").fetchone()
    assert row is not None
    key = serialization.load_pem_private_key(bytes(row[1]), None)
    assert isinstance(key, RSAPrivateKey)
    return str(row[0]), key


def _claims(user_id: str, **changes: object) -> dict[str, object]:
    settings = Settings()
    now = datetime.now(UTC)
    return {
        "sub": user_id,
        "iss": settings.jwt_issuer,
        "client_id": settings.jwt_audience,
        "token_use": "access",
        "iat": now,
        "exp": now + timedelta(hours=1),
        "jti": str(uuid4()),
    } | changes


async def test_only_a_token_of_our_own_key_audience_and_time_connects(server: DevServer) -> None:
    user = callers(server, 1)[0]
    kid, key = _private_key(server)
    foreign = generate_private_key(65537, 2048)
    headers = {"kid": kid}
    past = datetime.now(UTC) - timedelta(hours=2)
    refused = {
        "expired": jwt.encode(_claims(user.user_id, exp=past), key, "RS256", headers),
        "foreign key": jwt.encode(_claims(user.user_id), foreign, "RS256", headers),
        "alg=none": jwt.encode(_claims(user.user_id), "", "none", headers),
        "wrong audience": jwt.encode(_claims(user.user_id, client_id="another-app"), key, "RS256", headers),
        "wrong issuer": jwt.encode(_claims(user.user_id, iss="https://evil.example"), key, "RS256", headers),
        "id token": jwt.encode(_claims(user.user_id, token_use="id"), key, "RS256", headers),
    }
    good = jwt.encode(_claims(user.user_id), key, "RS256", headers)
    async with stomp_client(server.ws_url, good):
        pass
    for what, token in refused.items():
        with trio.fail_after(10):
            async with raw_websocket(server.ws_url) as websocket:
                client = StompClient(websocket)
                frame = await client.connect(token)
                expected = "TOKEN_EXPIRED" if what == "expired" else "UNAUTHORIZED"
                assert (frame.command, frame.header("message")) == ("ERROR", expected), what
                with pytest.raises(ConnectionClosed) as closed:
                    await client.next()
                assert closed.value.reason is not None
                assert closed.value.reason.code == 1008, what
        status, answer = Rest(server.url, token).get("/api/users/me")
        assert (status, answer["errorCode"]) == (401, expected), what


async def test_a_socket_that_never_connects_is_closed(server: DevServer) -> None:
    with trio.fail_after(10):
        async with raw_websocket(server.ws_url) as websocket:
            client = StompClient(websocket)
            assert (await client.next()).command == "ERROR"
            with pytest.raises(ConnectionClosed):
                await client.next()


async def test_the_same_client_message_id_is_stored_once_and_both_receipts_bear_its_number(server: DevServer) -> None:
    alice, bob = callers(server, 2)
    group = Rest(server.url, alice.token).make_group("twice", [bob.user_id])
    body = json.dumps({"conversationId": group, "text": "once", "clientMessageId": "same"}).encode()
    async with stomp_client(server.ws_url, alice.token) as one, stomp_client(server.ws_url, alice.token) as two:
        await one.send("SEND", {"destination": "/app/message.send", "receipt": "1"}, body)
        await two.send("SEND", {"destination": "/app/message.send", "receipt": "2"}, body)
        first, second = await one.expect("RECEIPT"), await two.expect("RECEIPT")
    assert first.header("seq") == second.header("seq") == "1"
    assert first.header("message-id") == second.header("message-id")
    assert UUID(first.header("message-id") or "").version == 7


async def test_what_the_edge_answers_itself_bears_the_security_headers(server: DevServer) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    stream = await trio.open_tcp_stream(host, int(port))
    async with stream:
        await stream.send_all(
            f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
            "X-Forwarded-Proto: https\r\nX-Request-ID: mine\r\n\r\n".encode()
        )
        head = (await stream.receive_some()).lower()
    assert head.startswith(b"http/1.1 101")
    assert b"strict-transport-security: max-age=" in head
    assert b"x-content-type-options: nosniff" in head
    assert b"x-request-id: mine" in head
