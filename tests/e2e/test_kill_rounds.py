"""SIGKILL between commit and receipt loses nothing, doubles nothing and keeps the order."""

import json
import random
import selectors
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

from tests.e2e.nodejs import HERE
from tests.kit.devserver import DevServer

ROUNDS: Final = 50
SEED: Final = 20260214
LONGEST_LIFE: Final = 0.15
"""Seconds under load after which a round's kill comes at the latest."""
LOG_TAIL: Final = 5_000
PATIENCE: Final = 60.0


class LoadedClients:
    """Two stompjs clients under load in one Node.js process (`kill/rounds.mjs`): a command a line, an answer a line."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", "kill/rounds.mjs"], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, **command: str) -> dict[str, object]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        print(json.dumps(command), file=stdin, flush=True)
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            assert selector.select(PATIENCE), f"no answer to {command} in {PATIENCE} s"
        line = stdout.readline()
        assert line, f"the clients ended with status {self._process.wait()}"
        return cast("dict[str, object]", json.loads(line))

    def await_flow(self, server: DevServer, number: int) -> None:
        """Both clients have receipts on a connection to this server."""
        answer = self.ask(command="flow", url=server.url, wsUrl=server.ws_url)
        assert answer["flowing"], f"round {number}: {answer}\nlog:\n{server.log[-LOG_TAIL:]}"


def test_after_fifty_kills_every_acknowledged_message_is_there_once_and_in_order(data_dir: Path) -> None:
    rng = random.Random(SEED)
    unlimited = {"STACKMENTOR_SEND_RATE": "100000", "STACKMENTOR_SEND_BURST": "100000"}
    with DevServer(data_dir, env=unlimited) as server, LoadedClients() as clients:
        for number in range(ROUNDS):
            clients.await_flow(server, number)
            time.sleep(rng.uniform(0, LONGEST_LIFE))
            server.kill()
            server.restart()
        clients.await_flow(server, ROUNDS)
        report = clients.ask(command="finish")
        log = server.log
        server.stop()
    assert report["faults"] == [], f"{report}\nlog:\n{log[-LOG_TAIL:]}"
    assert report["connections"] == [ROUNDS + 1, ROUNDS + 1]
    # Else no kill fell between a commit and its receipt, and the rounds have proved nothing.
    assert cast("int", report["committedUnreceipted"]) >= ROUNDS // 10, report
