"""The embedded PostgreSQL for those who wait for it without Trio, and the product's database in it."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

import psycopg
from psycopg import sql

from chathttp.dev.cluster import DATABASE, STOPPING, Cluster, known_directory, prepare_cluster, socket_url
from chathttp.dev.errors import DevError
from chathttp.dev.lock import HeldByDevError, data_directory_lock
from chathttp.dev.postmaster import read_postmaster
from chathttp.dev.program import ENVIRONMENT, POLL, START_PATIENCE


def ensure_database(socket_directory: Path) -> str:
    """The product's database of the server with that socket, made if it is not there; returns its URL."""
    with psycopg.connect(socket_url(socket_directory, "postgres"), autocommit=True, connect_timeout=10) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if known is None:
            # Another command may do the same at this moment.
            with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    return socket_url(socket_directory)


@contextlib.contextmanager
def postgres_for_command(data_dir: Path) -> Generator[str]:
    """The database's URL for a short-lived command: of the server that ``dev`` runs, else of one for the duration.

    Raises :class:`DevError` when there is no such server and none can be started.
    """
    data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(data_directory_lock(data_dir, "command"))
        except HeldByDevError:
            url = _url_of_running(data_dir.resolve())
        else:
            url = stack.enter_context(serving(prepare_cluster(data_dir)))
        yield url


@contextlib.contextmanager
def serving(cluster: Cluster) -> Generator[str]:
    """Serves ``cluster`` for the duration of the block, without Trio. The caller holds the data directory's lock."""
    cluster.stop_leftover()
    process = start_server(cluster)
    try:
        yield ensure_database(cluster.socket_directory)
    finally:
        stop_server(process)


def start_server(cluster: Cluster) -> subprocess.Popen[bytes]:
    """Starts the server and returns when it accepts connections. Raises :class:`DevError` when it does not."""
    cluster.prepare()
    log = cluster.log.open()
    try:
        process = subprocess.Popen(
            cluster.command(),
            cwd="/",
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **cluster.spawn_options(),
        )
    finally:
        os.close(log)
    deadline = time.monotonic() + START_PATIENCE
    while not cluster.ready(process.pid):
        if process.poll() is not None or time.monotonic() > deadline:
            stop_server(process)
            raise DevError(f"PostgreSQL does not start: {cluster.log.last_line()} (see {cluster.log.path})")
        time.sleep(POLL)
    return process


def stop_server(process: subprocess.Popen[bytes]) -> None:
    """Stops a server of :func:`start_server`, harder the longer it takes; returns when it is gone."""
    for number, seconds in (*STOPPING, (signal.SIGKILL, None)):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return


def _url_of_running(data_dir: Path) -> str:
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline:
        server = read_postmaster(known_directory(data_dir))
        if server is not None and server.ready:
            return ensure_database(server.socket_directory)
        time.sleep(POLL)
    raise DevError(f"stackmentor dev holds {data_dir}, but its PostgreSQL does not answer")
