"""Tasks, nurseries and cancel scopes."""

from enum import StrEnum

import msgspec


class TaskState(StrEnum):
    RUNNING = "running"
    RUNNABLE = "runnable"  # waits for its turn of the loop
    BLOCKED = "blocked"


class Place(msgspec.Struct, rename="camel", frozen=True):
    """A line of source code."""

    file: str
    line: int
    function: str


class Scope(msgspec.Struct, rename="camel", frozen=True):
    """A cancel scope. `deadline` is seconds from now, None when there is none."""

    deadline: float | None
    shielded: bool
    cancelled: bool


class Task(msgspec.Struct, rename="camel", frozen=True, tag="task", tag_field="kind"):
    """One task, with the scopes that it is in, outermost first, those of nurseries left out.

    `where` is the innermost line of the program's own code, `trap` what of Trio it waits in there. `since` tells how
    long it has been blocked; it is known while steps are timed (`View.steps`), `at_least` that from when they are on.
    """

    id: str
    depth: int
    name: str
    state: TaskState
    where: Place | None
    trap: str | None
    since: float | None
    at_least: bool
    scopes: list[Scope]


class Group(msgspec.Struct, rename="camel", frozen=True):
    """Tasks that are alike but for the ids in their names."""

    name: str
    state: TaskState
    where: Place | None
    count: int


class Nursery(msgspec.Struct, rename="camel", frozen=True, tag="nursery", tag_field="kind"):
    """A nursery of the task above it. The first of its `children` follow; the others are summed up in `more`."""

    id: str
    depth: int
    children: int
    scope: Scope
    more: list[Group]


class TaskTree(msgspec.Struct, rename="camel", frozen=True):
    """The tree in the order of its drawing: each row is inside the nearest row above it that has a lower depth.

    `truncated`: the rows, or the time for them, ran out; ask for a part of the tree by the id of its root.
    """

    total: int
    truncated: bool
    rows: list[Task | Nursery]


class StackFrame(msgspec.Struct, rename="camel", frozen=True):
    """One call, with the context managers that are open in it. `code` is its line."""

    place: Place
    code: str
    contexts: list[str]
    hidden: bool


class Stack(msgspec.Struct, rename="camel", frozen=True):
    """The whole asynchronous stack of a task, outermost call first. `text` is the same for reading."""

    task: str
    name: str
    frames: list[StackFrame]
    text: str
