"""SIGKILL between commit and receipt loses nothing, doubles nothing and keeps the order."""

import random
import time
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.loaded_clients import LoadedClients
from tests.kit.devserver import DevServer

ROUNDS: Final = 50
SEED: Final = 20260214
LONGEST_LIFE: Final = 0.15
"""Seconds under load after which a round's kill comes at the latest."""
WINDOW: Final = 8
LOG_TAIL: Final = 5_000


@pytest.mark.timeout(600)
def test_after_fifty_kills_every_acknowledged_message_is_there_once_and_in_order(data_dir: Path) -> None:
    rng = random.Random(SEED)
    unlimited = {"STACKMENTOR_SEND_RATE": "100000", "STACKMENTOR_SEND_BURST": "100000"}
    with DevServer(data_dir, env=unlimited) as server, LoadedClients(["alice", "bob"], WINDOW) as clients:
        for _ in range(ROUNDS):
            clients.await_flow([server.url])
            time.sleep(rng.uniform(0, LONGEST_LIFE))
            server.kill()
            server.restart()
        clients.await_flow([server.url])
        report = clients.finish()
        log = server.log
        server.stop()
    assert report.faults == [], f"{report}\nlog:\n{log[-LOG_TAIL:]}"
    assert report.connections == [ROUNDS + 1, ROUNDS + 1]
    # Else no kill fell between a commit and its receipt, and the rounds have proved nothing.
    assert report.committed_unreceipted >= ROUNDS // 10, report
