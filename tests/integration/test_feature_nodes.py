"""Two nodes of `serve` over one database: what is done on one holds on the other, files on disk and in S3 included."""

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Final
from uuid import uuid4

import httpx
import psycopg
import pytest
from attrs import frozen

from tests.integration.test_metrics import value
from tests.kit.api import Api
from tests.kit.command import COMMAND, stackmentor
from tests.kit.devserver import DevServer
from tests.kit.moto import s3_bucket
from tests.kit.postgres import PostgresServer, own_postgres_server, remove_scratch, scratch_directory
from tests.kit.redis import RedisServer, free_port, own_redis_server

PATIENCE: Final = 60.0
REFRESH: Final = 3.0
"""Seconds after which a node reads the feature flags though it heard no word."""
FILE: Final = b"cat" * 1000


@frozen
class Nodes:
    first: DevServer
    second: DevServer
    management: list[int]
    database_url: str
    redis: RedisServer

    def metrics(self, name: str) -> float:
        """Of both nodes together."""
        pages = [httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE).text for port in self.management]
        return sum(value(page, name) for page in pages)


@contextmanager
def two_nodes(postgres: PostgresServer, redis: RedisServer, attachments_url: str) -> Generator[Nodes]:
    url, servers, ports = postgres.fresh_database(), list[DevServer](), [free_port(), free_port()]
    with ExitStack() as stack:
        for port in ports:
            directory = scratch_directory()
            stack.callback(remove_scratch, directory)
            settings = {
                "host": "127.0.0.1",
                "management_port": port,
                "database_url": url,
                "redis_url": redis.url,
                "attachments_url": attachments_url,
                "attachment_sweep_interval": 1,
                "features_refresh": REFRESH,
                "purge_interval": 1,
                "purge_batch": 2,
            }
            env = {f"STACKMENTOR_{name.upper()}": str(each) for name, each in settings.items()}
            servers.append(stack.enter_context(DevServer(directory, free_port(), env=env, command=(*COMMAND, "serve"))))
        yield Nodes(servers[0], servers[1], ports, url, redis)


@pytest.fixture(scope="module")
def postgres() -> Generator[PostgresServer]:
    with own_postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def redis() -> Generator[RedisServer]:
    with own_redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def nodes(postgres: PostgresServer, redis: RedisServer) -> Generator[Nodes]:
    """Their files are in one directory."""
    files = scratch_directory()
    try:
        with two_nodes(postgres, redis, f"file:{files / 'attachments'}") as started:
            yield started
    finally:
        remove_scratch(files)


@frozen
class People:
    """Ann on the first node, Bob on the second, and a group of theirs; Eve, who is in none of theirs, on the second."""

    ann: Api
    bob: Api
    eve: Api
    bob_id: str
    group: str


@contextmanager
def people_on(nodes: Nodes) -> Generator[People]:
    with Api(nodes.first.url) as ann, Api(nodes.second.url) as bob, Api(nodes.second.url) as eve:
        ann.sign_up(nodes.first.data_dir, "Ann")
        bob.sign_up(nodes.second.data_dir, "Bob")
        eve.sign_up(nodes.second.data_dir, "Eve")
        bob_id = bob.get("/api/users/me")["id"]
        given = {"type": "GROUP", "participantIds": [bob_id], "name": "Group"}
        yield People(ann, bob, eve, bob_id, ann.call("POST", "/api/conversations", given).json()["id"])


@pytest.fixture
def people(nodes: Nodes) -> Generator[People]:
    with people_on(nodes) as found:
        yield found


def eventually(holds: Callable[[], bool]) -> float:
    """Seconds until it held: of the last look at which it did not."""
    begun = last = time.monotonic()
    while not holds():
        last = time.monotonic()
        assert last - begun < PATIENCE
        time.sleep(0.02)
    return last - begun


def status(api: Api, method: str, path: str, body: object = None) -> int:
    return api.call(method, path, body).status_code


def administrator(nodes: Nodes, api: Api) -> None:
    email = api.get("/api/users/me")["email"]
    done = stackmentor("roles", email, "--set", "admins", database_url=nodes.database_url)
    assert done.returncode == 0, done.stderr
    api.sign_in(email)


def test_a_flag_that_an_admin_sets_on_one_node_changes_what_the_other_answers(nodes: Nodes, people: People) -> None:
    administrator(nodes, people.ann)
    flag = f"flag-{uuid4()}"

    def put(enabled: bool) -> float:
        body = {"enabled": enabled}
        assert status(people.ann, "PUT", f"/api/admin/features/{flag}", body) in {200, 201, 204}
        return eventually(lambda: people.bob.get("/api/features").get(flag) is enabled)

    assert put(enabled=True) < 1
    assert put(enabled=False) < 1
    nodes.redis.kill()
    try:
        # The second node hears nothing, and reads the flags by itself.
        assert put(enabled=True) < REFRESH + 2
    finally:
        nodes.redis.start()


def test_a_block_on_one_node_holds_on_the_other_within_a_second(nodes: Nodes, people: People) -> None:
    given = {"type": "DIRECT", "participantIds": [people.bob_id]}
    direct = people.ann.call("POST", "/api/conversations", given).json()["id"]
    ann_id = people.ann.get("/api/users/me")["id"]
    people.bob.send(direct, "Hello")
    people.ann.send(direct, "Hello Bob")

    def refused() -> bool:
        return status(people.bob, "POST", "/api/messages", {"conversationId": direct, "text": "Again"}) == 403

    assert status(people.ann, "PUT", f"/api/users/me/blocks/{people.bob_id}") == 204
    assert eventually(refused) < 1
    people.ann.send(direct, "I still write")
    assert status(people.ann, "DELETE", f"/api/users/me/blocks/{people.bob_id}") == 204
    assert eventually(lambda: not refused()) < 1
    assert status(people.bob, "PUT", f"/api/users/me/blocks/{ann_id}") == 204


def test_a_group_that_is_deleted_on_one_node_is_gone_on_the_other_and_purged(nodes: Nodes, people: People) -> None:
    message = people.bob.send(people.group, "First")
    for number in range(4):
        people.bob.send(people.group, f"Message {number}")
    purged = nodes.metrics("stackmentor_purged_messages_total")
    paths = [f"/api/conversations/{people.group}", f"/api/messages?conversationId={people.group}"]
    assert [status(people.bob, "GET", path) for path in paths] == [200, 200]
    assert status(people.ann, "DELETE", f"/api/groups/{people.group}") == 204
    assert eventually(lambda: all(status(people.bob, "GET", path) == 404 for path in paths)) < 1
    body = {"conversationId": people.group, "text": "Anybody?"}
    assert status(people.bob, "POST", "/api/messages", body) == 404
    assert status(people.bob, "PATCH", f"/api/messages/{message['id']}", {"text": "More"}) == 404
    eventually(lambda: nodes.metrics("stackmentor_purged_messages_total") - purged >= 5)
    eventually(lambda: nodes.metrics("stackmentor_purge_pending") == 0)
    assert nodes.metrics("stackmentor_purge_failures_total") == 0
    with psycopg.connect(nodes.database_url) as database:
        left = database.execute("SELECT count(*) FROM messages WHERE conversation_id = %s", [people.group]).fetchone()
    assert left == (0,)


def upload(api: Api) -> str:
    """Its attachment's id."""
    given = {"fileName": "cat.png", "contentType": "image/png", "size": len(FILE)}
    asked = api.call("POST", "/api/attachments", given)
    assert asked.status_code == 201, asked.text
    promised = asked.json()
    answer = httpx.put(promised["uploadUrl"], content=FILE, headers=promised["headers"], timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    return promised["attachmentId"]


def check_a_files_life(nodes: Nodes, people: People) -> None:
    """Up through one node and down through the other, to no stranger; and what no message bears is swept."""
    sent, unused = upload(people.ann), upload(people.ann)
    path, unused_path = f"/api/attachments/{sent}", f"/api/attachments/{unused}"
    assert status(people.bob, "GET", path) == 403
    message = people.ann.send(people.group, "", attachmentIds=[sent])
    assert message["attachmentUrls"] == [path]
    answer = httpx.get(people.bob.get(path)["downloadUrl"], timeout=PATIENCE)
    assert (answer.content, answer.headers["Content-Type"]) == (FILE, "image/png")
    assert 'filename="cat.png"' in answer.headers["Content-Disposition"]
    assert status(people.eve, "GET", path) == 403
    assert status(people.bob, "GET", unused_path) == 403
    assert status(people.eve, "GET", f"/api/attachments/{uuid4()}") == 404
    link = people.ann.get(unused_path)["downloadUrl"]
    with psycopg.connect(nodes.database_url) as database:
        database.execute(
            "UPDATE attachments SET created_at = created_at - interval '2 days',"
            " upload_until = upload_until - interval '2 days' WHERE id = %s",
            [unused],
        )
    eventually(lambda: status(people.ann, "GET", unused_path) == 404)
    # S3 tells who may not list the bucket nothing of what is not there.
    eventually(lambda: httpx.get(link, timeout=PATIENCE).status_code in {403, 404})
    eventually(lambda: nodes.metrics("stackmentor_attachments_deleted_total") >= 1)
    assert nodes.metrics("stackmentor_attachments_expired_total") >= 1
    assert nodes.metrics("stackmentor_attachment_sweep_failures_total") == 0
    assert httpx.get(people.bob.get(path)["downloadUrl"], timeout=PATIENCE).content == FILE


def test_files_in_a_directory_that_two_nodes_share(nodes: Nodes, people: People) -> None:
    check_a_files_life(nodes, people)


def test_files_in_s3_that_two_nodes_share(postgres: PostgresServer, redis: RedisServer) -> None:
    with (
        s3_bucket("files") as endpoint,
        two_nodes(postgres, redis, f"s3://files/chat?region=eu-west-1&endpoint={endpoint}") as nodes,
        people_on(nodes) as people,
    ):
        check_a_files_life(nodes, people)
        page = httpx.get(nodes.first.url, timeout=PATIENCE)
        assert f"connect-src 'self' ws: wss: {endpoint}" in page.headers["Content-Security-Policy"]
