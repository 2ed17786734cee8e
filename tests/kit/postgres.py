"""A real PostgreSQL for tests: one server a test session, a migrated database for each test that wants one."""

import contextlib
import fcntl
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import IO, Final, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from chathttp.dev.cluster import Cluster, known_directory, prepare_cluster
from chathttp.dev.lock import data_directory_lock
from chathttp.dev.postgres import start_server, stop_server
from chathttp.dev.postmaster import read_postmaster

_PREFIX: Final = "stackmentor-test-"
_OWNER: Final = "owner"
_TEMPLATE: Final = "template_migrated"

_owned: dict[Path, IO[bytes]] = {}
"""Scratch directories of this process and the locked files that say so."""


def scratch_directory() -> Path:
    """A new directory that other users can pass through, as PostgreSQL needs when the tests run as root.

    pytest's ``tmp_path`` is closed to them. The caller removes it with :func:`remove_scratch`; what a killed run did
    not remove, :func:`remove_leftovers` of a later one does.
    """
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
    directory.chmod(0o711)
    # Locked before it has the name by which others find it.
    file = open(directory / "owner.new", "wb")  # noqa: SIM115 - open for as long as the directory is in use
    fcntl.flock(file, fcntl.LOCK_EX)
    (directory / "owner.new").rename(directory / _OWNER)
    _owned[directory] = file
    return directory


def remove_scratch(directory: Path) -> None:
    """Removes a :func:`scratch_directory`, which no server may use any more."""
    shutil.rmtree(directory)
    _owned.pop(directory).close()


def remove_leftovers() -> None:
    """Stops the servers and removes the directories of test runs that were killed; those that still run keep theirs."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), open(directory / _OWNER, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            server = read_postmaster(known_directory(directory))
            if server is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(server.pid, signal.SIGQUIT)
            shutil.rmtree(directory, ignore_errors=True)


def is_leftover(directory: Path) -> bool:
    """Whether this is a scratch directory, perhaps half removed, of a test run that is no more."""
    if not directory.name.startswith(_PREFIX):
        return False
    try:
        with open(directory / _OWNER, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True


class PostgresServer:
    """The embedded PostgreSQL on a directory of its own, without ``fsync``: safe against its own death, not the host's.

    Thread-safe. ``stop``, ``kill`` and ``start`` are for fault tests; a test that uses them takes a server of its own
    (``own_postgres_server``), since the session's is shared.
    """

    def __init__(self, directory: Path) -> None:
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(data_directory_lock(directory, "dev"))
        self.cluster: Cluster = prepare_cluster(directory)
        with open(self.cluster.directory / "postgresql.conf", "a") as file:
            file.write("fsync = off\nfull_page_writes = off\nmax_wal_size = 4GB\n")
        self._numbers = itertools.count(1)
        self._making = threading.Lock()
        self._migrated = False
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._stack.close()

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        assert self._process is not None, "the server is stopped"
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        """The URL of ``database``; it stays the same over restarts."""
        return self.cluster.url(database)

    def start(self) -> None:
        """Starts the server; returns when it accepts connections."""
        if self._process is None:
            self._process = start_server(self.cluster)

    def stop(self) -> None:
        """Fast shutdown: connections are cut, nothing is lost."""
        process, self._process = self._process, None
        if process is not None:
            stop_server(process)

    def kill(self) -> None:
        """SIGKILL to the postmaster; returns when its children are gone too."""
        process, self._process = self._process, None
        if process is not None:
            _signal_all((process.pid, *_children(process.pid)), signal.SIGKILL)
            process.wait()

    def restart(self) -> None:
        """``stop`` and ``start``."""
        self.stop()
        self.start()

    def await_panic(self) -> None:
        """Has it begin files of its write-ahead log until it has no room for one, which ends it."""
        statement = sql.SQL("SELECT pg_logical_emit_message(true, 'test', 'new file'), pg_switch_wal()").format()
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                self._execute(statement)

    def freeze(self) -> None:
        """SIGSTOP to the postmaster and its children: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)
        _signal_all(_children(self.pid), signal.SIGSTOP)

    def thaw(self) -> None:
        """Undoes ``freeze``."""
        _signal_all((*_children(self.pid), self.pid), signal.SIGCONT)

    def empty_database(self) -> str:
        """The URL of a new database with nothing in it."""
        return self._create(f"empty_{next(self._numbers)}", "template0")

    def fresh_database(self) -> str:
        """The URL of a new database with the whole schema and no rows; takes some 50 ms."""
        with self._making:
            if not self._migrated:
                from actors.adapters.postgres.migrations import migrate_up

                migrate_up(self._create(_TEMPLATE, "template0"))
                self._migrated = True
        return self._create(f"test_{next(self._numbers)}", _TEMPLATE)

    def drop_database(self, url: str) -> None:
        """Drops the database of ``url`` and cuts its connections."""
        name = conninfo_to_dict(url)["dbname"]
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(str(name))))

    def _create(self, name: str, template: str) -> str:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)


@contextlib.contextmanager
def own_postgres_server() -> Generator[PostgresServer]:
    """A server that one test may stop and kill."""
    directory = scratch_directory()
    try:
        with PostgresServer(directory) as server:
            yield server
    finally:
        remove_scratch(directory)


def _signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    """A process that ended after it was listed has nothing left to signal: backends come and go."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]
