"""The console on a running `stackmentor dev`, as a maintainer uses it."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chatconsole.beacon import beacons
from tests.kit.api import Api
from tests.kit.command import stackmentor
from tests.kit.devserver import DevServer


def snapshot(server: DevServer, *arguments: str) -> Any:
    done = stackmentor("console", "--once", "--json", *arguments, data_dir=server.data_dir)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_finds_the_server_by_its_data_directory_and_shows_all_of_it(dev_server: DevServer) -> None:
    with Api(dev_server.url) as alice:
        alice.sign_in("alice@example.com")
        group = next(each["id"] for each in alice.get("/api/conversations") if each["type"] == "GROUP")
        sent = alice.call("POST", "/api/messages", {"conversationId": group, "text": str(uuid4())})
        assert sent.status_code == 201, sent.text
    told = snapshot(dev_server)
    assert told["node"]["pid"] == dev_server.pid
    assert {row["name"] for row in told["supervision"]} >= {"node", "store", "conversations", "edge", "management"}
    [conversation] = [each for each in told["conversations"]["listed"] if each["id"] == group]
    assert conversation["seq"] == sent.json()["seq"]
    assert conversation["lag"] == 0
    assert any(actor["name"] == f"conversations/{group}" for actor in told["actors"]["listed"])
    assert told["backends"][0]["status"] == "up"
    assert told["backends"][0]["roundTrip"] > 0
    assert [warning for warning in told["warnings"] if warning["code"] == "endless-shield"] == []


def test_plain_text_has_the_tree(dev_server: DevServer) -> None:
    done = stackmentor("console", "--once", data_dir=dev_server.data_dir)
    assert done.returncode == 0, done.stderr
    assert f"process {dev_server.pid}, stackmentor" in done.stdout
    assert "accept_connections: blocked" in done.stdout
    assert "src/http/chathttp/edge/listener.py:" in done.stdout


def test_nobody_there_is_one_line(tmp_path: Path) -> None:
    done = stackmentor("console", "--once", data_dir=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("stackmentor: no node runs on the data directory")
    assert done.stderr.count("\n") == 1


def test_killed_server_leaves_nothing_that_looks_alive(data_dir: Path) -> None:
    with DevServer(data_dir) as server:
        [beacon] = beacons(data_dir)
        assert beacon.serves == server.url
        os.kill(beacon.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while beacons(data_dir) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert beacons(data_dir) == []


def test_any_other_address_stops_the_start(database_url: str) -> None:
    done = stackmentor("serve", database_url=database_url, management_host="0.0.0.0")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "stackmentor: STACKMENTOR_MANAGEMENT_HOST must be a loopback address or the path of a Unix socket"
    )


@pytest.mark.parametrize("command", [("--pid", "1"), ("--sections", "nothing")])
def test_what_cannot_be_shown_is_one_line(dev_server: DevServer, command: tuple[str, ...]) -> None:
    done = stackmentor("console", "--once", *command, data_dir=dev_server.data_dir)
    assert done.returncode == 1
    assert done.stderr.startswith("stackmentor: ")
