"""Schemathesis against the running server: no 500, and every answer fits the OpenAPI document."""

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

from tests.kit.api import Api
from tests.kit.devserver import DevServer
from tests.kit.openapi import ENDS_THE_ACCOUNT, METHODS, SCHEMA_DIRECTORY, openapi

TIME_LIMIT = 270.0
CONFIG = """
[parameters]
"path.conversationId" = "{group}"
"query.conversationId" = "{group}"
"path.messageId" = "{message}"
"""


def test_every_answer_to_anything_fits_the_document(dev_server: DevServer, tmp_path: Path) -> None:
    with Api(dev_server.url) as api:
        api.sign_up(dev_server.data_dir, "Schemathesis")
        given: dict[str, object] = {"type": "GROUP", "participantIds": []}
        group = api.call("POST", "/api/conversations", given).json()["id"]
        message = api.send(group, "hello", clientMessageId=str(uuid4()))["id"]
        token = api.access_token
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG.format(group=group, message=message))
    # What is well-formed may still name nobody, or a code that was never sent, so positive_data_acceptance is left out;
    # so is ensure_resource_availability, since the last member who leaves a group ends it.
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", str(SCHEMA_DIRECTORY / "openapi.yaml"), "--url", dev_server.url),
        *("--header", f"Authorization: Bearer {token}"),
        *("--exclude-checks", "positive_data_acceptance,ensure_resource_availability", "--warnings", "off"),
        *("--phases", "examples,coverage,fuzzing", "--request-timeout", "60"),
        *("--generation-deterministic", "--max-examples", "10", "--continue-on-failure", "--no-color"),
    ]
    command += [part for name in ENDS_THE_ACCOUNT for part in ("--exclude-operation-id", name)]
    result = subprocess.run(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIME_LIMIT
    )
    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr[-2_000:]
    operations = sum(method in item for item in openapi()["paths"].values() for method in METHODS)
    assert f"Tested: {operations - len(ENDS_THE_ACCOUNT)}\n" in result.stdout, result.stdout[-2_000:]
