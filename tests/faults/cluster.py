"""Several real nodes on one PostgreSQL and one Redis, each of which can be killed, frozen, cut off and brought back."""

import contextlib
import os
import random
import signal
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import attrs
import psycopg
import trio

from chathttp.dev.accounts import provision_tokens
from chathttp.settings import Settings
from tests.faults.history import MarkSample, Stored, StoredMessage
from tests.kit.command import COMMAND
from tests.kit.devserver import DevServer
from tests.kit.pgproxy import PostgresProxy
from tests.kit.postgres import PostgresServer, own_postgres_server
from tests.kit.proxy import Proxy, ProxyThread
from tests.kit.redis import RedisServer, free_port, own_redis_server

USERS: Final = 24
TOKEN_LIFETIME: Final = 86_400.0
SETTINGS: Final = {
    "SEND_RATE": "100000",
    "SEND_BURST": "100000",
    "TYPING_RATE": "100",
    "HEARTBEAT_MS": "1000",
    "DRAIN_TIME": "3",
    "STATEMENT_TIMEOUT": "5",
    "DATABASE_CONNECT_TIMEOUT": "2",
    "HOST": "127.0.0.1",
}
"""Of every node: no limits on what a user may send, and times short enough for a test to see their end."""


class Node(DevServer):
    """One `stackmentor serve` on a port that stays its own. It dies with the thread that started it."""

    def __init__(self, name: str, directory: Path, env: Mapping[str, str], prefix: Sequence[str] = ()) -> None:
        directory.mkdir()
        self.name = name
        self.port = free_port()
        command = (*prefix, "setpriv", "--pdeathsig", "KILL", *COMMAND, "serve")
        super().__init__(directory, self.port, env, command)
        self.frozen = False

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
        self.frozen = False

    def kill(self) -> None:
        self.frozen = False
        super().kill()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None


@attrs.frozen
class User:
    id: str
    token: str


@attrs.define
class Cluster:
    """`redis` is None for nodes that are alone. With proxies, `redis_proxies` and `database_proxies` are by node."""

    nodes: Sequence[Node]
    postgres: PostgresServer
    database_url: str
    redis: RedisServer | None
    users: Sequence[User]
    proxies: ProxyThread | None = None
    redis_proxies: Sequence[Proxy] = ()
    database_proxies: Sequence[Proxy] = ()

    def node_of(self, ws_url: str) -> str:
        port = urlsplit(ws_url).port
        return next(node.name for node in self.nodes if node.port == port)

    def mend(self) -> None:
        """Whatever a fault that was interrupted has left behind is undone."""
        for proxy in (*self.redis_proxies, *self.database_proxies):
            for control in (proxy.thaw, proxy.admit):
                assert self.proxies is not None
                self.proxies.control(control)
        self.postgres.start()
        self.postgres.thaw()
        if self.redis is not None:
            self.redis.start()
            self.redis.thaw()
        for node in self.nodes:
            if not node.running:
                node.start()
            elif node.frozen:
                node.thaw()

    @property
    def logs(self) -> str:
        """The end of what each node has logged."""
        return "\n".join(f"--- {node.name}\n{node.log[-3000:]}" for node in self.nodes)

    def stored(self, conversation: str, samples: Sequence[MarkSample] = ()) -> Stored:
        """The conversation as the database has it."""
        with psycopg.connect(self.database_url) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            row = connection.execute(
                "SELECT last_seq, rev FROM conversations WHERE id = %s", (conversation,)
            ).fetchone()
            assert row is not None
            messages = connection.execute(
                "SELECT id::text, seq, created_rev, rev, sender_id::text, client_message_id,"
                " CASE WHEN deleted_at IS NULL THEN body END, extract(epoch FROM created_at)::float8"
                " FROM messages WHERE conversation_id = %s ORDER BY seq",
                (conversation,),
            ).fetchall()
            marks = connection.execute(
                "SELECT user_id::text, last_read_seq FROM participants WHERE conversation_id = %s", (conversation,)
            ).fetchall()
        rows = [StoredMessage(*each) for each in messages]
        return Stored(conversation, row[0], row[1], rows, dict(marks), samples)

    def read_marks(self, conversation: str) -> dict[str, int]:
        """By user. Raises `psycopg.Error` while the database is away."""
        with psycopg.connect(self.database_url, connect_timeout=2) as connection:
            rows = connection.execute(
                "SELECT user_id::text, last_read_seq FROM participants WHERE conversation_id = %s", (conversation,)
            ).fetchall()
        return dict(rows)


@contextmanager
def running_cluster(
    count: int = 3,
    *,
    bridged: bool = True,
    proxied: bool = False,
    postgres: PostgresServer | None = None,
    env: Mapping[str, str] | None = None,
    env_of_first: Mapping[str, str] | None = None,
) -> Generator[Cluster]:
    """Runs during the block, outside of any event loop. `env` is without the prefix `STACKMENTOR_`.

    With `proxied` each node has a proxy of its own to Redis and one to PostgreSQL.
    """
    with contextlib.ExitStack() as stack:
        postgres = postgres or stack.enter_context(own_postgres_server())
        redis = stack.enter_context(own_redis_server()) if bridged else None
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        url = postgres.fresh_database()
        settings = Settings(database_url=url, access_token_lifetime=TOKEN_LIFETIME)
        users = [User(str(user_id), token) for user_id, token in trio.run(provision_tokens, settings, USERS)]
        to_redis, to_database, redis_urls = _proxies(count, url, redis, directory) if proxied else ([], [], [])
        thread = stack.enter_context(ProxyThread.running(*to_redis, *to_database)) if proxied else None
        nodes: list[Node] = []
        for number in range(count):
            given = {**SETTINGS, "DATABASE_URL": url, **(env or {})}
            if proxied:
                given["DATABASE_URL"] = to_database[number].url
            if redis is not None:
                given["REDIS_URL"] = redis_urls[number] if proxied else redis.url
            prefixed = {f"STACKMENTOR_{name}": value for name, value in given.items()}
            if number == 0:
                prefixed |= env_of_first or {}
            node = Node("ABCDEFGH"[number], directory / f"node{number}", prefixed)
            stack.callback(_end, node)
            node.start_without_waiting()
            nodes.append(node)
        for node in nodes:
            node.await_ready()
        yield Cluster(nodes, postgres, url, redis, users, thread, to_redis, to_database)


def _proxies(
    count: int, database_url: str, redis: RedisServer | None, directory: Path
) -> tuple[list[Proxy], list[PostgresProxy], list[str]]:
    to_database: list[PostgresProxy] = []
    to_redis: list[Proxy] = []
    urls: list[str] = []
    for number in range(count):
        sockets = directory / f"sockets{number}"
        sockets.mkdir()
        to_database.append(PostgresProxy(database_url, sockets))
        if redis is not None:
            port = free_port()
            to_redis.append(Proxy(("127.0.0.1", redis.port), ("127.0.0.1", port), random.Random(number)))
            urls.append(f"redis://127.0.0.1:{port}/0")
    return to_redis, to_database, urls


def _end(node: Node) -> None:
    if node.running:
        node.kill()
