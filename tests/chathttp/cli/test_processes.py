import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from actors.runtime.spec import RestartIntensity
from chathttp.cli.processes import Processes, ProcessesError, ProcessSpec
from tests.kit.process import gone

SERVE = """
import os, signal, sys, threading
from chathttp.cli.processes import end_with_parent
end_with_parent()
def drained(*_):
    os.write(2, b"drained %s\\n" % os.environb[b"NAME"])
    sys.exit(0)
signal.signal(signal.SIGTERM, drained)
print("stackmentor ready", f"http://{os.environ['NAME']}/{os.getpid()}", flush=True)
threading.Event().wait()
"""
DEAF = """
import os, signal, threading
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: None)
print("stackmentor ready", f"http://deaf/{os.getpid()}", flush=True)
while True:
    threading.Event().wait(60)
"""
QUICK = RestartIntensity(max_restarts=5, within=60.0, backoff_initial=0.01, backoff_max=0.05)


def _spec(name: str, program: str = SERVE, prefix: str = "") -> ProcessSpec:
    return ProcessSpec(name, (sys.executable, "-c", program), lambda: {**os.environ, "NAME": name}, prefix=prefix)


class _Group:
    """Runs the processes of `specs`, and knows the last pid of each that serves."""

    def __init__(self, *specs: ProcessSpec, intensity: RestartIntensity = QUICK, patience: float = 20.0) -> None:
        self.pids: dict[str, int] = {}
        self.starts: list[str] = []
        self._heard = trio.Event()
        self.processes = Processes(
            specs, on_ready=self._on_ready, drain_patience=patience, intensity=intensity, rng=random.Random(1)
        )

    def _on_ready(self, name: str, url: str) -> None:
        host, pid = url.removeprefix("http://").split("/")
        assert host in (name, "deaf")
        self.pids[name] = int(pid)
        self.starts.append(name)
        self._heard.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        with trio.fail_after(20):
            while not holds():
                self._heard = trio.Event()
                await self._heard.wait()


async def test_all_serve_and_a_drain_ends_all_in_order(capfd: pytest.CaptureFixture[str]) -> None:
    group, drain = _Group(_spec("one"), _spec("two")), trio.Event()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(group.processes.run, drain)
            await group.until(lambda: len(group.pids) == 2)
            assert all(os.getsid(pid) == pid for pid in group.pids.values()), "Ctrl-C would reach it twice"
            drain.set()
    assert all(map(gone, group.pids.values()))
    assert sorted(capfd.readouterr().err.splitlines()) == ["drained one", "drained two"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_one_that_ends_is_started_again_and_the_others_are_let_be(number: signal.Signals) -> None:
    group, drain = _Group(_spec("one"), _spec("two")), trio.Event()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(group.processes.run, drain)
            await group.until(lambda: len(group.pids) == 2)
            before = dict(group.pids)
            os.kill(before["one"], number)
            await group.until(lambda: len(group.starts) == 3)
            assert group.pids["one"] != before["one"]
            assert group.pids["two"] == before["two"]
            assert not gone(before["two"])
            drain.set()
    assert all(map(gone, group.pids.values()))


async def test_a_roll_replaces_one_after_the_other_and_counts_as_no_crash() -> None:
    group, drain = _Group(_spec("one"), _spec("two"), intensity=RestartIntensity(0, 60.0)), trio.Event()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(group.processes.run, drain)
            await group.until(lambda: len(group.pids) == 2)
            before = dict(group.pids)
            await group.processes.roll(signal.SIGTERM)
            assert group.starts[2:] == ["one", "two"]
            assert all(map(gone, before.values()))
            drain.set()
    assert all(map(gone, group.pids.values()))


async def test_one_that_never_served_ends_all_with_its_name() -> None:
    group = _Group(_spec("one"), _spec("bad", "raise SystemExit(2)"))
    with trio.fail_after(30), pytest.raises(ProcessesError, match=r"^bad does not start: it ended with status 2$"):
        await group.processes.run(trio.Event())
    assert all(map(gone, group.pids.values()))


async def test_above_the_intensity_all_are_drained_and_given_up() -> None:
    group = _Group(_spec("one"), _spec("two"), intensity=RestartIntensity(2, 60.0, 0.01, 0.02))

    async def kill_again_and_again() -> None:
        await group.until(lambda: len(group.pids) == 2)
        for killed in range(3):
            await group.until(lambda killed=killed: group.starts.count("one") == killed + 1)
            os.kill(group.pids["one"], signal.SIGKILL)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(kill_again_and_again)
        with trio.fail_after(30), pytest.raises(ProcessesError) as raised:
            await group.processes.run(trio.Event())
    assert str(raised.value) == "one ended with signal 9, after too many restarts"
    assert all(map(gone, group.pids.values()))


async def test_one_that_does_not_drain_is_killed_after_the_patience() -> None:
    group, drain = _Group(_spec("one"), _spec("deaf", DEAF), patience=0.5), trio.Event()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(group.processes.run, drain)
            await group.until(lambda: len(group.pids) == 2)
            drain.set()
    assert all(map(gone, group.pids.values()))


async def test_cancellation_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chathttp.cli.processes._INTERRUPT_PATIENCE", 0.2)
    group = _Group(_spec("one"), _spec("deaf", DEAF))
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(group.processes.run, trio.Event())
            await group.until(lambda: len(group.pids) == 2)
            nursery.cancel_scope.cancel()
    assert all(map(gone, group.pids.values()))


async def test_lines_are_told_apart_by_their_prefixes(capfd: pytest.CaptureFixture[str]) -> None:
    program = SERVE.replace(
        "threading.Event().wait()", 'sys.stderr.write("first\\nsecond without an end"); sys.exit(1)'
    )
    group = _Group(_spec("one", program, "one | "), intensity=RestartIntensity(0, 60.0))
    with trio.fail_after(30), pytest.raises(ProcessesError, match="too many restarts"):
        await group.processes.run(trio.Event())
    assert capfd.readouterr().err == "one | first\none | second without an end\n"


async def test_environment_is_asked_before_each_start_and_descriptors_are_passed() -> None:
    asked: list[int] = []
    reading, writing = os.pipe()
    program = SERVE.replace(
        "threading.Event().wait()", f'os.write({writing}, os.environ["ROUND"].encode())\nsys.exit()'
    )

    def environment() -> dict[str, str]:
        asked.append(len(asked))
        return {**os.environ, "NAME": "one", "ROUND": str(asked[-1])}

    spec = ProcessSpec("one", (sys.executable, "-c", program), environment, pass_fds=(writing,))
    group = _Group(spec, intensity=RestartIntensity(2, 60.0, 0.01, 0.02))
    with trio.fail_after(30), pytest.raises(ProcessesError):
        await group.processes.run(trio.Event())
    os.close(writing)
    assert os.read(reading, 10) == b"012"
    os.close(reading)


@pytest.mark.parametrize("prefix", ["", "the parent reads its stderr | "])
def test_process_ends_at_once_when_its_parent_is_killed(tmp_path: Path, prefix: str) -> None:
    parent = f"""
import os, sys, trio
from chathttp.cli.processes import Processes, ProcessSpec
from chathttp.logs import configure_logs
configure_logs("info", "json")
command = (sys.executable, "-c", {SERVE!r})
specs = [ProcessSpec("one", command, lambda: dict(os.environ) | {{"NAME": "one"}}, prefix={prefix!r})]
def ready(name, url):
    print(url.rpartition("/")[2], flush=True)
trio.run(Processes(specs, on_ready=ready, drain_patience=5.0).run, trio.Event())
"""
    with (
        open(tmp_path / "log", "wb") as log,
        subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        descriptor = os.pidfd_open(pid)
        process.kill()
        process.wait()
    trio.run(_readable, descriptor)
    os.close(descriptor)
    assert ("the parent process is gone" in (tmp_path / "log").read_text()) == (not prefix)


async def _readable(descriptor: int) -> None:
    with trio.fail_after(10):
        await trio.lowlevel.wait_readable(descriptor)
