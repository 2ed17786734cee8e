"""Whole snapshots: in the node's loop in slices, or beside it while it is blocked."""

import os
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Final

import trio
from attrs import frozen
from trio.lowlevel import Task

from chatconsole.api import messages as api
from chatconsole.api.loop import Loop, Stall, Warning
from chatconsole.api.messages import Section, View
from chatconsole.api.tasks import TaskTree
from chathttp.management import findings
from chathttp.management.actions import NAMES
from chathttp.management.observer import Observer
from chathttp.management.slices import Budget
from chathttp.management.sources import Sources
from chathttp.management.supervision import actors, supervision
from chathttp.management.traffic import Names, SocketsLook, conversations
from chathttp.management.tree import TreeLook
from chathttp.management.watchdog import Watchdog

MOST_ROWS: Final = 2000
"""Of one section of a snapshot."""


@frozen
class Limits:
    """Seconds: how long one snapshot may work, and how long it may hold the loop at a time."""

    budget: float = 1.0
    slice: float = 0.002


@frozen
class LoopFacts:
    """The loop that is looked at, as other threads may know it. `clock` is Trio's."""

    root: Task
    thread: int
    clock: Callable[[], float]


class Inspector:
    """Makes the snapshots of one node."""

    def __init__(
        self,
        sources: Sources,
        observer: Observer,
        watchdog: Watchdog,
        *,
        url: str,
        read_only: bool,
        repl: bool,
        names: Names,
        limits: Limits | None = None,
    ) -> None:
        self._sources = sources
        self._observer = observer
        self._watchdog = watchdog
        self._url = url
        self._read_only = read_only
        self._repl = repl
        self._names = names
        self._limits = limits or Limits()
        self._started = time.time()

    async def look(self, view: View) -> api.Snapshot:
        """In the node's loop."""
        began = time.perf_counter()
        budget = Budget(self._limits.budget, self._limits.slice)
        now = trio.current_time()
        root = trio.lowlevel.current_root_task()
        assert root is not None
        wants, sources, observer = view.wants, self._sources, self._observer
        warned = wants(Section.WARNINGS)
        snapshot: dict[str, object] = {}
        warnings: list[Warning] = []
        if wants(Section.LOOP) or warned:
            loop = self._loop(trio.lowlevel.current_statistics().tasks_living, None)
            snapshot["loop"] = loop
            warnings += findings.of_loop(None, loop.stalls)
        if wants(Section.TASKS):
            snapshot["tasks"] = await budget.run(TreeLook(root, view, observer.since, now, budget).look())
        if wants(Section.SUPERVISION) or warned:
            rows = supervision(sources.supervision(), view.limit)
            snapshot["supervision"] = rows
            warnings += findings.of_supervision(rows)
        if wants(Section.ACTORS) or warned:
            told = await budget.run(actors(sources, observer, view, trio.current_time()))
            snapshot["actors"] = told
            warnings += findings.of_actors(told)
        if wants(Section.CONVERSATIONS) or warned:
            rooms = await conversations(sources, view, self._names, budget)
            snapshot["conversations"] = rooms
            warnings += findings.of_conversations(rooms)
        if wants(Section.SOCKETS) or warned:
            sockets = await budget.run(SocketsLook(sources, observer, view, self._names, now).look())
            snapshot["sockets"] = sockets
            warnings += findings.of_sockets(sockets)
        if wants(Section.BACKENDS):
            snapshot["backends"] = list(await sources.backends())
        if wants(Section.ENDED):
            snapshot["ended"] = list(observer.ended)[::-1][: view.limit]
        if warned:
            warnings += findings.of_nurseries(observer)
            warnings += await budget.run(findings.endless_shields(root, budget))
            snapshot["warnings"] = await budget.run(findings.placed(root, warnings[: view.limit], budget))
        return self._snapshot(view, snapshot, time.perf_counter() - began, budget.pause)

    def look_beside(self, view: View, facts: LoopFacts) -> api.Snapshot:
        """From another thread, while the loop is blocked: what is known without it."""
        began = time.perf_counter()
        blocked = self._watchdog.look_now(facts.thread)
        loop = self._loop(0, blocked)
        snapshot: dict[str, object] = {"loop": loop}
        if view.wants(Section.TASKS):
            snapshot["tasks"] = self._tree_beside(view, facts)
        if view.wants(Section.ENDED):
            snapshot["ended"] = list(self._observer.ended)[::-1][: view.limit]
        if view.wants(Section.WARNINGS):
            snapshot["warnings"] = list(findings.of_loop(blocked, loop.stalls))
        return self._snapshot(view, snapshot, time.perf_counter() - began, 0.0, loop=True)

    def _tree_beside(self, view: View, facts: LoopFacts) -> TaskTree | None:
        """None when the one step that runs changes the tree faster than it can be looked at."""
        for _ in range(3):
            budget = Budget(self._limits.budget, self._limits.slice)
            try:
                return budget.run_beside(TreeLook(facts.root, view, self._observer.since, facts.clock(), budget).look())
            except RuntimeError:
                continue
        return None

    def _loop(self, tasks: int, blocked: Stall | None) -> Loop:
        return Loop(
            *self._watchdog.lag,
            tasks=tasks,
            blocked=blocked,
            stalls=self._watchdog.stalls,
            longest=self._observer.longest,
        )

    def _snapshot(
        self, view: View, made: dict[str, object], took: float, pause: float, *, loop: bool = False
    ) -> api.Snapshot:
        """Of what was made, what is wanted."""
        wanted = {name: part for name, part in made.items() if view.wants(Section(name)) or (loop and name == "loop")}
        node = api.Node(
            os.getpid(),
            version("stackmentor-chat"),
            self._url,
            self._started,
            self._read_only,
            self._observer.watchers,
            [] if self._read_only else list(NAMES),
            self._repl,
        )
        return api.Snapshot(api.VERSION, time.time(), took, pause, node, **wanted)  # pyright: ignore[reportArgumentType]  # each is its section's


def bounded(view: View) -> View:
    """With the number of rows within what is allowed."""
    return View(
        view.sections,
        view.root,
        max(0, view.skip),
        max(0, min(view.fan, MOST_ROWS)),
        max(1, min(view.limit, MOST_ROWS)),
        view.reveal,
        view.grep,
        view.steps,
    )
