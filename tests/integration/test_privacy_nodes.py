"""Erasure and retention over two real nodes, one of which is killed in the middle."""

import json
import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
import trio

from chathttp.dev.postgres import postgres_for_command
from tests.kit.api import Api
from tests.kit.devnodes import DevNodes
from tests.kit.postgres import remove_scratch, scratch_directory
from tests.kit.stomp_client import stomp_client

PATIENCE = 60.0
MEGABYTE = 1_000_000
ENV = {
    "STACKMENTOR_ERASURE_TOMBSTONES": "true",
    "STACKMENTOR_ERASURE_BATCH": "5",
    "STACKMENTOR_ERASURE_PAUSE": "0.1",
    "STACKMENTOR_RETENTION_DAYS": "30",
    "STACKMENTOR_RETENTION_INTERVAL": "1",
    "STACKMENTOR_RETENTION_BATCH": "5",
    "STACKMENTOR_RETENTION_PAUSE": "0.1",
    "STACKMENTOR_PRIVACY_LEASE": "2",
    "STACKMENTOR_EXPORT_INTERVAL": "0",
}


@pytest.fixture(scope="module")
def nodes() -> Generator[DevNodes]:
    directory = scratch_directory()
    with DevNodes(directory, 2, env=ENV) as running:
        yield running
        running.stop()
    remove_scratch(directory)


@contextmanager
def someone(nodes: DevNodes, node: int, name: str) -> Generator[Api]:
    """A new user by way of node `node`, counted from 1."""
    with Api(nodes.urls[node - 1]) as api:
        yield api.sign_up(nodes.data_dir, name)


def ws(nodes: DevNodes, node: int) -> str:
    return f"{nodes.urls[node - 1].replace('http', 'ws', 1)}/ws"


def group(api: Api, *others: Api) -> str:
    members = [each.get("/api/users/me")["id"] for each in others]
    answer = api.call("POST", "/api/groups", {"name": "Group", "memberIds": members})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def ask(nodes: DevNodes, question: str, *values: object) -> list[tuple[object, ...]]:
    with postgres_for_command(nodes.data_dir) as url, psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(question.encode(), values)
        return [] if cursor.description is None else cursor.fetchall()


def fill(nodes: DevNodes, room: str, sender: str, count: int, *, days: int, text: str = "message") -> None:
    """As many messages as if they had been written so long ago."""
    ask(
        nodes,
        "INSERT INTO messages (conversation_id, seq, id, sender_id, created_rev, rev, created_at, body)"
        " SELECT c.id, c.last_seq + n, gen_random_uuid(), %s, c.rev + n, c.rev + n,"
        " now() - make_interval(days => %s), %s FROM conversations c, generate_series(1, %s) n"
        " WHERE c.id = %s",
        sender,
        days,
        text,
        count,
        room,
    )
    ask(nodes, "UPDATE conversations SET last_seq = last_seq + %s, rev = rev + %s WHERE id = %s", count, count, room)


def await_that(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def test_erasure_closes_sockets_on_the_other_node_and_refuses_the_token_there(nodes: DevNodes) -> None:
    with someone(nodes, 1, "Bob") as bob, someone(nodes, 2, "Ann") as ann:
        room = group(bob, ann)
        async with (
            stomp_client(ws(nodes, 2), bob.access_token) as his,
            stomp_client(ws(nodes, 2), ann.access_token) as hers,
        ):
            await his.subscribe(f"/topic/conversation.{room}")
            await hers.subscribe(f"/topic/conversation.{room}")
            await hers.subscribe("/user/queue/notification", "notes")
            assert bob.call("DELETE", "/api/users/me").status_code == 204
            began = trio.current_time()
            error = await his.expect("ERROR")
            took = trio.current_time() - began
            told = json.loads((await hers.expect("MESSAGE")).body)
        with Api(nodes.urls[1]) as elsewhere:
            elsewhere.tokens = bob.tokens
            assert elsewhere.call("GET", "/api/users/me").status_code == 401
            assert (
                elsewhere.call("POST", "/auth/refresh", {"refreshToken": bob.tokens["refreshToken"]}).status_code == 401
            )
        left = ann.get(f"/api/conversations/{room}")
    assert json.loads(error.body)["errorCode"] == "UNAUTHORIZED"
    assert took < 30
    assert told["type"] == "participant.removed"
    assert [each["role"] for each in left["participants"]] == ["owner"]


def test_an_erasure_that_a_kill_cut_off_is_finished(nodes: DevNodes) -> None:
    with someone(nodes, 1, "Bob") as bob, someone(nodes, 2, "Ann") as ann:
        his = bob.get("/api/users/me")["id"]
        rooms = [group(ann, bob) for _ in range(3)]
        for room in rooms:
            fill(nodes, room, his, 40, days=0)
        assert bob.call("DELETE", "/api/users/me").status_code == 204

        def tombstones() -> int:
            ((count,),) = ask(
                nodes, "SELECT count(*) FROM messages WHERE sender_id = %s AND deleted_at IS NOT NULL", his
            )
            assert isinstance(count, int)
            return count

        await_that(lambda: tombstones() >= 10)
        for number in (1, 2):
            pid = nodes.node_pid(number)
            os.kill(pid, signal.SIGKILL)
            assert number == 2 or tombstones() < 120
            nodes.await_restart(number, pid, PATIENCE)
        await_that(
            lambda: ask(nodes, "SELECT 1 FROM erasures WHERE user_id = %s AND finished_at IS NOT NULL", his) != []
        )
        assert tombstones() == 120
        for room in rooms:
            page = ann.get(f"/api/messages?conversationId={room}&size=100")["content"]
            assert [(each["text"], each["senderName"]) for each in page] == [("", "Deleted user")] * 40
            rows = ask(nodes, "SELECT rev FROM messages WHERE conversation_id = %s ORDER BY seq", room)
            revs = [rev for (rev,) in rows]
            assert len(set(revs)) == 40
        assert [action for (action,) in ask(nodes, "SELECT action FROM audit WHERE user_id = %s ORDER BY id", his)] == [
            "erasure.requested",
            "erasure.finished",
        ]


async def test_retention_that_a_kill_cut_off_is_finished_and_live_rooms_know(nodes: DevNodes) -> None:
    with someone(nodes, 1, "Ann") as ann:
        hers, room = ann.get("/api/users/me")["id"], group(ann)
        async with stomp_client(ws(nodes, 2), ann.access_token) as client:
            await client.subscribe(f"/topic/conversation.{room}")
            fill(nodes, room, hers, 150, days=31)
            fill(nodes, room, hers, 3, days=1)

            def first_seq() -> int:
                ((seq,),) = ask(nodes, "SELECT first_seq FROM conversations WHERE id = %s", room)
                assert isinstance(seq, int)
                return seq

            await trio.to_thread.run_sync(await_that, lambda: first_seq() >= 10)
        pid = nodes.node_pid(1)
        os.kill(pid, signal.SIGKILL)
        assert first_seq() < 151
        nodes.await_restart(1, pid, PATIENCE)
        await_that(lambda: first_seq() == 151)
        rows = ask(nodes, "SELECT seq FROM messages WHERE conversation_id = %s ORDER BY seq", room)
        assert [seq for (seq,) in rows] == [151, 152, 153]
        page = ann.get(f"/api/messages?conversationId={room}")
        assert ([each["seq"] for each in page["content"]], page["totalElements"]) == ([153, 152, 151], 3)
        async with stomp_client(ws(nodes, 2), ann.access_token) as client:
            await client.subscribe(f"/topic/conversation.{room}", last_seq="0")
            replayed = [await client.expect("MESSAGE") for _ in range(3)]
            await client.subscribe(f"/topic/conversation.{room}", "again", last_seq="150")
            again = await client.expect("MESSAGE")
        assert [each.header("seq") for each in replayed] == ["151", "152", "153"]
        assert [each.header("history-truncated") for each in replayed] == ["true", None, None]
        assert (again.header("seq"), again.header("history-truncated")) == ("151", None)


def test_a_long_export_is_whole_in_little_memory_and_ends_with_its_client(nodes: DevNodes) -> None:
    with someone(nodes, 1, "Ann") as ann:
        hers, room = ann.get("/api/users/me")["id"], group(ann)
        fill(nodes, room, hers, 40_000, days=0, text="x" * 1000)
        url, headers = f"{nodes.urls[0]}/api/users/me/export", {"Authorization": f"Bearer {ann.access_token}"}

        def running() -> bool:
            return ask(nodes, "SELECT 1 FROM claims WHERE name = %s AND holder IS NOT NULL", f"export {hers}") != []

        with httpx.stream("GET", url, headers=headers, timeout=60) as answer:
            # Held on to: the connection would be closed with it.
            chunks = answer.iter_raw()
            next(chunks)
            assert running()
            assert ann.call("GET", "/api/users/me/export").status_code == 429
        await_that(lambda: not running())
        before = peak(nodes.node_pid(1), reset=True)
        received = bytearray()
        with httpx.stream("GET", url, headers=headers, timeout=60) as answer:
            for chunk in answer.iter_raw():
                received += chunk
        assert peak(nodes.node_pid(1)) - before < 24 * MEGABYTE
    assert len(received) > 40 * MEGABYTE
    found = json.loads(received)
    assert [each["seq"] for each in found["messages"]] == list(range(1, 40_001))
    assert [each["action"] for each in found["audit"]] == ["export", "export"]


def peak(pid: int, *, reset: bool = False) -> int:
    """The most memory that the process had since the last reset, in bytes."""
    if reset:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
