"""This server: `stackmentor dev`, with its PostgreSQL, one group, and the limits on sending lifted."""

import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from chathttp.dev.cluster import known_directory
from chathttp.dev.postmaster import read_postmaster
from ops.bench.peers.peer import Audience, Peer, Server
from ops.bench.peers.processes import Cores, family_of, pin
from ops.bench.room import make_room
from ops.bench.target import Target, started_target


def _version() -> str:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return f"{version('stackmentor-chat')} at {commit.stdout.strip() or 'unknown'}"


def database_pids(target: Target) -> list[int]:
    """The embedded PostgreSQL's processes."""
    server = read_postmaster(known_directory(target.data_dir.resolve()))
    return family_of(server.pid) if server else []


@contextmanager
def _start(audience: Audience, cores: Cores) -> Generator[Server]:
    with started_target() as target, tempfile.TemporaryDirectory(prefix="stackmentor-peer-") as directory:
        users = target.users(audience.publishers + audience.subscribers)
        room = make_room(target, users, Path(directory))
        database = database_pids(target)
        pin([target.pid], cores.server)
        pin(database, cores.others)
        yield Server(
            port=urlsplit(target.url).port or 80,
            pids=[target.pid],
            database_pids=database,
            publish_path="/ws",
            stomp=room.stomp,
            template=room.body("{text}"),
        )


PEER = Peer(name="stackmentor", version=_version, start=_start, stores=True)
