"""Two nodes of `serve` over one database with a replica: what clients of both read, whatever dies."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from typing import Final
from uuid import UUID

import httpx
import pytest
from attrs import frozen

from tests.integration.test_metrics import value
from tests.kit.api import Api
from tests.kit.command import COMMAND
from tests.kit.devserver import DevServer
from tests.kit.postgres import own_postgres_server, remove_scratch, scratch_directory
from tests.kit.redis import RedisServer, free_port, own_redis_server
from tests.kit.replica import ReplicaServer, replica_of

PATIENCE: Final = 60.0


@frozen
class Nodes:
    servers: list[DevServer]
    management: list[int]
    replica: ReplicaServer
    redis: RedisServer

    def metrics(self, number: int) -> str:
        return httpx.get(f"http://127.0.0.1:{self.management[number]}/metrics", timeout=PATIENCE).text

    def health(self, number: int) -> tuple[int, str, str]:
        """Status of the answer, of the node, and of the replica."""
        answer = httpx.get(f"{self.servers[number].url}/actuator/health", timeout=PATIENCE)
        return answer.status_code, answer.json()["status"], answer.json()["components"]["replica"]["status"]


@pytest.fixture(scope="module")
def nodes() -> Generator[Nodes]:
    with ExitStack() as stack:
        primary = stack.enter_context(own_postgres_server())
        url = primary.fresh_database()
        replica = stack.enter_context(replica_of(primary))
        redis = stack.enter_context(own_redis_server())
        servers: list[DevServer] = []
        ports = [free_port(), free_port()]
        files = scratch_directory()
        stack.callback(remove_scratch, files)
        for port in ports:
            directory = scratch_directory()
            stack.callback(remove_scratch, directory)
            settings = {
                "host": "127.0.0.1",
                "management_port": port,
                "database_url": url,
                "database_replica_url": replica.url(url.partition("@/")[2].partition("?")[0]),
                "replica_lag_limit": 30,
                "redis_url": redis.url,
                "attachments_url": f"file:{files / 'attachments'}",
            }
            env = {f"STACKMENTOR_{name.upper()}": str(each) for name, each in settings.items()}
            servers.append(stack.enter_context(DevServer(directory, free_port(), env=env, command=(*COMMAND, "serve"))))
        yield Nodes(servers, ports, replica, redis)


@frozen
class People:
    """Ann on the first node; Bob on the second, and on the first."""

    ann: Api
    bob: Api
    bob_id: UUID
    group: str


@pytest.fixture
def people(nodes: Nodes) -> Generator[People]:
    first, second = nodes.servers
    with Api(first.url) as ann, Api(second.url) as bob:
        ann.sign_up(first.data_dir, "Ann")
        bob.sign_up(second.data_dir, "Bob")
        bob_id = bob.get("/api/users/me")["id"]
        given = {"type": "GROUP", "participantIds": [bob_id], "name": "Group"}
        group = ann.call("POST", "/api/conversations", given).json()["id"]
        yield People(ann, bob, UUID(bob_id), group)


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def attachment(api: Api, group: str) -> str:
    """Sent to the group; the path of its link."""
    given = {"fileName": "cat.png", "contentType": "image/png", "size": 3}
    promised = api.call("POST", "/api/attachments", given).json()
    headers = {"Content-Type": "image/png"}
    assert httpx.put(promised["uploadUrl"], content=b"cat", headers=headers, timeout=PATIENCE).status_code == 200
    api.send(group, "", attachmentIds=[promised["attachmentId"]])
    return f"/api/attachments/{promised['attachmentId']}"


def test_readers_on_both_nodes_miss_nothing_while_the_replica_dies_and_comes_back(nodes: Nodes, people: People) -> None:
    ann, bob, group = people.ann, people.bob, people.group
    for number in (0, 1):
        eventually(lambda number=number: nodes.health(number) == (200, "UP", "UP"))
    done, sent, failures = threading.Event(), 0, list[BaseException]()

    def write_and_read() -> None:
        nonlocal sent
        try:
            while not done.is_set():
                text = f"word{sent}"
                ann.send(group, text)
                sent += 1
                for api in (ann, bob):
                    page = api.get(f"/api/messages?conversationId={group}&size=1")
                    assert [each["text"] for each in page["content"]] == [text]
                    assert page["totalElements"] == sent
                    assert api.get("/api/conversations")[0]["lastMessage"]["text"] == text
                    hits = api.get(f"/api/messages/search?q={text}&conversationId={group}")
                    assert text in [each["message"]["text"] for each in hits]
        except BaseException as failure:
            failures.append(failure)
            raise

    def on_replica() -> float:
        return sum(value(nodes.metrics(number), "stackmentor_replica_reads_total") for number in (0, 1))

    reader = threading.Thread(target=write_and_read)
    reader.start()
    try:
        eventually(lambda: on_replica() > 20 or bool(failures))
        nodes.replica.kill()
        eventually(lambda: nodes.health(0) == nodes.health(1) == (200, "DEGRADED", "DOWN"))
        ready = httpx.get(f"{nodes.servers[0].url}/actuator/health/readiness", timeout=PATIENCE)
        assert ready.status_code == 200
        assert value(nodes.metrics(0), "stackmentor_replica_up") == 0
        before = sent
        eventually(lambda: sent > before + 5 or bool(failures))
        nodes.replica.start()
        eventually(lambda: nodes.health(0) == nodes.health(1) == (200, "UP", "UP"))
        served = on_replica()
        eventually(lambda: on_replica() > served + 5 or bool(failures))
    finally:
        done.set()
        reader.join()
    assert failures == []
    page = nodes.metrics(0)
    assert 'stackmentor_replica_refused_reads_total{reason="down"}' in page
    assert value(page, "stackmentor_replica_lag_seconds") < 30


def test_a_new_name_is_on_the_other_node_long_before_its_copy_is_old(nodes: Nodes, people: People) -> None:
    path = f"/api/users/{people.bob_id}"
    assert people.ann.get(path)["name"] == "Bob"
    assert people.bob.call("PATCH", "/api/users/me", {"name": "Robert"}).status_code == 200
    assert people.bob.get("/api/users/me")["name"] == "Robert"
    begun = time.monotonic()
    eventually(lambda: people.ann.get(path)["name"] == "Robert")
    # A copy that nobody outdates is believed for 60 s.
    assert time.monotonic() - begun < 30
    assert value(nodes.metrics(0), 'stackmentor_cache_invalidations_total{cache="users"}'.replace("{", r"\{")) >= 1


@pytest.mark.parametrize("redis", ["there", "away"])
def test_who_is_removed_gets_no_file_from_the_other_node_a_second_later(
    nodes: Nodes, people: People, redis: str
) -> None:
    path, group = attachment(people.ann, people.group), people.group
    last_success, done = 0.0, threading.Event()

    def ask_on() -> None:
        nonlocal last_success
        while not done.is_set():
            begun = time.monotonic()
            if people.bob.call("GET", path).status_code == 200:
                last_success = begun
            else:
                done.set()

    if redis == "away":
        nodes.redis.kill()
    asking = threading.Thread(target=ask_on)
    asking.start()
    try:
        eventually(lambda: last_success > 0)
        answer = people.ann.call("DELETE", f"/api/conversations/{group}/participants/{people.bob_id}")
        removed = time.monotonic()
        assert answer.status_code == 204
        assert done.wait(PATIENCE)
        assert last_success - removed < (1.0 if redis == "there" else 3.0)
    finally:
        done.set()
        asking.join()
        nodes.redis.start()
