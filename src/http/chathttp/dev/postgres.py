"""The embedded PostgreSQL's life: one server for each data directory, none that outlives its owner."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Final

import psycopg
import structlog
import trio
from psycopg import sql

from chathttp.dev.cluster import DATABASE, Cluster, known_directory, prepare_cluster, socket_url
from chathttp.dev.errors import DevError
from chathttp.dev.lock import HeldByDevError, data_directory_lock
from chathttp.dev.postmaster import read_postmaster, release_foreign_pid

START_PATIENCE: Final = 120.0
"""Seconds for a first start, recovery after a crash included."""
STOP_PATIENCE: Final = 10.0
"""Seconds for a fast shutdown, after which it becomes an immediate one."""
IMMEDIATE_PATIENCE: Final = 5.0
"""Seconds for an immediate shutdown, after which the server is killed."""
RESTART_DELAYS: Final = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each restart in a row; the last one repeats."""
STABLE: Final = 60.0
"""Seconds of service after which a failure counts as the first one again."""

_POLL: Final = 0.02
_log = structlog.stdlib.get_logger("chathttp.dev.postgres")


async def run_postgres(cluster: Cluster, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Serves ``cluster`` until cancelled; started once it accepts connections.

    Stops a server that a killed run left behind before it starts its own, and starts it again whenever it ends.
    On cancellation the server is gone before this returns: a fast shutdown, after :data:`STOP_PATIENCE` an immediate
    one. Raises :class:`DevError` when the first start fails. The caller holds the data directory's lock.
    """
    await trio.to_thread.run_sync(cluster.stop_leftover)
    reported = False
    failures = 0
    while True:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(partial(_serve_once, cluster))
            ready = await _becomes_ready(cluster, process, START_PATIENCE if not reported else float("inf"))
            if ready and not reported:
                reported = True
                task_status.started()
            if not reported:
                nursery.cancel_scope.cancel()
            await process.wait()
        if not reported:
            raise DevError(f"PostgreSQL does not start: {cluster.log_tail()} (see {cluster.log})")
        failures = 0 if trio.current_time() - began > STABLE else failures + 1
        delay = RESTART_DELAYS[min(failures, len(RESTART_DELAYS) - 1)]
        _log.warning("postgres_ended", status=process.returncode, restart_in=delay, last_line=cluster.log_tail())
        await trio.sleep(delay)


async def _serve_once(cluster: Cluster, *, task_status: trio.TaskStatus[trio.Process]) -> None:
    release_foreign_pid(cluster.directory)
    log = cluster.open_log()
    try:
        await trio.run_process(
            cluster.command(),
            cwd="/",
            env=cluster.environment(),
            stdout=log,
            stderr=log,
            check=False,
            deliver_cancel=_stop,
            start_new_session=True,
            task_status=task_status,
            **cluster.account.spawn_options(),
        )
    finally:
        os.close(log)


async def _becomes_ready(cluster: Cluster, process: trio.Process, patience: float) -> bool:
    with trio.move_on_after(patience):
        while process.returncode is None:
            if cluster.ready(process.pid):
                return True
            await trio.sleep(_POLL)
    return False


async def _stop(process: trio.Process) -> None:
    for number, seconds in ((signal.SIGINT, STOP_PATIENCE), (signal.SIGQUIT, IMMEDIATE_PATIENCE)):
        process.send_signal(number)
        with trio.move_on_after(seconds):
            await process.wait()
            return
    process.kill()


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
    release_foreign_pid(cluster.directory)
    log = cluster.open_log()
    try:
        process = subprocess.Popen(
            cluster.command(),
            cwd="/",
            env=cluster.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **cluster.account.spawn_options(),
        )
    finally:
        os.close(log)
    deadline = time.monotonic() + START_PATIENCE
    while not cluster.ready(process.pid):
        if process.poll() is not None or time.monotonic() > deadline:
            stop_server(process)
            raise DevError(f"PostgreSQL does not start: {cluster.log_tail()} (see {cluster.log})")
        time.sleep(_POLL)
    return process


def stop_server(process: subprocess.Popen[bytes]) -> None:
    """Stops a server of :func:`start_server`, harder the longer it takes; returns when it is gone."""
    for number, seconds in (
        (signal.SIGINT, STOP_PATIENCE),
        (signal.SIGQUIT, IMMEDIATE_PATIENCE),
        (signal.SIGKILL, None),
    ):
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
        time.sleep(_POLL)
    raise DevError(f"stackmentor dev holds {data_dir}, but its PostgreSQL does not answer")
