"""Presence and notifications over real nodes and a real Valkey."""

import contextlib
import json
import os
import signal
from collections.abc import Callable, Generator
from pathlib import Path

import httpx
import pytest
import trio

from tests.kit.devnodes import DevNodes
from tests.kit.devserver import PASSWORD
from tests.kit.stomp_client import StompClient, stomp_client

LIFETIME = 2.0
PATIENCE = 20.0


@pytest.fixture
def nodes(data_dir: Path) -> Generator[DevNodes]:
    with DevNodes(data_dir, 2, env={"STACKMENTOR_PRESENCE_LIFETIME": str(LIFETIME)}) as nodes:
        yield nodes


@contextlib.contextmanager
def signed_in(url: str, name: str) -> Generator[tuple[httpx.Client, str]]:
    """A client of the REST API, and the user's id."""
    with httpx.Client(base_url=url, timeout=30) as client:
        answer = client.post("/auth/login", json={"email": f"{name}@example.com", "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['accessToken']}"
        yield client, client.get("/api/users/me").json()["id"]


def token_of(client: httpx.Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


def ws(url: str) -> str:
    return f"{url.replace('http', 'ws')}/ws"


def group_of(client: httpx.Client) -> str:
    listed = client.get("/api/conversations").raise_for_status().json()
    return next(each["id"] for each in listed if each["type"] == "GROUP")


def is_online(client: httpx.Client, user_id: str) -> bool:
    (seen,) = client.get("/api/presence", params={"userIds": user_id}).raise_for_status().json()
    assert seen["userId"] == user_id
    assert not seen["online"] or seen["lastSeenAt"] is None
    return seen["online"]


async def eventually(holds: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE):
        while True:
            if holds():
                return
            await trio.sleep(0.1)


async def next_of(client: StompClient, user_id: str) -> bool:
    """What the presence topic tells next of the user."""
    with trio.fail_after(PATIENCE):
        while True:
            body = json.loads((await client.expect("MESSAGE")).body)
            if body["userId"] == user_id:
                return body["online"]


async def test_a_killed_node_takes_its_users_offline_within_the_lifetime_and_watchers_are_told(
    nodes: DevNodes,
) -> None:
    with signed_in(nodes.urls[0], "alice") as (alice, alice_id), signed_in(nodes.urls[1], "bob") as (bob, bob_id):
        async with stomp_client(ws(nodes.urls[0]), token_of(alice)) as hers:
            await hers.subscribe(f"/topic/conversation.{group_of(alice)}.presence")
            assert await next_of(hers, alice_id)
            with contextlib.suppress(Exception):  # how its socket ends is not what this is about
                async with stomp_client(ws(nodes.urls[1]), token_of(bob)):
                    assert await next_of(hers, bob_id)
                    assert is_online(alice, bob_id)
                    os.kill(nodes.node_pid(2), signal.SIGKILL)
            killed_at = trio.current_time()
            await trio.sleep(LIFETIME)
            assert not is_online(alice, bob_id)
            assert is_online(alice, alice_id)
            assert not await next_of(hers, bob_id)
            # One that beats late has only just looked at the others.
            assert trio.current_time() - killed_at < 3 * LIFETIME


async def test_who_comes_and_leaves_is_told_on_the_other_node_through_a_restart_of_valkey(nodes: DevNodes) -> None:
    with signed_in(nodes.urls[0], "alice") as (alice, _), signed_in(nodes.urls[1], "bob") as (bob, bob_id):
        async with stomp_client(ws(nodes.urls[0]), token_of(alice)) as hers:
            await hers.subscribe(f"/topic/conversation.{group_of(alice)}.presence")
            async with stomp_client(ws(nodes.urls[1]), token_of(bob)):
                assert await next_of(hers, bob_id)
                redis_pid = nodes.redis.pid
                assert redis_pid is not None
                os.kill(redis_pid, signal.SIGKILL)
                await eventually(lambda: nodes.redis.pid not in (None, redis_pid) and is_online(alice, bob_id))
            assert not await next_of(hers, bob_id)
            await eventually(lambda: not is_online(alice, bob_id))


async def test_notifications_reach_a_user_on_every_device_on_every_node(nodes: DevNodes) -> None:
    with signed_in(nodes.urls[0], "alice") as (alice, _), signed_in(nodes.urls[1], "bob") as (bob, bob_id):
        async with (
            stomp_client(ws(nodes.urls[0]), token_of(bob)) as here,
            stomp_client(ws(nodes.urls[1]), token_of(bob)) as there,
        ):
            for device in (here, there):
                await device.subscribe("/user/queue/notification")
            await trio.sleep(0.5)  # the channel is followed a moment after the receipt
            created = alice.post(
                "/api/conversations", json={"type": "GROUP", "participantIds": [bob_id], "name": "New"}
            ).raise_for_status()
            room = created.json()["id"]
            for device in (here, there):
                with trio.fail_after(PATIENCE):
                    note = json.loads((await device.expect("MESSAGE")).body)
                assert (note["type"], note["conversationId"]) == ("conversation.created", room)
            alice.post("/api/messages", json={"conversationId": room, "text": "hello"}).raise_for_status()
            for device in (here, there):
                with trio.fail_after(PATIENCE):
                    note = json.loads((await device.expect("MESSAGE")).body)
                assert (note["type"], note["preview"], note["unreadCount"]) == ("message.created", "hello", 1)
