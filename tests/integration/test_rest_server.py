"""The REST API of a running `stackmentor dev`, on its real PostgreSQL and through its real HTTP server."""

import socket
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.kit.api import Api
from tests.kit.devserver import DevServer

HEAD = b"Host: x\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\n"


@pytest.fixture
def alice(dev_server: DevServer) -> Generator[Api]:
    with Api(dev_server.url) as api:
        yield api.sign_in("alice@example.com")


@pytest.fixture
def bob(dev_server: DevServer) -> Generator[Api]:
    with Api(dev_server.url) as api:
        yield api.sign_in("bob@example.com")


@pytest.fixture
def stranger(dev_server: DevServer) -> Generator[Api]:
    """Somebody who signed up just now, with the code out of his mail."""
    with Api(dev_server.url) as api:
        yield api.sign_up(dev_server.data_dir, "Stranger")


def test_who_signs_up_gets_a_mail_confirms_and_signs_in(stranger: Api) -> None:
    assert stranger.get("/api/users/me")["name"] == "Stranger"
    refreshed = stranger.call("POST", "/auth/refresh", {"refreshToken": stranger.tokens["refreshToken"]})
    again = stranger.call("POST", "/auth/refresh", {"refreshToken": stranger.tokens["refreshToken"]})
    assert refreshed.json()["refreshToken"] == again.json()["refreshToken"]
    last = {"refreshToken": refreshed.json()["refreshToken"]}
    assert stranger.call("POST", "/auth/logout", last).status_code == 204
    assert stranger.call("POST", "/auth/refresh", last).json()["errorCode"] == "UNAUTHORIZED"


def test_two_users_talk_in_their_one_conversation(alice: Api, bob: Api) -> None:
    ids = {name: api.get("/api/users/me")["id"] for name, api in (("alice", alice), ("bob", bob))}
    answers = [
        api.call("POST", "/api/conversations", {"type": "DIRECT", "participantIds": [ids[other]]})
        for api, other in ((alice, "bob"), (bob, "alice"))
    ]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    conversation = answers[0].json()["id"]
    key = str(uuid4())
    first = alice.send(conversation, "Grüße 👋", clientMessageId=key)
    assert alice.send(conversation, "again", clientMessageId=key) == first
    assert bob.get(f"/api/conversations/{conversation}")["unreadCount"] >= 1
    page = bob.get(f"/api/messages?conversationId={conversation}")
    assert (page["content"][0]["text"], page["content"][0]["isRead"]) == ("Grüße 👋", False)
    assert bob.call("PUT", f"/api/messages/{first['id']}/read").status_code == 204
    assert bob.get(f"/api/messages?conversationId={conversation}")["content"][0]["isRead"] is True
    listed = bob.get("/api/conversations")[0]
    assert (listed["id"], listed["unreadCount"]) == (conversation, 0)


def test_a_stranger_neither_reads_nor_sends(alice: Api, stranger: Api) -> None:
    group = alice.demo_group()
    message = alice.send(group, "for us")["id"]
    attempts = [
        stranger.call("GET", f"/api/conversations/{group}"),
        stranger.call("GET", f"/api/messages?conversationId={group}"),
        stranger.call("POST", "/api/messages", {"conversationId": group, "text": "x"}),
        stranger.call("PATCH", f"/api/messages/{message}", {"text": "x"}),
        stranger.call("DELETE", f"/api/messages/{message}"),
        stranger.call("PUT", f"/api/messages/{message}/read"),
    ]
    assert [(each.status_code, each.json()["errorCode"]) for each in attempts] == [(403, "FORBIDDEN")] * 6


def test_a_name_is_found_with_a_typo(alice: Api) -> None:
    assert "Carol" in [each["name"] for each in alice.get("/api/users?search=carl")["content"]]


def test_history_walks_back_to_the_first_message(alice: Api) -> None:
    group = alice.call("POST", "/api/conversations", {"type": "GROUP", "participantIds": []}).json()["id"]
    for number in range(1, 8):
        alice.send(group, f"message {number}")
    seen: list[int] = []
    while True:
        bound = f"&beforeSeq={seen[-1]}" if seen else ""
        page = alice.get(f"/api/messages?conversationId={group}&size=3{bound}")["content"]
        if not page:
            break
        seen += [each["seq"] for each in page]
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_tokens_outlive_a_restart(data_dir: Path) -> None:
    with DevServer(data_dir) as server:
        with Api(server.url) as api:
            tokens = api.sign_in("alice@example.com").tokens
        server.restart()
        with Api(server.url) as api:
            api.tokens = tokens
            assert api.get("/api/users/me")["name"] == "Alice"
            assert api.call("POST", "/auth/refresh", {"refreshToken": tokens["refreshToken"]}).status_code == 200
        server.stop()


@pytest.mark.parametrize(
    ("request_line", "status"),
    [(b"POST /api/nothing", b"404"), (b"DELETE /auth/login", b"405"), (b"POST /auth/login", b"415")],
)
def test_an_answer_before_the_body_does_not_lose_the_next_request(
    dev_server: DevServer, request_line: bytes, status: bytes
) -> None:
    address = urlsplit(dev_server.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        stream = connection.makefile("rb")
        for _ in range(3):
            connection.sendall(request_line + b" HTTP/1.1\r\n" + HEAD)
            connection.sendall(b"123456")
            assert stream.readline().split()[1] == status
            length = 0
            while (line := stream.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            stream.read(length)


def test_a_body_above_the_limit_is_refused_however_it_comes(alice: Api) -> None:
    text = "x" * 1_048_576
    sized = alice.call("POST", "/api/messages", {"conversationId": str(uuid4()), "text": text})
    assert (sized.status_code, sized.json()["errorCode"]) == (413, "PAYLOAD_TOO_LARGE")
    assert alice.get("/api/users/me")["name"] == "Alice"


def test_every_error_of_the_server_has_the_shape_and_the_headers(alice: Api) -> None:
    for method, path in (("GET", "/nothing"), ("TRACE", "/api/users/me"), ("GET", "/api/messages"), ("PUT", "/ws")):
        answer = alice.call(method, path, headers={"X-Request-ID": "req-1"})
        assert set(answer.json()) == {"errorCode", "message", "details"}, path
        assert answer.headers["x-request-id"] == "req-1"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_health_documents_and_client_are_served_without_a_token(dev_server: DevServer) -> None:
    with Api(dev_server.url) as nobody:
        health = nobody.get("/actuator/health")
        assert health["components"]["database"]["status"] == "UP"
        for path in ("/actuator/health/liveness", "/actuator/health/readiness", "/.well-known/jwks.json"):
            nobody.get(path)
        for path in ("/", "/docs", "/openapi.yaml", "/asyncapi.yaml"):
            assert nobody.call("GET", path).status_code == 200
