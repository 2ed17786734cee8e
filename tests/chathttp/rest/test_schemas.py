"""The two documents: valid by their own specifications, and about what there is."""

import json
import re
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from schemathesis.specs.openapi.definitions import OPENAPI_31

from actors.conversation.subscription import Topic
from chatcore.errors import ErrorCode, invalid
from chatcore.model import Message, Notification, NotificationType
from chathttp.errors import EDGE, refused_send_body
from chathttp.session.destinations import ERRORS, NOTIFICATIONS, ConversationTopic, parse_topic
from chathttp.wire import JsonBodyEncoder
from tests.kit.identity import WallClock
from tests.kit.openapi import asyncapi, openapi, resolved
from tests.kit.rest import RestKit, open_rest

METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncGenerator[RestKit]:
    async with open_rest(directory=tmp_path) as kit:
        yield kit


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in openapi()["paths"].items():
        for method in METHODS & item.keys():
            yield path, method, item[method]


def test_the_openapi_document_is_one() -> None:
    validator: Any = Draft202012Validator(OPENAPI_31)
    validator.validate(openapi())


def test_the_asyncapi_document_is_one() -> None:
    schema = json.loads((Path(__file__).parents[2] / "kit/asyncapi/3.0.0.json").read_text("utf-8"))
    validator: Any = Draft7Validator(schema)
    validator.validate(asyncapi())


async def test_every_route_is_documented_and_every_documented_route_is_there(rest: RestKit) -> None:
    routes: set[tuple[str, str]] = set()
    for rule in rest.app.url_map.iter_rules():
        path = re.sub(r"<(?:uuid:)?(\w+)>", "{}", rule.rule)
        if not path.startswith(("/static/", "/docs/")):
            routes |= {(path, method.lower()) for method in rule.methods or ()}
    documented = {(re.sub(r"\{\w+\}", "{}", path), method) for path, method, _ in operations()}
    assert {route for route in routes if route[1] in METHODS} == documented


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    text = json.dumps(openapi())
    used = set(re.findall(r'"\$ref": "#/components/(\w+/\w+)"', text))
    there = {
        f"{kind}/{name}"
        for kind, members in openapi()["components"].items()
        if kind != "securitySchemes"
        for name in members
    }
    assert used == there


def test_every_error_code_is_documented_with_its_status() -> None:
    found: dict[str, set[int]] = {}
    for _, _, operation in operations():
        for status, answer in operation["responses"].items():
            schema = resolved(answer).get("content", {}).get("application/json", {}).get("schema", {})
            for part in schema.get("allOf", []):
                code = part.get("properties", {}).get("errorCode", {})
                for name in [code["const"]] if "const" in code else code.get("enum", []):
                    found.setdefault(name, set()).add(int(status))
    assert found == {code.value: {edge.status} for code, edge in EDGE.items()}
    assert openapi()["components"]["schemas"]["Error"]["properties"]["errorCode"]["enum"] == list(ErrorCode)


def test_what_needs_a_body_refuses_other_types_and_too_much() -> None:
    for path, method, operation in operations():
        answers = set(operation["responses"])
        assert ("requestBody" in operation) == ({"413", "415"} <= answers), f"{method} {path}"
        assert {"405", "500"} <= answers, f"{method} {path}"
        assert (operation.get("security") == []) == ("401" not in answers or path.startswith("/auth")), path


def test_the_documented_subscriptions_are_the_ones_that_the_session_knows() -> None:
    channels = [channel["address"] or "" for channel in asyncapi()["channels"].values()]
    topics = {address for address in channels if address.startswith("/topic/")}
    parsed = {parse_topic(address.format(conversationId=uuid4())) for address in topics}
    assert None not in parsed
    assert {each.topic for each in parsed if isinstance(each, ConversationTopic)} == set(Topic)
    assert {address for address in channels if address.startswith("/user/")} == {NOTIFICATIONS, ERRORS}


def payload_schema(name: str) -> Any:
    """A validator of an AsyncAPI message's payload, with the references into the OpenAPI document."""
    schema = asyncapi()["components"]["messages"][name]["payload"]
    text = json.dumps(schema).replace('"./openapi.yaml#', '"urn:openapi#')
    registry = Registry[Any]().with_resource("urn:openapi", Resource[Any](openapi(), DRAFT202012))
    return Draft202012Validator(json.loads(text), registry=registry)


def some_message() -> Message:
    return Message(uuid4(), uuid4(), 3, 4, 4, uuid4(), "Jan", "x" * 500, WallClock()())


@pytest.mark.parametrize("kind", NotificationType)
def test_every_notification_fits_the_document(kind: NotificationType) -> None:
    message = some_message() if kind is NotificationType.MESSAGE_CREATED else None
    person = uuid4() if kind in {NotificationType.PARTICIPANT_ADDED, NotificationType.PARTICIPANT_REMOVED} else None
    notification = Notification(kind, uuid4(), person, message, 0 if message else None)
    payload_schema("Notification").validate(json.loads(JsonBodyEncoder().notification(notification)))


def test_the_other_bodies_fit_the_document() -> None:
    encoder = JsonBodyEncoder()
    typing = encoder.typing(uuid4(), uuid4(), is_typing=True)
    marks = encoder.mark(uuid4(), uuid4(), read_seq=1, delivered_seq=2)
    refused = refused_send_body(invalid("text", "must not be blank"), "/app/message.send", "r1")
    for name, body in (("TypingEvent", typing), ("Marks", marks), ("RefusedSend", refused)):
        payload_schema(name).validate(json.loads(body))
