"""The server under test: `stackmentor dev` in a process of its own, on a fresh data directory."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import frozen

from chathttp.dev.cluster import prepare_cluster
from tests.kit.command import COMMAND, stackmentor
from tests.kit.devserver import DevServer
from tests.kit.postgres import scratch_directory

SETTINGS: Final = {
    "STACKMENTOR_SEND_RATE": "1000000",
    "STACKMENTOR_SEND_BURST": "1000000",
    "STACKMENTOR_CONNECT_RATE": "1000000",
    "STACKMENTOR_CONNECT_BURST": "1000000",
    "STACKMENTOR_MAX_GROUP_SIZE": "20000",
    "STACKMENTOR_LOG_LEVEL": "warning",
}
"""No limits on what a user may do, and nothing logged for each request."""


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
        done = stackmentor("token", "--users", str(count), "--json", data_dir=self.data_dir)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        return [BenchUser(row["userId"], row["token"]) for row in rows]


@contextmanager
def started_target(
    settings: Mapping[str, str] | None = None, command: tuple[str, ...] = (*COMMAND, "dev")
) -> Generator[Target]:
    """`settings` add to the environment; `command` is another way to start the same server."""
    directory = scratch_directory()
    with DevServer(directory, env={**SETTINGS, **(settings or {})}, command=command) as server:
        yield Target(server.url, server.pid, directory, prepare_cluster(directory).url("stackmentor"))
