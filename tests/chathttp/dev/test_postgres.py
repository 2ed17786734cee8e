import os
import signal
import subprocess
from pathlib import Path

import attrs
import psycopg
import pytest
import trio

from chathttp.dev import program
from chathttp.dev.cluster import Cluster, prepare_cluster
from chathttp.dev.errors import DevError
from chathttp.dev.lock import HeldByDevError, data_directory_lock
from chathttp.dev.postgres import ensure_database, postgres_for_command, start_server, stop_server
from chathttp.dev.program import run_program
from tests.kit.postgres import remove_scratch, scratch_directory
from tests.kit.process import gone


def _value(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def _remember(url: str, text: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS memo (text text)")
        connection.execute("INSERT INTO memo VALUES (%s)", [text])


@pytest.fixture
def cluster(data_dir: Path) -> Cluster:
    return prepare_cluster(data_dir)


async def _postmaster_other_than(cluster: Cluster, pid: int) -> int:
    with trio.fail_after(30):
        while True:
            server = cluster.postmaster()
            if server is not None and server.pid != pid and server.ready:
                return server.pid
            await trio.sleep(0.02)


async def test_serves_until_cancelled_and_is_gone_then(cluster: Cluster) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(run_program, cluster)
        url = await trio.to_thread.run_sync(ensure_database, cluster.socket_directory)
        server = cluster.postmaster()
        assert server is not None
        assert await trio.to_thread.run_sync(_value, url, "SELECT current_database()::text") == "stackmentor"
        assert os.getsid(server.pid) == server.pid, "Ctrl-C in our terminal would reach it"
        nursery.cancel_scope.cancel()
    assert gone(server.pid)
    assert cluster.postmaster() is None
    assert not (cluster.directory / "postmaster.pid").exists(), "it was not shut down cleanly"


async def test_is_durable_and_listens_on_no_network(cluster: Cluster) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(run_program, cluster)
        url = await trio.to_thread.run_sync(ensure_database, cluster.socket_directory)
        shown = {
            name: await trio.to_thread.run_sync(_value, url, f"SHOW {name}")
            for name in ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses")
        }
        nursery.cancel_scope.cancel()
    assert shown == {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "listen_addresses": ""}


async def test_starts_again_with_its_data_when_it_is_killed(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(run_program, cluster)
        url = await trio.to_thread.run_sync(ensure_database, cluster.socket_directory)
        await trio.to_thread.run_sync(_remember, url, "kept")
        pid = 0
        for _ in range(2):
            pid = await _postmaster_other_than(cluster, pid)
            os.kill(pid, signal.SIGKILL)
        await _postmaster_other_than(cluster, pid)
        assert await trio.to_thread.run_sync(_value, url, "SELECT text FROM memo") == "kept"
        nursery.cancel_scope.cancel()


async def test_cancelled_while_it_starts_leaves_nothing(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    async def never(cluster: Cluster, process: trio.Process, patience: float) -> bool:
        started.append(process.pid)
        await trio.sleep_forever()
        return False

    monkeypatch.setattr(program, "becomes_ready", never)
    with trio.move_on_after(0.3):
        await run_program(cluster)
    assert started
    assert gone(started[0])


async def test_stops_a_frozen_server_by_force(cluster: Cluster) -> None:
    cluster = attrs.evolve(cluster, stopping=tuple((number, 0.1) for number, _ in cluster.stopping))
    async with trio.open_nursery() as nursery:
        await nursery.start(run_program, cluster)
        server = cluster.postmaster()
        assert server is not None
        os.kill(server.pid, signal.SIGSTOP)
        nursery.cancel_scope.cancel()
    assert gone(server.pid)


async def test_left_behind_by_a_killed_run_it_is_stopped_before_the_next(cluster: Cluster) -> None:
    left = await trio.to_thread.run_sync(start_server, cluster)
    ensure_database(cluster.socket_directory)
    _remember(cluster.url(), "committed before the kill")
    async with trio.open_nursery() as nursery:
        await nursery.start(run_program, cluster)
        url = await trio.to_thread.run_sync(ensure_database, cluster.socket_directory)
        server = cluster.postmaster()
        assert server is not None
        assert server.pid != left.pid
        assert await trio.to_thread.run_sync(_value, url, "SELECT text FROM memo") == "committed before the kill"
        nursery.cancel_scope.cancel()
    assert await trio.to_thread.run_sync(left.wait, 10) == 0, "it was not asked to shut down in order"


def test_pid_that_another_process_has_now_does_not_stop_the_start(cluster: Cluster) -> None:
    server = start_server(cluster)
    stale = (cluster.directory / "postmaster.pid").read_text().splitlines()
    stop_server(server)
    sleeper = subprocess.Popen(["/bin/sleep", "600"], **cluster.account.spawn_options())
    try:
        (cluster.directory / "postmaster.pid").write_text("\n".join([str(sleeper.pid), *stale[1:], ""]))
        assert cluster.postmaster() is None
        server = start_server(cluster)
        stop_server(server)
        assert sleeper.poll() is None, "a stranger was stopped"
    finally:
        sleeper.kill()
        sleeper.wait()


async def test_failed_start_says_why_in_one_line(cluster: Cluster) -> None:
    (cluster.directory / "postgresql.conf").write_text("no_such_parameter = on\n")
    with pytest.raises(ExceptionGroup) as raised:
        async with trio.open_nursery() as nursery:
            await nursery.start(run_program, cluster)
    (error,) = raised.value.exceptions
    assert isinstance(error, DevError)
    assert "no_such_parameter" in str(error) or "configuration file" in str(error)
    assert "\n" not in str(error)


def test_command_starts_and_stops_a_server_of_its_own(data_dir: Path) -> None:
    with postgres_for_command(data_dir) as url:
        _remember(url, "first")
        server = prepare_cluster(data_dir).postmaster()
        assert server is not None
    assert gone(server.pid)
    with postgres_for_command(data_dir) as url:
        assert _value(url, "SELECT text FROM memo") == "first"


def test_command_uses_the_server_of_a_running_dev(data_dir: Path) -> None:
    with data_directory_lock(data_dir, "dev"):
        server = start_server(prepare_cluster(data_dir))
        with postgres_for_command(data_dir) as url:
            assert _value(url, "SELECT current_database()::text") == "stackmentor"
        assert server.poll() is None
        stop_server(server)


def test_second_dev_on_a_data_directory_is_refused_in_one_line(data_dir: Path) -> None:
    with data_directory_lock(data_dir, "dev"):
        with pytest.raises(HeldByDevError) as raised, data_directory_lock(data_dir, "dev"):
            pytest.fail("two owners")
        assert str(raised.value) == f"stackmentor dev already runs on {data_dir} (process {os.getpid()})"
    with data_directory_lock(data_dir, "dev"):
        pass


def test_command_that_holds_the_directory_too_long_is_reported(data_dir: Path) -> None:
    with (
        data_directory_lock(data_dir, "command"),
        pytest.raises(DevError, match=r"has held .* for 0 seconds"),
        data_directory_lock(data_dir, "dev", patience=0),
    ):
        pytest.fail("two owners")


@pytest.mark.parametrize("name", ["x" * 120, "with space, comma and 'quote'"])
def test_directory_whose_path_no_socket_can_have_is_served_too(name: str) -> None:
    scratch = scratch_directory()
    data_dir = scratch / name
    with postgres_for_command(data_dir) as url:
        assert _value(url, "SELECT 1") == 1
    cluster = prepare_cluster(data_dir)
    assert cluster.socket_directory.parent == Path("/tmp")
    cluster.socket_directory.rmdir()
    remove_scratch(scratch)
