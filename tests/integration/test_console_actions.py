"""What the console follows and does on two real nodes."""

import json
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
import trio

from chatconsole.beacon import beacons
from tests.kit.api import Api
from tests.kit.devnodes import DevNodes
from tests.kit.postgres import scratch_directory
from tests.kit.stomp_client import StompClient, stomp_client
from tests.kit.talk_console import Talk, talking_to


@pytest.fixture(scope="module")
def nodes() -> Generator[DevNodes]:
    with DevNodes(scratch_directory(), 2) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def group(nodes: DevNodes) -> str:
    with Api(nodes.urls[0]) as alice:
        alice.sign_in("alice@example.com")
        return next(each["id"] for each in alice.get("/api/conversations") if each["type"] == "GROUP")


@asynccontextmanager
async def console_of(nodes: DevNodes, number: int) -> AsyncGenerator[Talk]:
    [beacon] = [each for each in beacons(nodes.data_dir) if each.serves == nodes.urls[number]]
    async with talking_to(beacon.port, beacon.token) as talk:
        yield talk


@asynccontextmanager
async def socket_of(nodes: DevNodes, number: int, name: str, group: str) -> AsyncGenerator[StompClient]:
    """Subscribed to the conversation."""
    with Api(nodes.urls[number]) as api:
        token = api.sign_in(f"{name}@example.com").access_token
    async with stomp_client(f"{nodes.urls[number].replace('http', 'ws')}/ws", token) as client:
        await client.subscribe(f"/topic/conversation.{group}")
        yield client


async def post(client: StompClient, group: str, text: str) -> str:
    """The `clientMessageId` that it was sent with."""
    name = str(uuid4())
    body = json.dumps({"conversationId": group, "text": text, "clientMessageId": name}).encode()
    await client.send("SEND", {"destination": "/app/message.send"}, body)
    return name


async def trace_of(talk: Talk, name: str, legs: int) -> Any:
    """As it stands when it has come as far as `legs` nodes' last subscribers."""
    while True:
        answer = await talk.hear()
        assert answer["type"] == "traces", answer
        for trace in answer["traces"]:
            done = [leg for leg in trace["legs"] if any(hop["name"] == "fan-out-last" for hop in leg["hops"])]
            if trace["clientMessageId"] == name and len(done) == legs:
                return trace


async def test_message_is_followed_from_socket_to_the_other_nodes_last_subscriber(nodes: DevNodes, group: str) -> None:
    async with (
        console_of(nodes, 0) as talk,
        socket_of(nodes, 0, "alice", group) as alice,
        socket_of(nodes, 1, "bob", group) as bob,
    ):
        await talk.ask(op="follow", id=1, conversation=group, every=0.1)
        name = await post(alice, group, "follow me")
        trace = await trace_of(talk, name, legs=2)
        await bob.expect("MESSAGE")
    here, there = trace["legs"]
    assert trace["outcome"] == "committed"
    assert trace["seq"] > 0
    names = [hop["name"] for hop in here["hops"]]
    assert names[:2] == ["received", "parsed"]
    assert names[-8:-5] == ["store-queued", "batch-sent", "commit-answered"] or "mailbox-out" in names
    assert set(names) >= {"sender-answered", "bridge-published", "fan-out-first", "fan-out-last"}
    times = [hop["at"] for hop in here["hops"]]
    assert times == sorted(times)
    assert (here["here"], here["behind"], there["here"]) == (True, None, False)
    assert [hop["name"] for hop in there["hops"]] == [
        "bridge-received",
        "mailbox-in",
        "mailbox-out",
        "fan-out-first",
        "fan-out-last",
    ]
    # Both nodes have one machine's wall clock here.
    assert 0 <= there["behind"] < 5
    assert here["began"] <= there["began"]


async def test_rest_post_and_its_refusal_are_followed(nodes: DevNodes, group: str) -> None:
    async with console_of(nodes, 1) as talk:
        await talk.ask(op="follow", id=1, every=0.1)
        with Api(nodes.urls[1]) as bob:
            bob.sign_in("bob@example.com")
            body = {"conversationId": group, "text": "by REST", "clientMessageId": str(uuid4())}
            for _ in range(2):
                await trio.to_thread.run_sync(bob.call, "POST", "/api/messages", body)
        outcomes: dict[str, str] = {}
        while sorted(outcomes.values()) != ["committed", "repeated"]:
            for trace in (await talk.hear())["traces"]:
                assert trace["clientMessageId"] == body["clientMessageId"]
                outcomes[trace["message"]] = trace["outcome"]


async def test_restarted_conversation_keeps_its_subscribers_and_its_order(nodes: DevNodes, group: str) -> None:
    async with console_of(nodes, 0) as talk, socket_of(nodes, 0, "alice", group) as alice:
        await post(alice, group, "before")
        before = json.loads((await alice.expect("MESSAGE")).body)["seq"]
        asked = await talk.ask(op="act", id=1, action="restart", target=f"conversations/{group}")
        assert (await talk.ask(op="confirm", id=2, nonce=asked["nonce"]))["type"] == "done"
        await post(alice, group, "after")
        assert json.loads((await alice.expect("MESSAGE")).body)["seq"] == before + 1
        told = await talk.ask(op="look", id=3, view={"sections": ["actors", "supervision"], "grep": group})
        [actor] = told["snapshot"]["actors"]["listed"]
        assert (actor["restarts"], actor["lastError"]) == (1, None)


async def test_only_a_conversation_without_subscribers_is_passivated(nodes: DevNodes, group: str) -> None:
    async def passivate(talk: Talk) -> Any:
        asked = await talk.ask(op="act", id=1, action="passivate", target=group)
        return await talk.ask(op="confirm", id=2, nonce=asked["nonce"])

    async with console_of(nodes, 0) as talk:
        async with socket_of(nodes, 0, "alice", group):
            refused = await passivate(talk)
            assert (refused["type"], refused["errorCode"]) == ("refused", "CONFLICT")
            assert "subscriptions" in refused["message"]
        done = await passivate(talk)
        with trio.fail_after(60):
            while done["type"] != "done":
                # The socket's end may be on its way still.
                assert done["errorCode"] == "CONFLICT", done
                done = await passivate(talk)
        told = await talk.ask(op="look", id=3, view={"sections": ["conversations"], "grep": group})
        assert told["snapshot"]["conversations"]["listed"] == []


async def test_store_and_bridge_tell_what_they_did(nodes: DevNodes) -> None:
    async with console_of(nodes, 0) as talk:
        told = await talk.ask(op="look", id=1, view={"sections": ["backends"]})
        backends = {each["name"]: each for each in told["snapshot"]["backends"]}
        assert list(backends) == ["store", "appends", "bridge"]
        assert backends["appends"]["figures"]["batches"] > 0
        assert 0 < backends["appends"]["roundTrip"] < 5
        assert backends["bridge"]["figures"]["published"] > 0
