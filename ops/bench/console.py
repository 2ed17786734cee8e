"""What the console costs: a snapshot of many tasks, and a busy loop with and without somebody who watches.

`python -m ops.bench.console` prints one JSON object. Times are in seconds.
"""

import json
import statistics
import time
from collections.abc import Callable

import trio
import trio.testing

from chatconsole.api.messages import View
from chathttp.management.observer import Observer
from chathttp.management.slices import Budget
from chathttp.management.tree import TreeLook
from chathttp.management.watchdog import Watchdog

TASKS = 10_000
SWITCHES = 100_000
ROUNDS = 5


async def _sleeper() -> None:
    with trio.CancelScope():
        await trio.sleep_forever()


async def look_at_many(tasks: int) -> dict[str, float]:
    """The tree of `tasks` tasks: how long it takes, and the longest that the loop was held."""
    root = trio.lowlevel.current_root_task()
    assert root is not None
    observer = Observer()
    async with trio.open_nursery() as nursery:
        for _ in range(tasks):
            nursery.start_soon(_sleeper)
        await trio.testing.wait_all_tasks_blocked()
        took: list[float] = []
        pauses: list[float] = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            budget = Budget(5.0, 0.002)
            tree = await budget.run(TreeLook(root, View(), observer.since, trio.current_time(), budget).look())
            assert tree.total > tasks
            took.append(time.perf_counter() - began)
            pauses.append(budget.pause)
        nursery.cancel_scope.cancel()
    return {"tasks": tasks, "took": statistics.median(took), "pause": max(pauses)}


async def _switch(times: int) -> None:
    for _ in range(times):
        await trio.lowlevel.checkpoint()


async def cpu_of_switches() -> float:
    """CPU of the loop's thread for one switch of tasks."""
    began = time.thread_time()
    await _switch(SWITCHES)
    return (time.thread_time() - began) / SWITCHES


async def compare(attach: Callable[[], Callable[[], None]]) -> dict[str, float]:
    """Side by side, round after round: without and with what `attach` installs."""
    without: list[float] = []
    with_it: list[float] = []
    for _ in range(ROUNDS):
        without.append(await cpu_of_switches())
        detach = attach()
        with_it.append(await cpu_of_switches())
        detach()
    return {"without": min(without), "with": min(with_it), "share": min(with_it) / min(without) - 1}


def watch() -> Callable[[], None]:
    return Watchdog(0.1).start()


def observe() -> Callable[[], None]:
    observer = Observer()
    observer.attach()
    return observer.detach


async def main() -> None:
    result = {
        "snapshot": await look_at_many(TASKS),
        "watchdog": await compare(watch),
        "attached": await compare(observe),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    trio.run(main)
