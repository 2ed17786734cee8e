"""Several real nodes on one PostgreSQL and one Redis, each of which can be killed, frozen, cut off and brought back."""

import contextlib
import os
import random
import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

import attrs
import psycopg
import trio
from psycopg.conninfo import conninfo_to_dict

from chathttp.dev.accounts import provision_tokens
from chathttp.settings import Settings
from tests.faults.history import MarkSample, Stored, StoredMessage
from tests.faults.network import NodeNetwork, node_network
from tests.kit.command import COMMAND
from tests.kit.devserver import DevServer
from tests.kit.pgproxy import PostgresProxy, postgres_socket
from tests.kit.postgres import PostgresServer, own_postgres_server, remove_scratch, scratch_directory
from tests.kit.proxy import Place, Proxy, ProxyThread
from tests.kit.redis import RedisServer, free_port, own_redis_cluster, own_redis_server

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
    "HOST": "0.0.0.0",
}
"""Of every node: no limits on what a user may send, and times short enough for a test to see their end."""


@attrs.frozen
class Site:
    """Where a node runs, and how it reaches the services and is reached. `redis_url` is empty for one that is alone."""

    database_url: str
    redis_url: str = ""
    host: str = "127.0.0.1"
    prefix: Sequence[str] = ()


class Node(DevServer):
    """One `stackmentor serve` on a port that stays its own. It dies with the thread that started it."""

    def __init__(self, name: str, directory: Path, site: Site, env: Mapping[str, str]) -> None:
        directory.mkdir()
        self.name = name
        self.frozen = False
        port = free_port()
        self._fixed_url = f"http://{site.host}:{port}"
        ours = {**SETTINGS, "DATABASE_URL": site.database_url, "REDIS_URL": site.redis_url}
        given = {f"STACKMENTOR_{key}": value for key, value in ours.items()}
        command = (*site.prefix, "setpriv", "--pdeathsig", "KILL", *COMMAND, "serve")
        super().__init__(directory, port, {**given, **env}, command)

    def await_ready(self) -> None:
        super().await_ready()
        self.url = self._fixed_url

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
    """`redis` is None for nodes that are alone, and for those on a cluster of `redis_masters`."""

    nodes: Sequence[Node]
    postgres: PostgresServer
    database_url: str
    redis: RedisServer | None
    users: Sequence[User]
    wiring: "Wiring"
    redis_masters: Sequence[RedisServer] = ()

    def mend(self) -> None:
        """Whatever a fault that was interrupted has left behind is undone."""
        self.wiring.mend()
        self.postgres.start()
        self.postgres.thaw()
        for redis in (*self.redis_masters, *([] if self.redis is None else [self.redis])):
            redis.start()
            redis.thaw()
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
                "SELECT user_id::text, last_read_seq, last_delivered_seq FROM participants WHERE conversation_id = %s",
                (conversation,),
            ).fetchall()
        rows = [StoredMessage(*each) for each in messages]
        read, delivered = ({each[0]: each[number] for each in marks} for number in (1, 2))
        return Stored(conversation, row[0], row[1], rows, read, samples, delivered)

    def marks(self, conversation: str) -> list[tuple[str, int, int]]:
        """Users, what they have read, what they were delivered. Raises `psycopg.Error` while the database is away."""
        with psycopg.connect(self.database_url, connect_timeout=2) as connection:
            return connection.execute(
                "SELECT user_id::text, last_read_seq, last_delivered_seq FROM participants WHERE conversation_id = %s",
                (conversation,),
            ).fetchall()


@attrs.define
class Wiring:
    """What is between the nodes and the services; by node."""

    sites: Sequence[Site]
    redis_proxies: Sequence[Proxy] = ()
    database_proxies: Sequence[Proxy] = ()
    networks: Sequence[NodeNetwork] = ()
    thread: ProxyThread | None = None

    def control(self, action: Callable[[], None]) -> None:
        """Have a control of one of the proxies called, soon."""
        assert self.thread is not None, "there are no proxies"
        self.thread.control(action)

    def mend(self) -> None:
        for proxy in (*self.redis_proxies, *self.database_proxies):
            self.control(proxy.thaw)
            self.control(proxy.admit)
        for network in self.networks:
            network.mend()


class Wired(StrEnum):
    """How the nodes reach the services."""

    DIRECTLY = "directly"
    BY_PROXIES = "by proxies"
    BY_CABLES = "by cables"  # that can be pulled


@contextmanager
def running_cluster(
    count: int = 3,
    *,
    wired: Wired = Wired.DIRECTLY,
    bridged: bool = True,
    clustered: bool = False,
    postgres: PostgresServer | None = None,
    env: Mapping[str, str] | None = None,
    env_of_first: Mapping[str, str] | None = None,
) -> Generator[Cluster]:
    """Runs during the block, outside of any event loop. Without `postgres` it has one of its own.

    `clustered` has a Redis Cluster of three masters. `env` is of all nodes, `env_of_first` of the first besides.
    """
    with contextlib.ExitStack() as stack:
        postgres = postgres or stack.enter_context(own_postgres_server())
        masters = stack.enter_context(own_redis_cluster()) if clustered else ()
        redis = stack.enter_context(own_redis_server()) if bridged and not clustered else None
        if masters:
            env = {**(env or {}), "STACKMENTOR_REDIS_CLUSTER": "true"}
        directory = scratch_directory()
        stack.callback(remove_scratch, directory)
        url = postgres.fresh_database()
        settings = Settings(database_url=url, access_token_lifetime=TOKEN_LIFETIME)
        users = [User(str(user_id), token) for user_id, token in trio.run(provision_tokens, settings, USERS)]
        match wired:
            case Wired.DIRECTLY:
                seed = masters[0] if masters else redis
                wiring = Wiring([Site(url, "" if seed is None else seed.url)] * count)
            case Wired.BY_PROXIES:
                wiring = _by_proxies(stack, count, url, redis, directory)
            case Wired.BY_CABLES:
                wiring = _by_cables(stack, count, url, redis)
        nodes: list[Node] = []
        for number, site in enumerate(wiring.sites):
            own = (env_of_first or {}) if number == 0 else {}
            node = Node("ABCDEFGH"[number], directory / f"node{number}", site, {**(env or {}), **own})
            stack.callback(_end, node)
            node.start_without_waiting()
            nodes.append(node)
        for node in nodes:
            node.await_ready()
        yield Cluster(nodes, postgres, url, redis, users, wiring, masters)


def _by_proxies(
    stack: contextlib.ExitStack, count: int, database_url: str, redis: RedisServer | None, directory: Path
) -> Wiring:
    assert redis is not None
    wiring = Wiring([])
    for number in range(count):
        sockets = directory / f"sockets{number}"
        sockets.mkdir()
        to_database = PostgresProxy(database_url, sockets)
        listening = ("127.0.0.1", free_port())
        to_redis = Proxy(("127.0.0.1", redis.port), listening, random.Random(number))
        wiring.sites = [*wiring.sites, Site(to_database.url, f"redis://127.0.0.1:{listening[1]}/0")]
        wiring.redis_proxies = [*wiring.redis_proxies, to_redis]
        wiring.database_proxies = [*wiring.database_proxies, to_database]
    wiring.thread = stack.enter_context(ProxyThread.running(*wiring.redis_proxies, *wiring.database_proxies))
    return wiring


def _by_cables(stack: contextlib.ExitStack, count: int, database_url: str, redis: RedisServer | None) -> Wiring:
    assert redis is not None
    parts = conninfo_to_dict(database_url)
    services: dict[str, Place] = {"redis": ("127.0.0.1", redis.port), "sql": postgres_socket(database_url)}
    networks = [stack.enter_context(node_network(services)) for _ in range(count)]
    sites: list[Site] = []
    for network in networks:
        cache, sql = network.ways["redis"], network.ways["sql"]
        url = f"postgresql://{parts['user']}@{sql.host}:{sql.port}/{parts['dbname']}"
        sites.append(Site(url, f"redis://{cache.host}:{cache.port}/0", network.host, network.prefix))
    return Wiring(sites, networks=networks)


def _end(node: Node) -> None:
    if node.running:
        node.kill()
