import os
import signal
import socket
import subprocess
from pathlib import Path

import attrs
import pytest
import trio

from chathttp.dev.errors import DevError
from chathttp.dev.program import run_program
from chathttp.dev.redis import MEMORY, EmbeddedRedis, find_server, prepare_redis
from tests.kit.postgres import remove_scratch, scratch_directory
from tests.kit.process import gone


@pytest.fixture
def redis(data_dir: Path) -> EmbeddedRedis:
    return prepare_redis(data_dir)


def _ask(redis: EmbeddedRedis, *words: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(redis.socket))
        connection.sendall(" ".join(words).encode() + b"\r\n")
        return connection.recv(65_536).decode()


async def _pid_other_than(redis: EmbeddedRedis, pid: int) -> int:
    with trio.fail_after(30):
        while True:
            found = redis.pid
            if found not in (None, pid) and redis.ready(found):
                return found
            await trio.sleep(0.02)


async def test_serves_until_cancelled_and_is_gone_then(redis: EmbeddedRedis) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(run_program, redis)
        pid = redis.pid
        assert pid is not None
        assert redis.ready(pid)
        assert not redis.ready(os.getpid())
        assert os.getsid(pid) == pid, "Ctrl-C in our terminal would reach it"
        assert redis.url == f"unix://{redis.socket}"
        nursery.cancel_scope.cancel()
    assert gone(pid)
    assert redis.pid is None


async def test_keeps_nothing_on_disk_listens_on_no_network_and_is_bounded(redis: EmbeddedRedis) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(run_program, redis)
        shown = {
            name: _ask(redis, "CONFIG", "GET", name).splitlines()[-1]
            for name in ("save", "appendonly", "port", "maxmemory", "maxmemory-policy")
        }
        assert redis.socket.stat().st_mode & 0o777 == 0o700
        assert redis.directory.stat().st_mode & 0o777 == 0o700
        _ask(redis, "SET", "key", "value")
        nursery.cancel_scope.cancel()
    megabytes = int(MEMORY.removesuffix("mb"))
    assert shown == {
        "save": "",
        "appendonly": "no",
        "port": "0",
        "maxmemory": str(megabytes * 2**20),
        "maxmemory-policy": "volatile-ttl",
    }
    assert not list(redis.directory.glob("*.rdb"))


async def test_starts_again_when_it_is_killed(redis: EmbeddedRedis) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(run_program, redis)
        pid = 0
        for _ in range(2):
            pid = await _pid_other_than(redis, pid)
            os.kill(pid, signal.SIGKILL)
        await _pid_other_than(redis, pid)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("frozen", [False, True])
async def test_left_behind_by_a_killed_run_it_is_stopped_before_the_next(redis: EmbeddedRedis, frozen: bool) -> None:
    left = await trio.to_thread.run_sync(subprocess.Popen, redis.command())
    await _pid_other_than(redis, 0)
    if frozen:
        left.send_signal(signal.SIGSTOP)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, left.wait)
        await nursery.start(run_program, redis)
        assert redis.pid != left.pid
        assert left.returncode is not None
        nursery.cancel_scope.cancel()


def test_pid_that_another_process_has_now_is_no_server(redis: EmbeddedRedis) -> None:
    (redis.directory / "redis.pid").write_text(f"{os.getpid()}\n")
    assert redis.pid is None
    redis.stop_leftover()


async def test_failed_start_says_why_in_one_line(redis: EmbeddedRedis) -> None:
    redis.socket.mkdir()
    broken = attrs.evolve(redis, socket_directory=redis.socket_directory / "missing")
    with pytest.raises(ExceptionGroup) as raised:
        async with trio.open_nursery() as nursery:
            await nursery.start(run_program, broken)
    (error,) = raised.value.exceptions
    assert isinstance(error, DevError)
    assert str(error).startswith("Valkey does not start: ")
    assert "\n" not in str(error)


async def test_directory_whose_path_no_socket_can_have_is_served_too() -> None:
    scratch = scratch_directory()
    data_dir = scratch / ("x" * 120)
    data_dir.mkdir()
    redis = prepare_redis(data_dir)
    async with trio.open_nursery() as nursery:
        await nursery.start(run_program, redis)
        assert _ask(redis, "PING") == "+PONG\r\n"
        nursery.cancel_scope.cancel()
    assert redis.socket.parent.parent == Path("/tmp")
    redis.socket.unlink(missing_ok=True)
    redis.socket.parent.rmdir()
    remove_scratch(scratch)


def _program(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=00000000:0 malloc=libc bits=64'\n")
    path.chmod(0o755)
    return path


def test_server_of_the_path_serves_where_the_wheel_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "wheel"
    (wheel / "bin").mkdir(parents=True)
    (wheel / "bin/valkey-server").write_bytes(b"\x7fELF of another machine")
    (wheel / "bin/valkey-server").chmod(0o755)
    system = _program(tmp_path / "system/redis-server", "7.0.15")
    monkeypatch.setenv("PATH", str(system.parent))
    assert find_server(wheel=wheel) == system


def test_no_server_that_runs_is_a_line_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = _program(tmp_path / "redis-server", "6.0.16")
    monkeypatch.setenv("PATH", str(old.parent))
    with pytest.raises(DevError) as raised:
        find_server(wheel=tmp_path / "nothing")
    assert str(raised.value) == (
        "several nodes need a Redis or Valkey 7 or later, and none runs here: install redis-server, "
        "or set STACKMENTOR_REDIS_URL to one that runs"
    )
