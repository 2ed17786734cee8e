"""What the comparison needs to know of a peer."""

import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from attrs import frozen

from ops.bench.broadcast.meter import MARK, MARK_SIZE, Stomp
from ops.bench.peers.processes import Cores, family_of, free_port, running, wait_for_port

_TEXT: Final = "{text}"


@frozen(kw_only=True)
class Server:
    """A peer that runs, with one room that everybody who asks for `path` is in. `pids` are its processes."""

    port: int
    pids: Sequence[int]
    database_pids: Sequence[int] = ()
    path: str = "/ws"
    publish_path: str = "/publish"
    stomp: Stomp | None = None
    template: str = _TEXT
    """Of a message's body."""

    def body(self, size: int) -> str:
        """A body whose text has `size` characters, the mark among them."""
        return self.template.replace(_TEXT, MARK + "x" * (size - MARK_SIZE))


@frozen
class Audience:
    publishers: int
    subscribers: int


@frozen(kw_only=True)
class Peer:
    """`version` is what the table says of it, `start` gives its server to a block."""

    name: str
    version: Callable[[], str]
    start: Callable[[Audience, Cores], AbstractContextManager[Server]]
    stores: bool = False
    """It commits every message before it delivers it."""


@contextmanager
def bare_server(command: Callable[[int], Sequence[str]], cores: Cores, **env: str) -> Generator[Server]:
    """A peer that is one command, which is told the port and needs nothing else."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="stackmentor-peer-") as directory:
        log = Path(directory) / "log"
        with running(command(port), log, cores=cores.server, env=env) as process:
            wait_for_port(port, process, log)
            yield Server(port=port, pids=family_of(process.pid))
