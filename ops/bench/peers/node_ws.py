"""`ws` for Node.js."""

import json
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ops.bench.peers.peer import Audience, Peer, Server, bare_server
from ops.bench.peers.processes import Cores, cache_directory

_SCRIPT: Final = Path(__file__).parent / "servers" / "ws_server.js"


def _modules() -> Path:
    return cache_directory() / "node" / "node_modules"


def _version() -> str:
    package = json.loads((_modules() / "ws" / "package.json").read_text())
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return f"ws {package['version']}, Node.js {node.removeprefix('v')}"


@contextmanager
def _start(_audience: Audience, cores: Cores) -> Generator[Server]:
    with bare_server(lambda port: ["node", str(_SCRIPT), str(port)], cores, NODE_PATH=str(_modules())) as server:
        yield server


PEER = Peer(name="Node ws", version=_version, start=_start)
