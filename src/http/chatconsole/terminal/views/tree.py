"""The supervision tree, and the live tree of tasks, nurseries and cancel scopes."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from chatconsole.api.messages import Section
from chatconsole.api.parts import Supervised
from chatconsole.api.tasks import Group, Nursery, Scope, Task, TaskState, TaskTree
from chatconsole.plain import place, seconds
from chatconsole.terminal.table import Column, Kind, Level, Row, Target
from chatconsole.terminal.views import words
from chatconsole.terminal.views.spec import Choice, Known, Spec

SUPERVISION: Final = "supervision"
TASKS: Final = "tasks"
_BAD_STATES: Final = frozenset({"backoff", "quarantined", "failed"})


def rows(known: Known, choice: Choice) -> list[Row]:
    """Supervision first, unless the tree is zoomed into."""
    snapshot = known.snapshot
    if snapshot is None:
        return []
    found: list[Row] = []
    if snapshot.supervision is not None and choice.root is None:
        found.append(Row(SUPERVISION, (f"supervision ({len(snapshot.supervision)})",), Level.HEADING))
        found += _supervision(snapshot.supervision)
    if snapshot.tasks is not None:
        below = "" if choice.root is None else f", below {choice.root}"
        found.append(Row(TASKS, (f"tasks ({snapshot.tasks.total}{below})",), Level.HEADING))
        found += _tasks(snapshot.tasks)
    return found


def _supervision(listed: list[Supervised]) -> Iterator[Row]:
    path: list[str] = []
    for each in listed:
        del path[each.depth :]
        path.append(each.name)
        is_bad = each.state in _BAD_STATES
        level = Level.BAD if is_bad else Level.WARNING if each.last_error is not None else Level.PLAIN
        detail = None if each.last_error is None else partial(_error_of, each)
        about = [each.role]
        if each.restarts:
            about.append(f"{each.restarts} restarts")
        if each.intensity_left is not None:
            about.append(f"{each.intensity_left} of {each.max_restarts} left in {each.within:g} s")
        if each.live is not None:
            about.append(f"{each.live} live")
        if each.last_error is not None:
            about.append(f"{each.last_error.type}: {each.last_error.message}")
        target = Target(Kind.ACTOR, each.name) if each.role == "actor" else None
        cells = (each.name, each.state, "", ", ".join(about))
        yield Row(f"s:{'/'.join(path)}", cells, level, each.depth + 1, target=target, detail=detail, from_start=True)


def _error_of(each: Supervised) -> str:
    return "" if each.last_error is None else words.text([each.name, "", *words.failure(each.last_error)])


def _tasks(tree: TaskTree) -> Iterator[Row]:
    for each in tree.rows:
        if isinstance(each, Task):
            yield _task(each)
            for number, scope in enumerate(each.scopes):
                if words.scope(scope):
                    yield _scope(f"{each.id}:{number}", scope, each.depth + 2)
        else:
            yield from _nursery(each)
    if tree.truncated:
        yield Row("more", ("more than fits: z shows one part",), Level.WARNING, 1)


def _task(task: Task) -> Row:
    since = "" if task.since is None else f"{'>' if task.at_least else ''}{seconds(task.since)}"
    level = Level.WARNING if task.state is TaskState.RUNNING else Level.PLAIN
    at = f"{task.trap + ' at ' if task.trap else ''}{place(task.where)}"
    cells = (f"{task.id} {task.name}", task.state.value, since, at)
    return Row(task.id, cells, level, task.depth + 1, target=Target(Kind.TASK, task.id))


def _scope(key: str, scope: Scope, depth: int) -> Row:
    level = Level.WARNING if scope.cancelled or (scope.shielded and scope.deadline is None) else Level.DIM
    return Row(key, (f"scope: {words.scope(scope)}",), level, depth)


def _nursery(nursery: Nursery) -> Iterator[Row]:
    about = words.scope(nursery.scope)
    name = f"nursery {nursery.id} of {nursery.children}"
    state = "cancelled" if nursery.scope.cancelled else ""
    level = Level.WARNING if nursery.scope.cancelled else Level.DIM
    target = Target(Kind.NURSERY, nursery.id)
    yield Row(nursery.id, (name, state, "", about), level, nursery.depth + 1, target=target)
    for group in nursery.more:
        yield _group(nursery, group)


def _group(nursery: Nursery, group: Group) -> Row:
    key = f"{nursery.id}:{group.name}:{group.state}:{place(group.where)}"
    cells = (f"{group.count} more of {group.name}", group.state.value, "", place(group.where))
    return Row(key, cells, Level.DIM, nursery.depth + 2, target=Target(Kind.NURSERY, nursery.id))


SPEC: Final = Spec(
    "tree",
    (Section.TASKS, Section.SUPERVISION),
    (
        Column("task", 26, flex=3),
        Column("state", 8, drop=1),
        Column("for", 8, right=True, drop=2),
        Column("where", 28, flex=4, ends=True),
    ),
    rows,
    "nothing yet",
)
