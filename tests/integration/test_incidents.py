"""The incidents of ops/incidents on a running server: from the symptom to the line, with the console alone."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chatconsole.beacon import beacons
from chatconsole.client import fetch
from tests.kit.api import Api
from tests.kit.devserver import DevServer

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0


def incident(name: str, data_dir: Path) -> DevServer:
    return DevServer(data_dir, command=(sys.executable, "-m", f"ops.incidents.{name}"), cwd=ROOT)


def post(server: DevServer, text: str) -> None:
    """Send it as Alice to her group, whatever becomes of it."""
    with Api(server.url) as alice:
        alice.sign_in("alice@example.com")
        group = next(each["id"] for each in alice.get("/api/conversations") if each["type"] == "GROUP")
        alice.call("POST", "/api/messages", {"conversationId": group, "text": f"{text} {uuid4()}"})


def warning_of(server: DevServer, code: str) -> Any:
    """Looks again and again until there is such a warning."""
    [beacon] = beacons(server.data_dir)
    deadline = time.monotonic() + PATIENCE
    found: list[Any] = []
    while time.monotonic() < deadline:
        told = json.loads(fetch(beacon, {"sections": "warnings"}))
        found = [each for each in told["warnings"] if each["code"] == code]
        if found:
            return found[0]
        time.sleep(0.1)
    pytest.fail(f"no {code}; log:\n{server.log[-4000:]}")


def test_blocked_loop_is_traced_to_its_line_while_it_is_blocked(data_dir: Path) -> None:
    with incident("blocked_loop", data_dir) as server:
        sender = threading.Thread(target=post, args=(server, "!block"))
        sender.start()
        warning = warning_of(server, "loop-blocked")
        sender.join()
        assert warning["where"]["file"] == str(ROOT / "ops/incidents/blocked_loop.py")
        assert warning["where"]["function"] == "price_of"


def test_crash_loop_is_traced_to_its_line(data_dir: Path) -> None:
    with incident("crash_loop", data_dir) as server:
        post(server, "!crash")
        warning = warning_of(server, "crash-loop")
        assert warning["subject"].startswith("conversations/")
        assert "LookupError: no template for a message" in warning["says"]
        assert warning["where"]["file"] == str(ROOT / "ops/incidents/crash_loop.py")
        assert warning["where"]["function"] == "render"


def test_slow_consumer_is_named_and_who_it_is_only_when_asked(data_dir: Path) -> None:
    env = {"STACKMENTOR_OUTBOX_LIMIT_BYTES": "4194304", "STACKMENTOR_SEND_RATE": "1000"}
    with DevServer(data_dir, env=env) as server:
        culprit = subprocess.Popen([sys.executable, "-m", "ops.incidents.slow_consumer", server.url], cwd=ROOT)
        try:
            warning = warning_of(server, "slow-consumer")
            [beacon] = beacons(data_dir)
            told = json.loads(fetch(beacon, {"sections": "sockets", "reveal": "true"}))
            identity = warning["subject"].split()[0]
            found = json.loads(fetch(beacon, {"sections": "sockets", "grep": identity}))
        finally:
            culprit.kill()
            culprit.wait()
        [socket] = told["sockets"]["listed"]
        assert [each["id"] for each in found["sockets"]["listed"]] == [identity] == [socket["id"]]
        assert warning["subject"].startswith(f"{socket['id']} user-")
        assert socket["queued"] > 2_000_000
        assert warning["where"]["file"] == str(ROOT / "src/http/chathttp/edge/outbox.py")
        assert warning["where"]["function"] == "Outbox.run_writer"
        assert len(socket["user"]) == 36
        assert "users revealed" in server.log
