"""The server under test: `stackmentor dev` in a process of its own, on a fresh data directory."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen
from tests.kit.devserver import DevServer

from chathttp.dev.cluster import prepare_cluster
from tests.kit.postgres import scratch_directory

_SETTINGS = {
    "STACKMENTOR_SEND_RATE": "1000000",
    "STACKMENTOR_SEND_BURST": "1000000",
    "STACKMENTOR_MAX_GROUP_SIZE": "20000",
    "STACKMENTOR_LOG_LEVEL": "warning",
}


@frozen
class BenchUser:
    user_id: str
    token: str


@frozen
class Target:
    """`pid` is the server's; PostgreSQL has others."""

    url: str
    pid: int
    data_dir: Path
    database_url: str

    def users(self, count: int) -> list[BenchUser]:
        """New users with access tokens."""
        command = [sys.executable, "-m", "chathttp.cli", "token", "--users", str(count), "--json"]
        command += ["--data-dir", str(self.data_dir)]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        rows = [json.loads(line) for line in lines]
        return [BenchUser(row["userId"], row["token"]) for row in rows]


@contextmanager
def started_target() -> Generator[Target]:
    directory = scratch_directory()
    with DevServer(directory, env=_SETTINGS) as server:
        yield Target(server.url, server.pid, directory, prepare_cluster(directory).url("stackmentor"))
