"""``stackmentor dev --nodes`` as a user starts it: a process of its own, with a process for each node."""

import re
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from chathttp.dev.redis import EmbeddedRedis, prepare_redis
from tests.kit.command import COMMAND
from tests.kit.devserver import READY, DevServer

_STARTED = re.compile(r"process_started .*?pid=(\d+) process=node-(\d+)$")


class DevNodes(DevServer):
    """``count`` nodes on free ports that they keep. ``url`` is the first one's, ``urls`` are all, in order."""

    def __init__(self, data_dir: Path, count: int, port: int = 0, env: Mapping[str, str] | None = None) -> None:
        super().__init__(data_dir, port, env, command=(*COMMAND, "dev", "--nodes", str(count)))
        self._count = count
        self.urls: list[str] = []

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.redis.stop_leftover()

    def start(self) -> None:
        """Returns when all nodes serve."""
        super().start()
        # The lines are written at once.
        rest = [self._stdout().readline() for _ in range(self._count - 1)]
        self.urls = [self.url, *(line.removeprefix(READY).strip() for line in rest)]

    @property
    def redis(self) -> EmbeddedRedis:
        """The embedded one, whether it runs or not."""
        return prepare_redis(self.data_dir)

    def node_pid(self, number: int) -> int:
        """The process of node ``number``, counted from 1, that was started last."""
        found = [int(pid) for pid, node in self._starts() if int(node) == number]
        assert found, self.log
        return found[-1]

    def node_pids(self) -> list[int]:
        """All processes of nodes that ever were started by this data directory's servers."""
        return [int(pid) for pid, _ in self._starts()]

    def await_restart(self, number: int, pid: int, patience: float = 30.0) -> int:
        """Waits until node ``number`` serves again by another process than ``pid``; returns that one's id."""
        deadline = time.monotonic() + patience
        while (now := self.node_pid(number)) == pid or not self.is_ready(number):
            assert time.monotonic() < deadline, self.log[-8000:]
            time.sleep(0.05)
        return now

    def is_ready(self, number: int) -> bool:
        """Whether node ``number`` says that it serves."""
        try:
            answer = httpx.get(f"{self.urls[number - 1]}/actuator/health/readiness", timeout=10)
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    def _starts(self) -> list[tuple[str, str]]:
        return [(found[1], found[2]) for line in self.log.splitlines() if (found := _STARTED.search(line))]
