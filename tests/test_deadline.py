"""A test that hangs fails with the place it hangs at, and the ones after it run."""

import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
HANGING: Final = """
import threading, time, trio

ended = []

async def stuck_child():
    try:
        await trio.sleep_forever()
    finally:
        ended.append(True)

async def test_tasks():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stuck_child)

def test_what_they_started_is_ended():
    assert ended

def test_thread():
    threading.Event().wait()

async def test_loop():
    time.sleep(60)

def test_last():
    pass
"""


def test_hanging_tests_fail_with_their_stacks_and_those_after_them_run(tmp_path: Path) -> None:
    (tmp_path / "test_hanging.py").write_text(HANGING)
    options = ["--timeout=1", "--rootdir", tmp_path, "-c", ROOT / "pyproject.toml", "-p", "tests.kit.deadline"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-n1", *options, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "3 failed, 2 passed" in run.stdout, run.stdout + run.stderr
    for line in ("await trio.sleep_forever()", "threading.Event().wait()", "time.sleep(60)"):
        assert line in run.stdout
    assert "no end after 1 s" in run.stdout
