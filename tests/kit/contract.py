"""The rows of the wire contract, each of which has a test that bears its name: ``@pytest.mark.contract("row", …)``.

Routes, headers, destinations, frames and error codes are rows because the two documents name them; `RULES` are what the
documents say in words.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from chathttp import errors
from tests.kit.openapi import METHODS, asyncapi, openapi, resolved

TESTS: Final = Path(__file__).parents[1]
RULES: Final = frozenset(
    {
        "403 to a stranger where there is something, else 404",
        "BEGIN, COMMIT, ABORT",
        "Message has all fields",
        "NACK",
        "STOMP 1.2, 1.1 and 1.0",
        "SockJS /ws/info",
        "SockJS eventsource",
        "SockJS websocket",
        "SockJS xhr-polling",
        "SockJS xhr-streaming",
        "a deleted message is a tombstone",
        "a slow reader holds up nobody",
        "above 100 members no delivered marks and no presence",
        "ack:auto",
        "ack:client",
        "ack:client-individual",
        "attachment links expire",
        "clientMessageId is sent once",
        "events message.created, message.updated, message.deleted",
        "header Access-Control-Allow-Origin",
        "header Authorization",
        "header Content-Security-Policy",
        "header Origin",
        "header Referrer-Policy",
        "header Strict-Transport-Security",
        "header X-Content-Type-Options",
        "header X-Forwarded-For",
        "header X-Forwarded-Proto",
        "header X-Frame-Options",
        "header X-Internal-Secret",
        "heart-beats",
        "history-truncated",
        "last-rev",
        "last-seq",
        "limit 64 headers",
        "limit CONNECT within 10 s",
        "limit attachments of a message",
        "limit clientMessageId of 128 characters",
        "limit frame of 128 KiB",
        "limit group size",
        "limit header line of 8 KiB",
        "limit mark events once a second and user",
        "limit notifications once a second and conversation",
        "limit replay of 1,000 events",
        "limit sends a second and user",
        "limit subscriptions of a connection",
        "limit text of 10,000 code points",
        "limit transaction of 100 frames and 256 KiB",
        "limit typing events a second",
        "marks never move back and are clamped",
        "mentions",
        "one gapless order for all",
        "position above what the server has",
        "refused SUBSCRIBE",
        "removed member",
        "sending moves the sender's marks",
        "several frames, split frames and a missing NUL",
        "subprotocols v12.stomp, v11.stomp, v10.stomp",
        "text and binary WebSocket messages",
        "timestamps never fall",
        "token in CONNECT",
        "token in the handshake or the query",
        "token that expires",
        "who joins has nothing unread",
    }
)


def rows() -> set[str]:
    """All that a test has to bear the name of."""
    return {*RULES, *_routes_and_headers(), *_destinations_and_frames(), *_errors_and_closes()}


def _routes_and_headers() -> Iterator[str]:
    for path, item in openapi()["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}"
                for answer in item[method]["responses"].values():
                    yield from (f"header {name}" for name in resolved(answer).get("headers", {}))


def _destinations_and_frames() -> Iterator[str]:
    document = asyncapi()
    for operation in document["operations"].values():
        channel: dict[str, Any] = document["channels"][operation["channel"]["$ref"].rpartition("/")[2]]
        if channel["address"] is None:
            for message in channel["messages"].values():
                name = message["$ref"].rpartition("/")[2]
                yield f"frame {document['components']['messages'][name]['name']}"
        else:
            yield f"{'SEND' if operation['action'] == 'receive' else 'SUBSCRIBE'} {channel['address']}"


def _errors_and_closes() -> Iterator[str]:
    yield from (f"error {code}" for code in errors.EDGE)
    yield from (f"close {code}" for name, code in vars(errors).items() if name.startswith("CLOSE_"))


def marked_rows(root: Path = TESTS) -> Iterator[tuple[str, str]]:
    """Each row that is the name of a test or of a class of tests, and which that is."""
    for path in sorted(root.rglob("test_*.py")):
        if "node_modules" not in path.parts and "mark.contract" in (text := path.read_text("utf-8")):
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    for row in _marks(node):
                        assert _is_test(node), f"{path}:{node.lineno} is no test"
                        yield row, f"{path.relative_to(root)}::{node.name}"


def _marks(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.contract":
            yield from (ast.literal_eval(argument) for argument in decorator.args)


def _is_test(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    if isinstance(node, ast.ClassDef):
        inner = [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
        return node.name.startswith("Test") and any(_is_test(each) for each in inner)
    return node.name.startswith("test_")
