"""The bare C broadcaster: the price of the kernel alone."""

import platform
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ops.bench.broadcast.broadcaster import running_broadcaster
from ops.bench.broadcast.build import build
from ops.bench.peers.peer import Audience, Peer, Server
from ops.bench.peers.processes import Cores


@contextmanager
def _start(_audience: Audience, cores: Cores) -> Generator[Server]:
    with tempfile.TemporaryDirectory(prefix="stackmentor-peer-") as directory:
        program = build(Path(directory)).broadcaster
        with running_broadcaster(program, cores=cores.server) as server:
            yield Server(port=server.port, pids=[server.pid])


PEER = Peer(name="C epoll broadcaster", version=lambda: f"Linux {platform.release()}", start=_start)
