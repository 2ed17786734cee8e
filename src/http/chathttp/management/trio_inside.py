"""The one place that knows Trio's inside (0.35, pinned exactly): what of a task no public interface tells.

Nothing here changes anything, and all may be called from another thread while the loop stands still.
"""

# pyright: reportPrivateUsage=false
# Trio tells no scopes, no run queue and no outcome of a task; its own debugging tools read the same attributes.

from collections.abc import Callable, Iterator
from math import inf
from typing import Any

import trio
from trio._core._run_context import GLOBAL_RUN_CONTEXT
from trio.lowlevel import Task

from chatconsole.api.tasks import Scope, TaskState


def number_of(task: Task) -> int:
    """Unlike its address it never comes again."""
    return task._counter


def state_of(task: Task) -> TaskState:
    if getattr(task.coro, "cr_running", False):
        return TaskState.RUNNING
    return TaskState.RUNNABLE if task._next_send_fn is not None else TaskState.BLOCKED


def is_running(task: Task) -> bool:
    return bool(getattr(task.coro, "cr_running", False))


def running_task() -> Callable[[], Task | None]:
    """Called in the loop; gives what tells, in any thread, whose step runs there now."""
    # Of a `threading.local` each thread has a dictionary of its own, which is its owner's to read only by custom.
    context: dict[str, Any] = vars(GLOBAL_RUN_CONTEXT)
    return lambda: context.get("task")


def steps_of(task: Task) -> int:
    """How often it has been let run."""
    return task._schedule_points


def own_scopes(task: Task) -> list[trio.CancelScope]:
    """The scopes that the task is in and has opened itself, outermost first, without those of its nurseries."""
    nurseries = {id(nursery.cancel_scope) for nursery in task.child_nurseries}
    outer = None if task.parent_nursery is None else task.parent_nursery._cancel_status
    status = task._cancel_status
    found: list[trio.CancelScope] = []
    while status is not None and status is not outer:
        if id(status._scope) not in nurseries:
            found.append(status._scope)
        status = status._parent
    found.reverse()
    return found


def tell_scope(scope: trio.CancelScope, now: float) -> Scope:
    # `cancel_called` would cancel a scope whose deadline has just passed.
    deadline = None if scope.deadline == inf else round(scope.deadline - now, 3)
    return Scope(deadline, scope.shield, scope._cancel_called)


def is_endless_shield(scope: trio.CancelScope) -> bool:
    return scope.shield and scope.deadline == inf and not scope._cancel_called


def is_cancelled_outside(scope: trio.CancelScope) -> bool:
    """What is around it was cancelled."""
    status = scope._cancel_status
    return status is not None and status._parent is not None and status._parent.effectively_cancelled


def outcome_of(task: Task) -> BaseException | None:
    """What a task that has just exited failed with, for as long as its nursery holds it; None for a return."""
    nursery = task.parent_nursery
    code = getattr(task.coro, "cr_code", None)
    for error in reversed(() if nursery is None else nursery._pending_excs):
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code is code:
                return error
            trace = trace.tb_next
    return None


def all_tasks(root: Task) -> Iterator[Task]:
    """`root` and all below it, in no order that means anything."""
    waiting = [root]
    while waiting:
        task = waiting.pop()
        yield task
        for nursery in task.child_nurseries:
            waiting.extend(nursery.child_tasks)
