"""A test that does not end fails, with the stacks of all threads and of all Trio tasks.

A pytest plugin that stands in for how pytest-timeout ends a test (its hooks ``pytest_timeout_*``): raised in the midst
of Trio, its exception would break the event loop, and tell only that it was waiting. Here the run of Trio is cancelled,
so that what the test has started is ended. What does not end by that, within the same time again and ``GRACE`` seconds
at most, has the exception raised where it is; what survives that too has its process ended, which pytest-xdist reports
and replaces.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Generator
from types import FrameType
from typing import Any, Final, Protocol

import pytest
import stackscope
import trio

from chathttp.management.trio_inside import all_tasks

GRACE: Final = 20.0
_RUNNERS: Final = ("/_pytest/", "/pluggy/", "/pytest_trio/", "/execnet/")
_overdue: Final = pytest.StashKey[str]()


class Limit(Protocol):
    """What pytest-timeout knows of a test's; ``timeout`` is in seconds."""

    timeout: float


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Limit) -> bool:
    told = 0

    def ring(_: int, frame: FrameType | None) -> None:
        nonlocal told
        told += 1
        found = f"no end after {settings.timeout:.0f} s\n{_stacks(frame)}"
        item.stash.setdefault(_overdue, found)
        if told == 1 and trio.lowlevel.in_trio_run():
            trio.lowlevel.current_trio_token().run_sync_soon(_cancel_all)
        elif told <= 2:
            pytest.fail(found, pytrace=False)
        else:
            _end_process(item, found)

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout, min(GRACE, settings.timeout))
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_cancel_timer(item: pytest.Item) -> bool:
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Whatever came of the cancellation: it failed, and this is why."""
    report = yield
    found = item.stash.get(_overdue, None)
    if found is not None:
        del item.stash[_overdue]
        report.outcome = "failed"
        report.longrepr = found
    return report


def _cancel_all() -> None:
    """In the run's own thread, between two steps of its tasks."""
    root = trio.lowlevel.current_root_task()
    assert root is not None
    # The last of Trio's own nurseries is that of the function it was told to run.
    root.child_nurseries[-1].cancel_scope.cancel()


def _stacks(frame: FrameType | None) -> str:
    main = threading.main_thread().ident
    threads = sys._current_frames().items()  # pyright: ignore[reportPrivateUsage]  # no public way to another thread's
    parts = [f"thread {thread}:\n{_stack(at)}" for thread, at in threads if thread != main and _stack(at)]
    root = trio.lowlevel.current_root_task() if trio.lowlevel.in_trio_run() else None
    if root is not None:
        # One by one: a tree of them leaves out what is below a task of pytest-trio's.
        parts += [str(stackscope.extract(task)) for task in all_tasks(root)]
    return "\n".join([*parts, f"main thread:\n{_stack(frame)}"])


def _stack(frame: FrameType | None) -> str:
    """Without what runs the tests."""
    calls = traceback.extract_stack(frame)
    ours = [number for number, call in enumerate(calls) if any(name in call.filename for name in _RUNNERS)]
    return "".join(traceback.format_list(calls[max(ours, default=-1) + 1 :]))


def _end_process(item: pytest.Item, found: str) -> None:
    capture: Any = item.config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.suspend_global_capture(in_=True)
    print(f"{item.nodeid}: {found}", file=sys.stderr, flush=True)
    os._exit(1)
