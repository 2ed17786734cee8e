import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.kit.postgres import PostgresServer, remove_leftovers, remove_scratch, scratch_directory
from tests.kit.process import gone


def _value(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def test_databases_of_two_tests_are_apart(postgres_server: PostgresServer) -> None:
    one, two = postgres_server.empty_database(), postgres_server.empty_database()
    with psycopg.connect(one, autocommit=True) as connection:
        connection.execute("CREATE TABLE t ()")
    assert _value(one, "SELECT count(*) FROM pg_tables WHERE tablename = 't'") == 1
    assert _value(two, "SELECT count(*) FROM pg_tables WHERE tablename = 't'") == 0
    postgres_server.drop_database(one)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        _value(one, "SELECT 1")


def test_server_keeps_its_url_and_data_over_restart_and_kill(own_server: PostgresServer) -> None:
    url = own_server.empty_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS x")
    own_server.restart()
    assert _value(url, "SELECT x FROM t") == 7
    own_server.kill()
    with pytest.raises(psycopg.OperationalError):
        _value(url, "SELECT 1")
    own_server.start()
    assert _value(url, "SELECT x FROM t") == 7


def test_leftovers_of_a_killed_run_are_removed_and_those_in_use_are_not() -> None:
    script = """
from chathttp.dev.cluster import prepare_cluster
from chathttp.dev.postgres import start_server
from tests.kit.postgres import scratch_directory
directory = scratch_directory()
server = start_server(prepare_cluster(directory))
print(directory, server.pid, flush=True)
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).parents[3]
    killed = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    directory, pid = killed.stdout.split()
    ours = scratch_directory()
    remove_leftovers()
    assert not Path(directory).exists()
    assert ours.exists()
    deadline = time.monotonic() + 20
    while not gone(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert gone(int(pid))
    remove_scratch(ours)


def test_trigrams_know_letters_beyond_ascii(postgres_server: PostgresServer) -> None:
    url = postgres_server.empty_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pg_trgm")
        assert connection.execute("SELECT similarity('Żółć', 'żółw') > 0.3, lower('Ж')").fetchone() == (True, "ж")
