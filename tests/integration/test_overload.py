"""A conversation whose mailbox is full, on a real server: what senders are told, and what is stored."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx
import psycopg
import pytest
import trio

from tests.kit.command import COMMAND, stackmentor
from tests.kit.devserver import DevServer
from tests.kit.pglocks import holding_lock, until_blocked
from tests.kit.stomp_client import stomp_client

MAILBOX: Final = 2
TIMEOUT: Final = 0.2
POSTS: Final = 12


@pytest.fixture
def server(data_dir: Path, database_url: str) -> Generator[DevServer]:
    env = {
        "STACKMENTOR_DATABASE_URL": database_url,
        "STACKMENTOR_HOST": "127.0.0.1",
        "STACKMENTOR_CONVERSATION_MAILBOX": str(MAILBOX),
        "STACKMENTOR_MAILBOX_TIMEOUT": str(TIMEOUT),
    }
    with DevServer(data_dir, env=env, command=(*COMMAND, "serve")) as started:
        yield started


@pytest.fixture
def tokens(database_url: str) -> list[str]:
    """Of two users."""
    done = stackmentor("token", "--users", "2", "--json", database_url=database_url)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["token"] for line in done.stdout.splitlines()]


@pytest.fixture
def group(server: DevServer, tokens: list[str]) -> UUID:
    """A conversation of the two, in which nothing was said."""
    other = httpx.get(f"{server.url}/api/users/me", headers=bearer(tokens[1])).json()["id"]
    body = {"type": "GROUP", "participantIds": [other], "name": "group"}
    answer = httpx.post(f"{server.url}/api/conversations", json=body, headers=bearer(tokens[0]))
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def texts(database_url: str, group: UUID) -> list[str]:
    """What is stored, in order."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT body FROM messages WHERE conversation_id = %s ORDER BY seq", (group,))
        return [row[0] for row in rows.fetchall()]


async def test_over_rest_it_is_503_with_retry_after_and_what_was_refused_is_not_stored(
    server: DevServer, tokens: list[str], group: UUID, database_url: str
) -> None:
    answers: dict[str, httpx.Response] = {}
    refused: list[httpx.Response] = []
    nothing_moves = trio.Event()

    async with httpx.AsyncClient(base_url=server.url, headers=bearer(tokens[0]), timeout=20) as client:

        async def post(text: str) -> None:
            body = {"conversationId": str(group), "text": text}
            answers[text] = await client.post("/api/messages", json=body)
            if answers[text].status_code != 201:
                refused.append(answers[text])
                if len(refused) == POSTS - MAILBOX:
                    nothing_moves.set()

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                with holding_lock(database_url, group):
                    nursery.start_soon(post, "first")
                    await until_blocked(database_url)
                    for number in range(POSTS):
                        nursery.start_soon(post, f"m{number}")
                    await nothing_moves.wait()
            assert (await client.post("/api/messages", json={"conversationId": str(group), "text": "after"})).is_success
    assert len(refused) == POSTS - MAILBOX
    for answer in refused:
        assert answer.status_code == 503
        assert answer.json()["errorCode"] == "OVERLOADED"
        assert int(answer.headers["retry-after"]) >= 1
    stored = texts(database_url, group)
    assert sorted(stored[:-1]) == sorted(text for text, answer in answers.items() if answer.status_code == 201)
    assert stored[-1] == "after"


async def test_over_stomp_it_is_told_on_the_errors_queue_and_the_connection_stays(
    server: DevServer, tokens: list[str], group: UUID, database_url: str
) -> None:
    async with stomp_client(server.ws_url, tokens[0]) as client:
        await client.subscribe("/user/queue/errors")

        async def send(text: str) -> None:
            body = json.dumps({"conversationId": str(group), "text": text}).encode()
            await client.send("SEND", {"destination": "/app/message.send", "receipt": text}, body)

        receipts: list[str | None] = []
        refused: list[dict[str, object]] = []

        async def hear() -> None:
            frame = await client.next()
            if frame.command == "RECEIPT":
                receipts.append(frame.header("receipt-id"))
            else:
                assert (frame.command, frame.header("destination")) == ("MESSAGE", "/user/queue/errors"), frame
                refused.append(json.loads(frame.body))

        with holding_lock(database_url, group):
            await send("first")
            await until_blocked(database_url)
            for number in range(POSTS):
                await send(f"m{number}")
            while not refused:
                await hear()
        while len(receipts) + len(refused) < 1 + POSTS:
            await hear()
        await send("after")
        await hear()
    for error in refused:
        assert error["errorCode"] == "OVERLOADED"
        assert error["destination"] == "/app/message.send"
    assert receipts[-1] == "after"
    assert not set(receipts) & {error["receipt"] for error in refused}
    assert texts(database_url, group) == receipts
