"""The two documents show an example of everything that goes over the wire, and each is a valid one."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from chatcore.errors import ErrorCode
from chathttp import errors
from chathttp.errors import EDGE
from tests.kit.openapi import asyncapi, openapi, resolved

METHODS = ("get", "put", "post", "delete", "patch")
BINARY = {"*/*", "application/yaml", "text/html; charset=utf-8"}
STOMP_CODES = {"VALIDATION_ERROR", "FORBIDDEN", "NOT_FOUND", "CONFLICT", "RATE_LIMITED", "OVERLOADED", "UNAVAILABLE"}


def validate(value: object, schema: object) -> None:
    """Formats included; references lead into the OpenAPI document, from either."""
    text = json.dumps(schema).replace('"#/components/schemas', '"urn:openapi#/components/schemas')
    text = text.replace('"./openapi.yaml#', '"urn:openapi#')
    registry = Registry[Any]().with_resource("urn:openapi", Resource[Any](openapi(), DRAFT202012))
    validator: Any = Draft202012Validator(json.loads(text), registry=registry, format_checker=FormatChecker())
    validator.validate(value)


def operations() -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Each operation with its name and all its parameters."""
    for path, item in openapi()["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
                yield f"{method.upper()} {path}", operation, [resolved(each) for each in parameters]


def bodies() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every body of a request or an answer: where, its media type, and what the document says of it."""
    for name, operation, _ in operations():
        if "requestBody" in operation:
            for media_type, media in resolved(operation["requestBody"])["content"].items():
                yield f"{name} request", media_type, media
        for status, answer in operation["responses"].items():
            for media_type, media in resolved(answer).get("content", {}).items():
                yield f"{name} {status}", media_type, media


def own_examples(node: dict[str, Any]) -> list[object]:
    """Of a media type, a parameter or a header."""
    return [node["example"]] if "example" in node else [each["value"] for each in node.get("examples", {}).values()]


def error_codes(schema: dict[str, Any]) -> set[str]:
    """Those that an answer's schema narrows `Error` to."""
    parts: list[dict[str, Any]] = schema.get("allOf", [])
    allowed: list[dict[str, Any]] = [part.get("properties", {}).get("errorCode", {}) for part in parts]
    return {code for each in allowed for code in [*each.get("enum", []), each.get("const")] if code is not None}


def schema_examples(schema: dict[str, Any]) -> list[object]:
    """What a schema gives itself, an array by its items."""
    schema = resolved(schema)
    found: list[object] = [*schema.get("examples", [])]
    found += [schema["example"]] if "example" in schema else []
    return found or ([schema_examples(schema["items"])] if "items" in schema else [])


def test_the_openapi_document_is_valid_with_all_its_references() -> None:
    problems = list(OpenAPIV31SpecValidator(openapi()).iter_errors())
    assert problems == []


def test_every_body_has_a_valid_example() -> None:
    seen = 0
    for where, media_type, media in bodies():
        if media_type in BINARY:
            continue
        assert media_type == "application/json", where
        examples = own_examples(media) or schema_examples(media["schema"])
        assert examples, f"{where} has no example"
        for example in examples:
            validate(example, media["schema"])
            seen += 1
    assert seen > 300


def test_every_parameter_and_every_header_has_a_valid_example() -> None:
    described = [(f"{name}: {each['name']}", each) for name, _, all_of_it in operations() for each in all_of_it]
    for name, operation, _ in operations():
        for status, answer in operation["responses"].items():
            for header, node in resolved(answer).get("headers", {}).items():
                described.append((f"{name} {status}: {header}", resolved(node)))
    for where, node in described:
        examples = own_examples(node) or schema_examples(node["schema"])
        assert examples, f"{where} has no example"
        for example in examples:
            validate(example, node["schema"])


def test_examples_of_schemas_are_valid() -> None:
    for name, schema in openapi()["components"]["schemas"].items():
        for example in schema_examples(schema):
            assert example == [] or validate(example, schema) is None, name


def test_every_operation_says_what_it_does() -> None:
    ids = [operation["operationId"] for _, operation, _ in operations()]
    assert len(ids) == len(set(ids))
    tags = {tag["name"] for tag in openapi()["tags"]}
    for name, operation, _ in operations():
        assert operation["summary"], name
        assert set(operation["tags"]) <= tags, name
        assert all(resolved(answer)["description"] for answer in operation["responses"].values()), name


@pytest.mark.parametrize("code", ErrorCode)
def test_every_answer_that_can_bear_an_error_code_shows_it(code: ErrorCode) -> None:
    shown = 0
    for where, media_type, media in bodies():
        if media_type == "application/json" and code.value in error_codes(media["schema"]):
            assert where.endswith(str(EDGE[code].status))
            assert media["examples"][code.value]["value"]["errorCode"] == code.value, where
            shown += 1
    assert shown


def test_every_message_has_a_summary_and_a_valid_example_and_every_operation_a_summary() -> None:
    for name, message in asyncapi()["components"]["messages"].items():
        assert message["summary"], name
        assert message["examples"], name
        for example in message["examples"]:
            if "payload" in message:
                validate(example["payload"], message["payload"])
            if "headers" in message:
                validate(example["headers"], message["headers"])
            assert message.keys() & {"payload", "headers"}, name
    assert all(operation["summary"] for operation in asyncapi()["operations"].values())


def test_every_message_and_every_channel_is_used() -> None:
    document = asyncapi()
    text = json.dumps(document)
    for name in document["components"]["messages"]:
        assert f'"#/components/messages/{name}"' in text, name
    used = {operation["channel"]["$ref"] for operation in document["operations"].values()}
    assert used == {f"#/channels/{name}" for name in document["channels"]}


def test_the_errors_of_a_refused_send_are_shown() -> None:
    examples = asyncapi()["components"]["messages"]["RefusedSend"]["examples"]
    assert {each["payload"]["errorCode"] for each in examples} == STOMP_CODES


def test_the_close_codes_are_told() -> None:
    codes = {str(code) for name, code in vars(errors).items() if name.startswith("CLOSE_")}
    assert codes <= set(re.findall(r"\b1\d{3}\b", asyncapi()["info"]["description"]))
