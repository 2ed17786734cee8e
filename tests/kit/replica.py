"""A real streaming replica of a `PostgresServer`."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Generator
from typing import Final

import attrs
import psycopg

from chathttp.dev.cluster import USER
from chathttp.dev.postgres import start_server, stop_server
from chathttp.dev.program import ENVIRONMENT, LogFile
from chathttp.dev.sockets import socket_directory
from tests.kit.postgres import PostgresServer, remove_scratch, scratch_directory

PATIENCE: Final = 60.0


class ReplicaServer(PostgresServer):
    """Made by `pg_basebackup` from `primary`, which must run; streams from it while both do."""

    def __init__(self, primary: PostgresServer) -> None:
        # A copy of a cluster, so nothing is initialised here.
        of_primary = primary.cluster
        self._scratch = scratch_directory()
        self._process: subprocess.Popen[bytes] | None = None
        hba = of_primary.directory / "pg_hba.conf"
        hba.write_text(f"{hba.read_text()}local replication {USER} peer map=owner\n")
        with psycopg.connect(primary.url(), autocommit=True) as connection:
            connection.execute("SELECT pg_reload_conf()")
        directory = self._scratch / "postgres"
        directory.mkdir(mode=0o700)
        of_primary.account.own(directory)
        source = f"host={of_primary.socket_directory} user={USER}"
        command = [of_primary.binaries.directory / "pg_basebackup", "-D", directory, "-d", source, "-R", "-c", "fast"]
        deadline = time.monotonic() + PATIENCE
        while True:
            done = subprocess.run(
                command,
                cwd="/",
                env=ENVIRONMENT,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
                **of_primary.account.spawn_options(),
            )
            if done.returncode == 0:
                break
            # Until the server has read who may replicate.
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.1)
        for left in directory.glob(".s.PGSQL.*"):
            left.unlink()
        sockets = socket_directory(directory, ".s.PGSQL.5432", uid=of_primary.account.uid, gid=of_primary.account.gid)
        self.cluster = attrs.evolve(
            of_primary, directory=directory, socket_directory=sockets, log=LogFile(self._scratch / "postgres.log")
        )

    def __exit__(self, *_: object) -> None:
        self.stop()
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.cluster.directory)
        remove_scratch(self._scratch)

    def start(self) -> None:
        """Starts the server; returns when it accepts connections that read."""
        if self._process is None:
            self._process = start_server(self.cluster)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            stop_server(process)

    def pause(self) -> None:
        """What is streamed waits, and is not replayed; returns when that is so."""
        self._ask("SELECT pg_wal_replay_pause()")
        deadline = time.monotonic() + PATIENCE
        while self._ask("SELECT pg_get_wal_replay_pause_state()") != "paused":
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def resume(self) -> None:
        self._ask("SELECT pg_wal_replay_resume()")

    def promote(self) -> None:
        """It is a primary of its own from now on."""
        self._ask("SELECT pg_promote()")

    def await_caught_up(self, primary: PostgresServer) -> None:
        """Until all is replayed that the primary has written by now."""
        with psycopg.connect(primary.url(), autocommit=True) as connection:
            row = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
        assert row is not None
        deadline = time.monotonic() + PATIENCE
        while not self._ask(f"SELECT pg_last_wal_replay_lsn() >= '{row[0]}'"):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _ask(self, statement: str) -> object:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            row = connection.execute(statement.encode()).fetchone()
        assert row is not None
        return row[0]


@contextlib.contextmanager
def replica_of(primary: PostgresServer) -> Generator[ReplicaServer]:
    """A replica that runs until the block ends; tests may pause, stop and kill it."""
    with ReplicaServer(primary) as replica:
        yield replica
