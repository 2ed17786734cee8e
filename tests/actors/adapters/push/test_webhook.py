"""`WebhookSender` against a server that answers anything, nothing, or is not there."""

import json
import socket
import threading
from collections.abc import Generator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import pytest

from actors.adapters.push.webhook import WebhookSender
from actors.push.ports import Device, Push, Told

ONE = UUID(int=1)
PUSH = Push(ONE, UUID(int=2), UUID(int=3), 7, UUID(int=4), "Jan", "Hello", datetime(2026, 1, 1, tzinfo=UTC), 2)
DEVICE = Device(ONE, "phone", "ios", "token")


class _Server(ThreadingHTTPServer):
    answer = 200
    requests: list[tuple[str | None, dict[str, object]]]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, _Server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.headers["Authorization"], json.loads(body)))
        self.send_response(self.server.answer)
        self.send_header("Content-Length", "0")
        if self.server.answer == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Generator[_Server]:
    made = _Server(("127.0.0.1", 0), _Handler)
    made.requests = []
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def sender(port: int, timeout: float = 30.0) -> WebhookSender:
    return WebhookSender(f"http://127.0.0.1:{port}/push", secret="s3cret", timeout=timeout, concurrency=2)


async def test_a_push_is_posted_as_json_with_the_secret(server: _Server) -> None:
    assert await sender(server.server_port).send(PUSH, DEVICE) is Told.SENT
    assert server.requests == [
        (
            "Bearer s3cret",
            {
                "userId": str(UUID(int=1)),
                "deviceId": "phone",
                "platform": "ios",
                "pushToken": "token",
                "collapseKey": str(UUID(int=2)),
                "conversationId": str(UUID(int=2)),
                "messageId": str(UUID(int=3)),
                "seq": 7,
                "senderId": str(UUID(int=4)),
                "senderName": "Jan",
                "text": "Hello",
                "createdAt": "2026-01-01T00:00:00+00:00",
                "count": 2,
            },
        )
    ]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (204, Told.SENT),
        (404, Told.GONE),
        (410, Told.GONE),
        (302, Told.FAILED),
        (400, Told.FAILED),
        (429, Told.FAILED),
        (503, Told.FAILED),
    ],
)
async def test_each_answer_means_what_it_says(server: _Server, answer: int, told: Told) -> None:
    server.answer = answer
    assert await sender(server.server_port).send(PUSH, DEVICE) is told
    assert len(server.requests) == 1


async def test_a_server_that_is_not_there_or_hangs_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert await sender(port, timeout=0.2).send(PUSH, DEVICE) is Told.FAILED
    assert await sender(port).send(PUSH, DEVICE) is Told.FAILED
