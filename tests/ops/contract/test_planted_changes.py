"""Breaking changes that are planted in the project's own documents are found, and additions are none."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from ops.contract.documents import ASYNCAPI, OPENAPI, Contract, breaking_changes
from ops.contract.shape import Documents
from tests.kit.openapi import asyncapi, openapi

Change = Callable[[dict[str, Any], dict[str, Any]], object]


def found(change: Change) -> list[str]:
    """The breaking changes when `change` is made to the OpenAPI and the AsyncAPI document."""
    rest, stomp = deepcopy(openapi()), deepcopy(asyncapi())
    change(rest, stomp)
    old, new = Documents({OPENAPI: openapi(), ASYNCAPI: asyncapi()}), Documents({OPENAPI: rest, ASYNCAPI: stomp})
    return [str(each) for each in breaking_changes(Contract(old, "1.0.0"), Contract(new, "1.0.1"))]


def at(document: dict[str, Any], *path: str) -> Any:
    node: Any = document
    for part in path:
        node = node[part]
    return node


def schemas(document: dict[str, Any], name: str) -> Any:
    return document["components"]["schemas"][name]


def body(document: dict[str, Any], path: str, method: str) -> Any:
    return at(document, "paths", path, method, "requestBody", "content", "application/json", "schema")


SEND = "/api/messages"

BREAKING: dict[str, tuple[Change, str]] = {
    "path removed": (lambda rest, _: rest["paths"].pop("/api/presence"), "GET /api/presence: is gone"),
    "operation removed": (lambda rest, _: rest["paths"][SEND].pop("get"), "GET /api/messages: is gone"),
    "status removed": (
        lambda rest, _: at(rest, "paths", SEND, "post", "responses").pop("200"),
        "POST /api/messages 200: is gone",
    ),
    "success added": (
        lambda rest, _: at(rest, "paths", SEND, "post", "responses").update(
            {"202": {"$ref": "#/components/responses/Accepted"}}
        ),
        "POST /api/messages 202: is a success that no client knows",
    ),
    "answered property removed": (
        lambda rest, _: (
            schemas(rest, "Message")["properties"].pop("rev"),
            schemas(rest, "Message")["required"].remove("rev"),
        ),
        "POST /api/messages 201.rev: is gone",
    ),
    "answered property optional": (
        lambda rest, _: schemas(rest, "Message")["required"].remove("reactions"),
        "GET /api/messages 200.content[].reactions: is no longer always there",
    ),
    "answered property of another type": (
        lambda rest, _: schemas(rest, "Message")["properties"].update(seq={"type": "string"}),
        "POST /api/messages 201.seq: is string, was integer",
    ),
    "answered property may be null": (
        lambda rest, _: schemas(rest, "User")["properties"].update(name={"type": ["string", "null"]}),
        "GET /api/users/me 200.name: is null, was string",
    ),
    "answered value removed": (
        lambda rest, _: schemas(rest, "Participant")["properties"]["role"]["enum"].remove("admin"),
        "GET /api/groups/{} 200.participants[].role: 'admin' does not come any more",
    ),
    "answered value added": (
        lambda rest, _: schemas(rest, "Participant")["properties"]["role"]["enum"].append("guest"),
        "GET /api/groups/{} 200.participants[].role: 'guest' is a new value that no client knows",
    ),
    "error code removed": (
        lambda rest, _: at(
            rest, "components", "responses", "Unauthorized", "content", "application/json", "schema", "allOf"
        )[1].update(properties={"errorCode": {"enum": ["UNAUTHORIZED"]}}),
        "GET /api/users/me 401.errorCode: 'TOKEN_EXPIRED' does not come any more",
    ),
    "longer text answered": (
        lambda rest, _: schemas(rest, "Message")["properties"]["text"].update(maxLength=20_000),
        "POST /api/messages 201.text: maxLength differs (received by clients)",
    ),
    "format of an answer given up": (
        lambda rest, _: schemas(rest, "Time").pop("pattern"),
        "GET /api/users/me 200.createdAt: pattern",
    ),
    "answered header removed": (
        lambda rest, _: at(rest, "components", "responses", "RateLimited", "headers").pop("Retry-After"),
        "POST /api/messages 429 header Retry-After: is gone",
    ),
    "answered header optional": (
        lambda rest, _: at(rest, "components", "headers", "Allow").update(required=False),
        "POST /api/messages 405 header Allow: is no longer always there",
    ),
    "media type of an answer": (
        lambda rest, _: at(rest, "components", "responses", "User").update(content={"application/cbor": {}}),
        "GET /api/users/me 200: is not application/json any more",
    ),
    "body where there was none": (
        lambda rest, _: at(rest, "components", "responses", "Done").update(content={"application/json": {}}),
        "DELETE /api/messages/{} 204: has a body where there was none",
    ),
    "property newly required": (
        lambda rest, _: body(rest, SEND, "post")["required"].append("clientMessageId"),
        "POST /api/messages body.clientMessageId: is newly required",
    ),
    "new property is required": (
        lambda rest, _: (
            body(rest, SEND, "post")["required"].append("priority"),
            body(rest, SEND, "post")["properties"].update(priority={"type": "integer"}),
        ),
        "POST /api/messages body.priority: is newly required",
    ),
    "property no longer understood": (
        lambda rest, _: body(rest, SEND, "post")["properties"].pop("replyTo"),
        "POST /api/messages body.replyTo: is gone",
    ),
    "type of a property narrowed": (
        lambda rest, _: schemas(rest, "ClientMessageId").update(type="string"),
        "POST /api/messages body.clientMessageId: is null, and has to be string",
    ),
    "value no longer taken": (
        lambda rest, _: schemas(rest, "ConversationType").update(enum=["DIRECT"]),
        "POST /api/conversations body.type: 'GROUP' is no longer taken",
    ),
    "shorter text taken": (
        lambda rest, _: body(rest, SEND, "post")["properties"]["text"].update(maxLength=5_000),
        "POST /api/messages body.text: maxLength differs (sent by clients)",
    ),
    "fewer taken": (
        lambda rest, _: body(rest, SEND, "post")["properties"]["attachmentIds"].update(maxItems=3),
        "POST /api/messages body.attachmentIds: maxItems differs (sent by clients)",
    ),
    "new pattern": (
        lambda rest, _: schemas(rest, "Name").update(pattern="^[A-Z]"),
        "POST /auth/signup body.name: pattern",
    ),
    "unknown properties refused": (
        lambda rest, _: body(rest, SEND, "post").update(additionalProperties=False),
        "POST /api/messages body: unknown properties are refused now",
    ),
    "body newly required": (
        lambda rest, _: at(rest, "paths", "/api/users/me/blocks/{userId}", "put").update(
            requestBody={"required": True, "content": {"application/json": {}}}
        ),
        "PUT /api/users/me/blocks/{} body: is newly required",
    ),
    "parameter removed": (
        lambda rest, _: at(rest, "paths", SEND, "get", "parameters").pop(2),
        "GET /api/messages query parameter beforeSeq: is gone",
    ),
    "parameter newly required": (
        lambda rest, _: at(rest, "paths", SEND, "get", "parameters")[5].update(required=True),
        "GET /api/messages query parameter size: is newly required",
    ),
    "new parameter is required": (
        lambda rest, _: at(rest, "paths", SEND, "get", "parameters").append(
            {"name": "tenant", "in": "query", "required": True, "schema": {"type": "string"}}
        ),
        "GET /api/messages query parameter tenant: is newly required",
    ),
    "range of a parameter narrowed": (
        lambda rest, _: at(rest, "paths", SEND, "get", "parameters")[5]["schema"].update(maximum=100),
        "GET /api/messages query parameter size: maximum differs (sent by clients)",
    ),
    "parameter of a path narrowed": (
        lambda rest, _: schemas(rest, "FeatureName").update(pattern="^[a-z]+$"),
        "PUT /api/admin/features/{} path parameter 1: pattern",
    ),
    "newly behind a token": (
        lambda rest, _: at(rest, "paths", "/docs", "get").pop("security"),
        "GET /docs: is not open any more with nothing",
    ),
    "destination removed": (
        lambda _, stomp: (stomp["channels"].pop("typingStop"), stomp["operations"].pop("onTypingStop")),
        "/app/typing.stop typing: is not sent by clients any more",
    ),
    "destination renamed": (
        lambda _, stomp: stomp["channels"]["errors"].update(address="/user/queue/problems"),
        "/user/queue/errors refusedSend: is not received by clients any more",
    ),
    "message removed": (
        lambda _, stomp: stomp["channels"]["conversationRead"].update(messages={}),
        "/topic/conversation.{}.read marks: is not received by clients any more",
    ),
    "body of a SEND narrowed": (
        lambda _, stomp: stomp["components"]["messages"]["Read"]["payload"]["properties"]["seq"].update(minimum=1),
        "/app/message.read read payload.seq: minimum differs (sent by clients)",
    ),
    "kind of event removed": (
        lambda _, stomp: stomp["components"]["messages"]["Message"]["headers"]["properties"]["event"]["enum"].pop(),
        "/topic/conversation.{} message headers.event: 'message.deleted' does not come any more",
    ),
    "kind of notification removed": (
        lambda _, stomp: stomp["components"]["messages"]["Notification"]["payload"]["oneOf"].pop(),
        "/user/queue/notification notification payload.type: 'message.created' does not come any more",
    ),
    "part of a notification removed": (
        lambda _, stomp: stomp["components"]["messages"]["Notification"]["payload"]["oneOf"][2]["required"].remove(
            "preview"
        ),
        "/user/queue/notification notification payload.preview: is no longer always there",
    ),
    "header of a frame removed": (
        lambda _, stomp: stomp["components"]["messages"]["Receipt"]["headers"]["properties"].pop("seq"),
        "frames receipt headers.seq: is gone",
    ),
    "header of a SUBSCRIBE no longer understood": (
        lambda _, stomp: stomp["components"]["messages"]["Subscribe"]["headers"]["properties"].pop("last-rev"),
        "frames subscribe headers.last-rev: is gone",
    ),
    "by a schema of the other document": (
        lambda rest, _: schemas(rest, "Message")["properties"].update(senderName={"type": ["string", "null"]}),
        "/topic/conversation.{} message payload.senderName: is null, was string",
    ),
}

HARMLESS: dict[str, Change] = {
    "nothing": lambda rest, stomp: None,
    "new path": lambda rest, _: rest["paths"].update({"/api/new": rest["paths"]["/api/presence"]}),
    "new operation": lambda rest, _: rest["paths"]["/api/presence"].update(post=rest["paths"]["/api/presence"]["get"]),
    "new error": lambda rest, _: at(rest, "paths", "/docs", "get", "responses").update(
        {"503": {"$ref": "#/components/responses/Unavailable"}}
    ),
    "new code of an error": lambda rest, _: (
        schemas(rest, "Error")["properties"]["errorCode"]["enum"].append("GONE"),
        at(rest, "components", "responses", "Conflict", "content", "application/json", "schema", "allOf")[1].update(
            properties={"errorCode": {"enum": ["CONFLICT", "GONE"]}}
        ),
    ),
    "new property of an answer": lambda rest, _: (
        schemas(rest, "Message")["properties"].update(pinned={"type": "boolean"}),
        schemas(rest, "Message")["required"].append("pinned"),
    ),
    "narrower answer": lambda rest, _: schemas(rest, "User")["properties"].update(
        profilePictureUrl={"type": "string", "maxLength": 2048}
    ),
    "new property of a request": lambda rest, _: body(rest, SEND, "post")["properties"].update(
        priority={"type": "integer"}
    ),
    "wider request": lambda rest, _: body(rest, SEND, "post")["properties"]["text"].update(maxLength=20_000),
    "property no longer required": lambda rest, _: body(rest, SEND, "post")["required"].remove("text"),
    "new value taken": lambda rest, _: at(
        rest, "components", "requestBodies", "Role", "content", "application/json", "schema"
    )["properties"]["role"]["enum"].append("guest"),
    "new parameter": lambda rest, _: at(rest, "paths", SEND, "get", "parameters").append(
        {"name": "lang", "in": "query", "schema": {"type": "string"}}
    ),
    "parameter of a path renamed": lambda rest, _: at(rest, "components", "parameters", "GroupId").update(name="id"),
    "words": lambda rest, _: at(rest, "paths", SEND, "post").update(summary="Other words", description="And more"),
    "schema under another name": lambda rest, _: (
        rest["components"]["schemas"].update(Identity=schemas(rest, "Id")),
        schemas(rest, "Message")["properties"].update(id={"$ref": "#/components/schemas/Identity"}),
    ),
    "open to all": lambda rest, _: at(rest, "paths", "/api/features", "get").update(security=[]),
    "new destination": lambda _, stomp: (
        stomp["channels"].update(new={**stomp["channels"]["errors"], "address": "/user/queue/new"}),
        stomp["operations"].update(sendNew={"action": "send", "channel": {"$ref": "#/channels/new"}}),
    ),
    "new kind of notification": lambda _, stomp: (
        stomp["components"]["messages"]["Notification"]["payload"]["properties"]["type"]["enum"].append("user.renamed"),
        stomp["components"]["messages"]["Notification"]["payload"]["oneOf"].append(
            {"required": ["name"], "properties": {"type": {"const": "user.renamed"}, "name": {"type": "string"}}}
        ),
    ),
    "headers told of": lambda _, stomp: stomp["components"]["messages"]["Read"].update(
        headers={"type": "object", "properties": {"receipt": {"type": "string"}}}
    ),
    "new header of a frame": lambda _, stomp: stomp["components"]["messages"]["Receipt"]["headers"][
        "properties"
    ].update(rev={"type": "string"}),
}


@pytest.mark.parametrize("name", BREAKING)
def test_a_breaking_change_is_found_and_named(name: str) -> None:
    change, expected = BREAKING[name]
    changes = found(change)
    assert any(each.startswith(expected) for each in changes), changes


@pytest.mark.parametrize("name", HARMLESS)
def test_an_addition_breaks_nothing(name: str) -> None:
    assert found(HARMLESS[name]) == []
