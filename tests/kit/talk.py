"""What the tests of a session say and ask."""

import json
from uuid import UUID

from chathttp.stomp.frame import Frame
from tests.kit.house import House
from tests.kit.session import MemoryClient


def send(client: MemoryClient, conversation: UUID, text: str, **headers: str) -> None:
    body = json.dumps({"conversationId": str(conversation), "text": text}).encode()
    client.send("SEND", body, destination="/app/message.send", **headers)


def topic(conversation: UUID, suffix: str = "") -> str:
    return f"/topic/conversation.{conversation}{suffix}"


async def subscribe(client: MemoryClient, destination: str, subscription_id: str = "s", **headers: str) -> None:
    client.send("SUBSCRIBE", b"", id=subscription_id, destination=destination, receipt="sub", **headers)
    assert (await client.expect("RECEIPT")).header("receipt-id") == "sub"


def body_of(frame: Frame) -> dict[str, object]:
    return json.loads(frame.body)


def seqs(frames: list[Frame]) -> list[str | None]:
    return [frame.header("seq") for frame in frames if frame.command == "MESSAGE"]


async def two(house: House) -> tuple[UUID, UUID, UUID]:
    alice, bob = await house.user("alice"), await house.user("bob")
    return alice, bob, await house.group(alice, bob)
