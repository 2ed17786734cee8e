"""The load script, run by the real k6 against `stackmentor dev`."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from attrs import frozen

from tests.kit.command import stackmentor
from tests.kit.devserver import DevServer

SCRIPT: Final = Path(__file__).parents[2] / "ops" / "load" / "messaging.js"
K6: Final = Path(sys.executable).with_name("k6")
THRESHOLDS_CROSSED: Final = 99
"""k6's exit status for it."""
SHORT: Final = {"STAGES": "1s:3,2s:3,1s:0", "PAUSE": "0.1", "CONNECTED": "1.5", "REST": "0.2"}


@frozen
class Run:
    status: int
    output: str
    metrics: Mapping[str, Mapping[str, object]]

    def value(self, metric: str, name: str) -> float:
        return cast("float", self.metrics[metric][name])

    def crossed(self) -> set[str]:
        """The metrics of which a threshold was crossed. The export says of each threshold whether it was."""
        return {
            name
            for name, metric in self.metrics.items()
            if any(cast("Mapping[str, bool]", metric.get("thresholds", {})).values())
        }


def run_k6(server: DevServer, directory: Path, script: Path = SCRIPT, **settings: str) -> Run:
    export = directory / "summary.json"
    command = [str(K6), "run", "--no-usage-report", "--quiet", "--no-color", "--address=", f"--summary-export={export}"]
    done = subprocess.run(
        [*command, str(script)],
        env={**os.environ, "BASE_URL": server.url, **SHORT, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=90,
        check=False,
    )
    metrics: Mapping[str, Mapping[str, object]] = json.loads(export.read_text())["metrics"] if export.exists() else {}
    return Run(done.returncode, done.stdout, metrics)


def test_people_who_log_in_and_write_receive_every_message_in_order(dev_server: DevServer, tmp_path: Path) -> None:
    run = run_k6(dev_server, tmp_path)
    assert run.status == 0, run.output
    judged = {name for name, metric in run.metrics.items() if "thresholds" in metric}
    assert judged >= {"http_req_duration", "http_req_failed", "errors", "stomp_delivery", "stomp_messages_missing"}
    assert run.crossed() == set()
    iterations = run.value("iterations", "count")
    assert iterations > 0
    assert run.value("stomp_messages_received", "count") >= 10 * iterations


def test_tokens_from_a_file_take_the_place_of_logins(dev_server: DevServer, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.jsonl"
    made = stackmentor("token", "--users", "4", "--json", "--out", str(tokens), data_dir=dev_server.data_dir)
    assert made.returncode == 0, made.stderr
    run = run_k6(dev_server, tmp_path, TOKENS=str(tokens))
    assert run.status == 0, run.output
    assert "login" not in run.output
    assert run.value("stomp_messages_received", "count") > 0


def test_a_threshold_that_no_server_meets_fails_the_run(dev_server: DevServer, tmp_path: Path) -> None:
    run = run_k6(dev_server, tmp_path, P95_MS="0.001")
    assert run.status == THRESHOLDS_CROSSED, run.output
    assert run.crossed() == {"http_req_duration", "stomp_delivery"}


def test_messages_that_do_not_arrive_fail_the_run(dev_server: DevServer, tmp_path: Path) -> None:
    """The script subscribed elsewhere stands for a server that loses messages."""
    source = SCRIPT.read_text()
    topic = "/topic/conversation.${conversationId}"
    assert source.count(topic) == 1
    deaf = tmp_path / "deaf.js"
    deaf.write_text(source.replace(topic, f"{topic}.typing"))
    run = run_k6(dev_server, tmp_path, deaf)
    assert run.status == THRESHOLDS_CROSSED, run.output
    assert {"errors", "stomp_messages_missing", "stomp_messages_received"} <= run.crossed()


def test_accounts_that_cannot_log_in_fail_the_run(dev_server: DevServer, tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.json"
    people = [{"username": f"nobody-{number}@example.com", "password": "Passw0rd!"} for number in range(2)]
    accounts.write_text(json.dumps(people))
    run = run_k6(dev_server, tmp_path, ACCOUNTS=str(accounts))
    assert run.status != 0
    assert "no login for nobody-0@example.com" in run.output
