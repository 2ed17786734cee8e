"""The live tree of tasks, nurseries and cancel scopes."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

import stackscope
import trio
from trio.lowlevel import Task

from chatconsole.api import tasks as api
from chatconsole.api.messages import View
from chathttp.management import trio_inside
from chathttp.management.places import Place, place_of, where
from chathttp.management.slices import Budget, Looking

_STEP: Final = 32
"""Tasks looked at between two chances to stop."""
_LEAVES: Final = 1 << 62
"""More than tasks are ever numbered to."""
_IDS: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+")

Since = Callable[[Task], tuple[float, bool] | None]
"""How long a task has been blocked, and whether that is only a lower bound; None when nobody watches."""


def task_id(task: Task) -> str:
    return f"t{trio_inside.number_of(task)}"


def nursery_id(nursery: trio.Nursery) -> str:
    return f"n{id(nursery):x}"


def common_name(name: str) -> str:
    """The name with its ids left out, which tasks of one kind have in common."""
    return _IDS.sub("*", name)


def find_task(root: Task, wanted: str) -> Task | None:
    return next((task for task in trio_inside.all_tasks(root) if task_id(task) == wanted), None)


class TreeLook:
    """One look at the tree below `root`, `now` being on Trio's clock."""

    def __init__(self, root: Task, view: View, since: Since, now: float, budget: Budget) -> None:
        self._root = root
        self._view = view
        self._since = since
        self._now = now
        self._budget = budget
        self._rows: list[api.Task | api.Nursery] = []
        self._seen = 0
        self._truncated = False

    def look(self) -> Looking[api.TaskTree]:
        wanted = self._view.root
        if wanted is None:
            yield from self._task(self._root, 0)
        else:
            yield from self._part(wanted)
        return api.TaskTree(self._seen, self._truncated, self._rows)

    def _part(self, wanted: str) -> Looking[None]:
        for number, task in enumerate(trio_inside.all_tasks(self._root)):
            if task_id(task) == wanted:
                yield from self._task(task, 0)
                return
            for nursery in task.child_nurseries:
                if nursery_id(nursery) == wanted:
                    yield from self._nursery(nursery, 0, self._view.skip)
                    return
            if number % _STEP == 0:
                yield

    def _task(self, task: Task, depth: int) -> Looking[None]:
        self._seen += 1
        if len(self._rows) >= self._view.limit or self._budget.over:
            self._truncated = True
            return
        place, trap = where(task)
        state = trio_inside.state_of(task)
        blocked = self._since(task) if state is api.TaskState.BLOCKED else None
        self._rows.append(
            api.Task(
                id=task_id(task),
                depth=depth,
                name=task.name,
                state=state,
                where=place,
                trap=trap,
                since=None if blocked is None else round(blocked[0], 4),
                at_least=blocked is not None and blocked[1],
                scopes=[trio_inside.tell_scope(scope, self._now) for scope in trio_inside.own_scopes(task)],
            )
        )
        if self._seen % _STEP == 0:
            yield
        for nursery in task.child_nurseries:
            yield from self._nursery(nursery, depth + 1, 0)

    def _nursery(self, nursery: trio.Nursery, depth: int, skip: int) -> Looking[None]:
        children = yield from _in_order(nursery)
        listed = children[skip : skip + self._view.fan]
        others = children[:skip] + children[skip + self._view.fan :]
        scope = trio_inside.tell_scope(nursery.cancel_scope, self._now)
        at = len(self._rows)
        self._rows.append(api.Nursery(nursery_id(nursery), depth, len(children), scope, []))
        for task in listed:
            yield from self._task(task, depth + 1)
        if others:
            more = yield from self._groups(others)
            self._rows[at] = api.Nursery(nursery_id(nursery), depth, len(children), scope, more)

    def _groups(self, tasks: Sequence[Task]) -> Looking[list[api.Group]]:
        counts: Counter[tuple[str, api.TaskState, Place | None]] = Counter()
        for number, task in enumerate(tasks):
            if self._budget.over:
                self._truncated = True
                break
            self._seen += 1
            counts[common_name(task.name), trio_inside.state_of(task), where(task)[0]] += 1
            for nursery in task.child_nurseries:
                self._seen += len(nursery.child_tasks)
            if number % _STEP == 0:
                yield
        return [api.Group(*key, count) for key, count in counts.most_common(self._view.fan)]


def _in_order(nursery: trio.Nursery) -> Looking[list[Task]]:
    """The children, those first that have tasks below them: they are the structure, the others its leaves."""
    by_rank: dict[int, Task] = {}
    for count, task in enumerate(nursery.child_tasks, 1):
        by_rank[trio_inside.number_of(task) + (0 if task.child_nurseries else _LEAVES)] = task
        if count % _STEP == 0:
            yield
    return [by_rank[rank] for rank in sorted(by_rank)]


def stack(task: Task) -> api.Stack:
    """The whole stack of `task`, the context managers open in each call included, by stackscope."""
    found = stackscope.extract(task, recurse_child_tasks=False)
    frames = [
        api.StackFrame(
            place=place_of(frame.pyframe, frame.lineno),
            code=frame.linetext,
            contexts=[
                f"line {context.start_line}: {context.description or type(context.obj).__name__}"
                for context in frame.contexts
            ],
            hidden=frame.hide,
        )
        for frame in islice(found.frames, 200)
    ]
    return api.Stack(task_id(task), task.name, frames, str(found))


def where_opened(task: Task, manager: object) -> Place | None:
    """Where `task` opened a cancel scope or nursery that it is in."""
    for frame in stackscope.extract(task, recurse_child_tasks=False).frames:
        for context in frame.contexts:
            if context.obj is manager and context.start_line:
                return place_of(frame.pyframe, context.start_line)
    return None
