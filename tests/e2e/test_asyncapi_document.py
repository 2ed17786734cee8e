"""The AsyncAPI document under AsyncAPI's own parser, with its references into the OpenAPI document."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.nodejs import HERE
from tests.kit.openapi import SCHEMA_DIRECTORY

OUT_OF_DATE = "asyncapi-latest-version"


def diagnostics(document: Path) -> list[dict[str, Any]]:
    """All but that there is a newer version of AsyncAPI."""
    finished = subprocess.run(
        ["node", "documents/asyncapi.mjs", str(document)], cwd=HERE, capture_output=True, text=True, timeout=120
    )
    assert finished.returncode == 0, finished.stderr
    return [each for each in json.loads(finished.stdout) if each["code"] != OUT_OF_DATE]


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    for name in ("openapi.yaml", "asyncapi.yaml"):
        (tmp_path / name).write_text((SCHEMA_DIRECTORY / name).read_text("utf-8"), "utf-8")
    return tmp_path


def test_the_parser_finds_nothing_wrong() -> None:
    assert diagnostics(SCHEMA_DIRECTORY / "asyncapi.yaml") == []


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("asyncapi.yaml", "action: receive", "action: take"),
        ("asyncapi.yaml", "'#/components/messages/Marks'", "'#/components/messages/Mark'"),
        ("openapi.yaml", "    Message:\n      type: object", "    Massage:\n      type: object"),
    ],
)
def test_the_parser_finds_what_is_planted(copies: Path, file: str, right: str, wrong: str) -> None:
    text = (copies / file).read_text("utf-8")
    assert right in text
    (copies / file).write_text(text.replace(right, wrong), "utf-8")
    assert any(each["severity"] == 0 for each in diagnostics(copies / "asyncapi.yaml"))
