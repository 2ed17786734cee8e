"""Sequences of calls against the running server, each call with what the answers before it gave."""

import json
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.kit.api import Api
from tests.kit.command import stackmentor
from tests.kit.devserver import DevServer
from tests.kit.openapi import ENDS_THE_ACCOUNT, METHODS, openapi

SECONDS: Final = 40
TIME_LIMIT: Final = 270.0
CONFIG: Final = """
[phases.stateful]
max-steps = 10
[phases.stateful.inference]
algorithms = []
"""
BY_PARAMETER: Final = {
    "conversationId": ("Conversation", "/id"),
    "groupId": ("Conversation", "/id"),
    "userId": ("Conversation", "/participants/0/userId"),
    "messageId": ("Message", "/id"),
}
"""Where a parameter of a path comes from: which answer, and what of it."""
FIXED: Final = {"emoji": "👍"}
BY_BODY: Final = {
    "sendMessage": (
        "Conversation",
        {"conversationId": "$response.body#/id", "text": "hello", "attachmentIds": None, "replyTo": None},
    ),
    "reportMessage": ("Message", {"messageId": "$response.body#/id"}),
}
"""What of a body comes from an answer."""
PEOPLE: Final = frozenset({"participantIds", "memberIds", "userIds"})
OUTSIDE: Final = ("auth", "operation")
"""Tags of operations that need nothing of another's answer and give nothing to one."""
UNLINKED: Final = {"searchUsers", "putFile", "getFile", *ENDS_THE_ACCOUNT}
"""The files' links are signed by the server; a search of users leads nowhere, so cheaply that it takes all the time.
After the end of the account nothing more would be answered.
"""


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], set[str]]]:
    """Each with its method and path, and the names of its path's parameters."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method], {part[1:-1] for part in path.split("/") if "{" in part}


def linked(people: list[str]) -> dict[str, Any]:
    """The document with a link to every operation that needs what another one answers; clients name only `people`."""
    document = deepcopy(openapi())
    for _, operation, names in operations(document):
        sources = {BY_PARAMETER[name][0] for name in names if name in BY_PARAMETER}
        for source in sources:
            answer = document["components"]["responses"][source]
            parameters = {name: FIXED[name] for name in names & FIXED.keys()} | {
                name: f"$response.body#{BY_PARAMETER[name][1]}" for name in names & BY_PARAMETER.keys()
            }
            answer["links"][operation["operationId"]] = {
                "operationId": operation["operationId"],
                "parameters": parameters,
            }
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        for name in PEOPLE & schema.get("properties", {}).keys():
            schema["properties"][name]["items"] = {"enum": people}
        if "contentType" in schema.get("properties", {}):
            schema["properties"].update(contentType={"const": "image/png"}, fileName={"const": "cat.png"})
    for operation_id, (source, body) in BY_BODY.items():
        answer = document["components"]["responses"][source]
        answer["links"][operation_id] = {"operationId": operation_id, "requestBody": body}
    return document


@pytest.fixture
def admin_token(dev_server: DevServer) -> str:
    """Of somebody new, who has the role `admins`."""
    with Api(dev_server.url) as api:
        api.sign_up(dev_server.data_dir, "Stateful")
        email = api.get("/api/users/me")["email"]
        result = stackmentor("roles", email, "--set", "admins", data_dir=dev_server.data_dir)
        assert result.returncode == 0, result.stderr
        return api.sign_in(email).access_token


def successes(report: Path) -> set[str]:
    """Operations that were answered with success, out of the run's events."""
    found: set[str] = set()
    for line in report.read_text("utf-8").splitlines():
        recorder: dict[str, Any] = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        for number, interaction in recorder.get("interactions", {}).items():
            case: dict[str, Any] = recorder["cases"][number]["value"]
            answer: dict[str, Any] | None = interaction["response"]
            if answer is not None and 200 <= answer["status_code"] < 300:
                found.add(f"{case['method']} {case['path']}")
    return found


@pytest.fixture
def document(dev_server: DevServer) -> dict[str, Any]:
    """With links, and with the demo users for people."""
    with Api(dev_server.url) as api:
        people = [api.sign_in(f"{name}@example.com").get("/api/users/me")["id"] for name in ("alice", "bob", "carol")]
    return linked(people)


def call_in_sequences(
    directory: Path, document: dict[str, Any], url: str, token: str, *more: str
) -> subprocess.CompletedProcess[str]:
    """Schemathesis's own words and exit status; the calls are in `calls.ndjson`."""
    (directory / "schemathesis.toml").write_text(CONFIG)
    (directory / "openapi.yaml").write_text(yaml.safe_dump(document, allow_unicode=True))
    excluded = [part for tag in OUTSIDE for part in ("--exclude-tag", tag)]
    excluded += [part for name in sorted(UNLINKED) for part in ("--exclude-operation-id", name)]
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml"),
        *("run", "openapi.yaml", "--url", url, "--header", f"Authorization: Bearer {token}"),
        *("--phases", "stateful", "--mode", "positive", "--max-examples", "200", "--max-time", str(SECONDS)),
        # An id may be well-formed and nobody's, the last who leaves ends a group, and a deleted message stays known.
        *("--exclude-checks", "positive_data_acceptance,ensure_resource_availability,use_after_free"),
        *("--warnings", "off", "--no-color", "--no-shrink", "--seed", "1", *excluded),
        *("--request-timeout", "60"),
        *("--report", "ndjson", "--report-ndjson-path", "calls.ndjson", *more),
    ]
    return subprocess.run(
        command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIME_LIMIT
    )


def test_no_sequence_of_calls_leads_to_an_answer_that_is_not_documented(
    dev_server: DevServer, document: dict[str, Any], admin_token: str, tmp_path: Path
) -> None:
    result = call_in_sequences(tmp_path, document, dev_server.url, admin_token, "--continue-on-failure")
    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr[-2_000:]
    reached = successes(tmp_path / "calls.ndjson")
    wanted = {
        name
        for name, operation, parameters in operations(document)
        if parameters & BY_PARAMETER.keys() or operation["operationId"] in BY_BODY
    }
    assert {"POST /api/conversations", "POST /api/messages"} <= reached
    assert len(wanted & reached) > len(wanted) / 2, sorted(wanted - reached)


def test_an_answer_that_only_a_sequence_leads_to_is_held_to_the_document(
    dev_server: DevServer, document: dict[str, Any], admin_token: str, tmp_path: Path
) -> None:
    document["components"]["schemas"]["Message"]["properties"]["senderName"] = {"type": "integer"}
    result = call_in_sequences(tmp_path, document, dev_server.url, admin_token, "--max-failures", "1")
    assert result.returncode == 1, result.stdout[-4_000:] + result.stderr[-2_000:]
    assert "Response violates schema" in result.stdout
    assert "senderName" in result.stdout
