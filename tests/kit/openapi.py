"""The OpenAPI document, answers held against it, and the AsyncAPI document."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

SCHEMA_DIRECTORY: Final = Path(__file__).parents[2] / "schema"
_URI: Final = "urn:openapi"


@cache
def openapi() -> dict[str, Any]:
    return yaml.safe_load((SCHEMA_DIRECTORY / "openapi.yaml").read_text("utf-8"))


METHODS: Final = ("get", "put", "post", "delete", "patch")
ENDS_THE_ACCOUNT: Final = {
    operation["operationId"] for method, operation in openapi()["paths"]["/api/users/me"].items() if method == "delete"
}
"""What nobody can call and then go on."""


@cache
def asyncapi() -> dict[str, Any]:
    return yaml.safe_load((SCHEMA_DIRECTORY / "asyncapi.yaml").read_text("utf-8"))


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` within the document points to."""
    while "$ref" in node:
        target: dict[str, Any] = openapi()
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    # A path without parameters goes before one with, as in the specification.
    paths = sorted(openapi()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path) for path in paths]


def documented_path(path: str) -> str | None:
    """The document's template for a request's path."""
    return next((template for pattern, template in _patterns() if pattern.fullmatch(path)), None)


def check_answer(method: str, path: str, status: int, headers: dict[str, str], body: bytes) -> None:
    """AssertionError when the document does not foresee this answer. Undocumented paths and methods are free."""
    template = documented_path(path)
    operation = openapi()["paths"].get(template, {}).get(method.lower())
    if operation is None:
        return
    assert str(status) in operation["responses"], f"{method} {template} answered {status}, which is not documented"
    answer = resolved(operation["responses"][str(status)])
    for name, header in answer.get("headers", {}).items():
        if resolved(header).get("required"):
            assert name.lower() in headers, f"{method} {template} {status} lacks {name}"
    content = answer.get("content")
    if content is None:
        assert body == b"", f"{method} {template} {status} has a body"
    elif "application/json" in content:
        schema = _with_absolute_refs(content["application/json"]["schema"])
        registry = Registry[Any]().with_resource(_URI, Resource[Any](openapi(), DRAFT202012))
        validator: Any = Draft202012Validator(schema, registry=registry)
        validator.validate(json.loads(body))


def _with_absolute_refs(schema: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(schema).replace('"#/components', f'"{_URI}#/components'))
