"""What a connection costs: resident memory while it is idle, and CPU and time to connect, sign in and subscribe.

Beside bare WebSocket servers in the same run, which know no users, no STOMP and no conversations. The server under
measurement has the first core, clients and database the second.
"""

import os
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

from ops.bench.client import Rest, cpu_seconds, masked_text_frame, stomp
from ops.bench.crowd import Crowd, Step
from ops.bench.peers.peer import Audience, Server, bare_server
from ops.bench.peers.processes import Cores, pin
from ops.bench.peers.python_peers import WEBSOCKETS
from ops.bench.target import BenchUser, Target

GROUP: Final = 1_000
"""Members of one conversation."""
PAIR: Final = 2
CONCURRENT: Final = 64
SETTLE_SECONDS: Final = 2.0
_HEARTBEAT: Final = masked_text_frame(b"\n")
_HANDSHAKE: Final = Step(
    b"GET /ws HTTP/1.1\r\nHost: chat.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: v12.stomp\r\nUser-Agent: bench\r\n\r\n",
    b"\r\n\r\n",
    b" 101 ",
)


@frozen
class Cost:
    """Of `connections` that came in, `CONCURRENT` at a time: bytes of resident memory each, microseconds of the
    server's CPU each, connections a second of wall time, and the part of a core that the client used.
    """

    connections: int
    resident_bytes: float
    cpu_micros: float
    per_second: float
    client_busy: float

    @property
    def per_cpu_second(self) -> float:
        """Connections that one core of the server takes in a second."""
        return 1e6 / self.cpu_micros


def subscribed(target: Target, connections: int = 2_000, *, members: int = GROUP) -> Cost:
    """Authenticated connections, each with a token of its own that was not seen before, and with one subscription in
    force, to conversations of `members` each (`PAIR`: the memory of the conversations themselves counts).

    `target` must be fresh: memory that earlier work has freed hides what connections take.
    """
    users = target.users(connections)
    pin([target.pid], Cores.of_this_machine().server)
    return cost(target.url, target.pid, session_plans(users, make_groups(target, users, members)))


def bare_trio_websocket(connections: int = 2_000) -> Cost:
    """Handshakes only, on the library that this server was first built on."""
    script = str(Path(__file__).parent / "trio_websocket_server.py")
    return _bare(bare_server(lambda port: [sys.executable, script, str(port)], Cores.of_this_machine()), connections)


def bare_websockets(connections: int = 2_000) -> Cost:
    """Handshakes only, on the `websockets` library. Raises `PeerError` when the peers are not set up."""
    return _bare(WEBSOCKETS.start(Audience(0, connections), Cores.of_this_machine()), connections)


def make_groups(target: Target, users: Sequence[BenchUser], size: int) -> list[str]:
    """Conversations of `size` of the users each: the id for each user."""
    ids: list[str] = []
    for start in range(0, len(users), size):
        members = users[start : start + size]
        group = Rest(target.url, members[0].token).make_group("idle", [user.user_id for user in members[1:]])
        ids += [group] * len(members)
    return ids


def session_plans(users: Sequence[BenchUser], conversations: Sequence[str]) -> list[list[Step]]:
    """Handshake, CONNECT with the user's token, SUBSCRIBE with a receipt; heart-beats as stompjs asks for them."""
    return [
        [
            _HANDSHAKE,
            Step(_connect(user.token), b"\0", b"CONNECTED"),
            Step(_subscribe(conversation), b"\0", b"RECEIPT"),
        ]
        for user, conversation in zip(users, conversations, strict=True)
    ]


def cost(url: str, pid: int, plans: Sequence[Sequence[Step]]) -> Cost:
    """Open a connection for each plan on the server at `url`, whose process is `pid`, and close them again.

    Raises `ConnectionError` when one is refused.
    """
    address = urlsplit(url)
    crowd = Crowd(Cores.of_this_machine().others)
    memory, cpu = resident_bytes(pid), cpu_seconds(pid)
    opened = crowd.open((address.hostname or "", address.port or 80), plans, CONCURRENT)
    used = cpu_seconds(pid) - cpu
    crowd.write(_HEARTBEAT)
    time.sleep(SETTLE_SECONDS)
    grown = resident_bytes(pid) - memory
    crowd.close()
    count = len(plans)
    return Cost(count, grown / count, used / count * 1e6, count / opened.seconds, opened.cpu_seconds / opened.seconds)


def resident_bytes(pid: int) -> int:
    """Resident memory of the process (proc(5), statm); the kernel's buffers of its sockets are not in it."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _bare(server: AbstractContextManager[Server], connections: int) -> Cost:
    with server as running:
        return cost(f"ws://127.0.0.1:{running.port}", running.pids[0], [[_HANDSHAKE]] * connections)


def _connect(token: str) -> bytes:
    headers = {"accept-version": "1.2", "host": "chat.test", "heart-beat": "10000,10000"}
    return stomp("CONNECT", {**headers, "Authorization": f"Bearer {token}"})


def _subscribe(conversation: str) -> bytes:
    return stomp("SUBSCRIBE", {"id": "0", "destination": f"/topic/conversation.{conversation}", "receipt": "s"})
