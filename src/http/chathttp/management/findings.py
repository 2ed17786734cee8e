"""The warnings: what is wrong with a node, found without being asked for it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Final
from weakref import WeakKeyDictionary

import trio
from msgspec import structs
from trio.lowlevel import Task

from actors.runtime.snapshot import ActorState
from chatconsole.api.loop import Stall, Warning
from chatconsole.api.parts import Actors, Conversations, Failure, Sockets, Supervised
from chatconsole.api.tasks import Place
from chathttp.management import trio_inside
from chathttp.management.observer import Growth, Observer
from chathttp.management.places import is_library, where
from chathttp.management.slices import Budget, Looking
from chathttp.management.tree import common_name, nursery_id, where_opened

STALL_REMEMBERED: Final = 60.0
"""Seconds for which a stall that is over is warned of."""
AGED: Final = 1.0
"""Seconds that a message may wait in a mailbox, or a batch take."""
GROWN: Final = 64
"""Children that a nursery may get and not lose while somebody watches."""
GROWING_SECONDS: Final = 2
"""In how many different seconds it must have got some."""
LATE_LOOKS: Final = 3
BEHIND: Final = 100
"""Revisions that a conversation may be behind the database."""
SHIELDS_TOLD: Final = 20
_STEP: Final = 32
_OWNED: Final = ("/actors/runtime/", "/actors/bridge/actor.py", "/actors/adapters/postgres/writer.py")
"""Where shields have no deadline knowingly: whoever opens them always cancels them himself."""
_places: Final[WeakKeyDictionary[trio.CancelScope, Place | None]] = WeakKeyDictionary()
_OF_ACTORS: Final = ("ageing-mailbox", "behind-database")
_CRASH_LOOPS: Final = (ActorState.BACKOFF.value, ActorState.QUARANTINED.value)


def of_loop(blocked: Stall | None, stalls: Sequence[Stall]) -> Iterator[Warning]:
    if blocked is not None:
        yield Warning(
            "loop-blocked",
            blocked.task or "the loop",
            f"blocked for {blocked.lasted:.3g} s",
            blocked.where,
            blocked.lasted,
        )
    now = time.time()
    for stall in stalls:
        ago = max(0.0, now - stall.at - stall.lasted)
        if ago <= STALL_REMEMBERED:
            says = {
                "step": f"no checkpoint for {stall.lasted:.3g} s, {ago:.0f} s ago",
                "turn": f"one turn of the loop took {stall.lasted:.3g} s, {ago:.0f} s ago",
            }.get(stall.cause, f"the process was not let run for {stall.lasted:.3g} s, {ago:.0f} s ago")
            code = "no-checkpoint" if stall.cause == "step" else f"slow-{stall.cause}"
            yield Warning(code, stall.task or "the loop", says, stall.where, stall.lasted)


def of_supervision(rows: Sequence[Supervised]) -> Iterator[Warning]:
    for at, row in enumerate(rows):
        left, most = row.intensity_left, row.max_restarts
        if left is not None and most and left * 3 <= most:
            failed = _last_failure(rows[at + 1 :], row.depth)
            says = f"{left} of {most} restarts left within {row.within:g} s"
            if failed is not None:
                says += f"; {failed[0]} fails with {_brief(failed[1])}"
            yield Warning("near-escalation", row.name, says, None if failed is None else failed[1].where, None)
        if row.role == "actor" and row.state in _CRASH_LOOPS and row.restarts:
            error = row.last_error
            says = f"{row.state} after {row.restarts} restarts" + (f": {_brief(error)}" if error else "")
            yield Warning("crash-loop", row.name, says, None if error is None else error.where, None)


def of_actors(actors: Actors) -> Iterator[Warning]:
    for actor in actors.listed:
        if actor.oldest_age >= AGED or (actor.busy_for or 0.0) >= AGED:
            says = f"{actor.depth} of {actor.capacity} wait, the oldest for {actor.oldest_age:.3g} s"
            if actor.busy_for is not None:
                says += f"; at what it took for {actor.busy_for:.3g} s"
            yield Warning("ageing-mailbox", actor.name, says, None, actor.oldest_age)


def of_conversations(conversations: Conversations) -> Iterator[Warning]:
    for each in conversations.listed:
        if each.lag is not None and each.lag > BEHIND:
            says = f"{each.lag} revisions behind the database"
            yield Warning("behind-database", f"conversations/{each.id}", says, None, None)


def of_sockets(sockets: Sockets) -> Iterator[Warning]:
    for socket in sockets.listed:
        if socket.queued * 2 > socket.limit or socket.late >= LATE_LOOKS:
            says = f"{socket.queued} of {socket.limit} bytes wait for a client that reads too slowly"
            if socket.late >= LATE_LOOKS:
                says += f", in {socket.late} looks in a row"
            yield Warning("slow-consumer", f"{socket.id} {socket.user or ''}".strip(), says, None, None)


def of_nurseries(observer: Observer) -> Iterator[Warning]:
    now = perf_counter()
    for nursery, growth in list(observer.growth.items()):
        if _grows(growth, now):
            parent = nursery.parent_task
            newest = growth.newest
            code = None if newest is None else getattr(newest.coro, "cr_code", None)
            child = "?" if newest is None else common_name(newest.name)
            begins = "" if code is None else f" ({code.co_filename}:{code.co_firstlineno})"
            says = (
                f"nursery {nursery_id(nursery)} has {len(nursery.child_tasks)} tasks, {growth.spawned} came and"
                f" {growth.exited} went in {now - growth.since:.0f} s; the newest: {child}{begins}"
            )
            yield Warning("growing-nursery", parent.name, says, where_opened(parent, nursery), now - growth.since)


def _grows(growth: Growth, now: float) -> bool:
    return (
        growth.spawned - growth.exited >= GROWN
        and growth.exited * 20 <= growth.spawned
        and len(growth.seconds) > GROWING_SECONDS
        and now - growth.last < AGED
    )


def endless_shields(root: Task, budget: Budget) -> Looking[list[Warning]]:
    """Shields without a deadline: what is in them hears of no cancellation, for as long as it likes."""
    found: list[Warning] = []
    for number, task in enumerate(trio_inside.all_tasks(root)):
        if budget.over or len(found) >= SHIELDS_TOLD:
            break
        nurseries = [nursery.cancel_scope for nursery in task.child_nurseries]
        for scope in filter(trio_inside.is_endless_shield, [*trio_inside.own_scopes(task), *nurseries]):
            yield
            place = _opened(task, scope)
            if place is not None and _is_ours(place):
                says = "a shield without a deadline: it cannot be cancelled"
                if trio_inside.is_cancelled_outside(scope):
                    says += ", and holds up a cancellation now"
                found.append(Warning("endless-shield", task.name, says, place, None))
        if number % _STEP == 0:
            yield
    return found


def placed(root: Task, warnings: Sequence[Warning], budget: Budget) -> Looking[list[Warning]]:
    """The same; those about an actor or a socket with the line that its task is at."""
    wanted = {name for warning in warnings for name in _tasks_of(warning)}
    if not wanted:
        return list(warnings)
    places: dict[str, Place | None] = {}
    for number, task in enumerate(trio_inside.all_tasks(root)):
        if budget.over or len(places) == len(wanted):
            break
        if task.name in wanted:
            places[task.name] = where(task)[0]
        if number % _STEP == 0:
            yield
    return [_placed(each, places) for each in warnings]


def _tasks_of(warning: Warning) -> tuple[str, ...]:
    """The names of the tasks that it is about, the first that is there counts."""
    if warning.code in _OF_ACTORS:
        return (warning.subject,)
    if warning.code == "slow-consumer":
        socket = warning.subject.split()[0]
        return (f"writer {socket}", f"connection {socket}")
    return ()


def _placed(warning: Warning, places: Mapping[str, Place | None]) -> Warning:
    found = next((name for name in _tasks_of(warning) if name in places), None)
    return warning if found is None else structs.replace(warning, where=places[found])


def _opened(task: Task, scope: trio.CancelScope) -> Place | None:
    """To look a stack through takes a millisecond, and a scope is opened once."""
    if scope not in _places:
        _places[scope] = where_opened(task, scope)
    return _places[scope]


def _is_ours(place: Place) -> bool:
    return not is_library(place) and not any(owner in place.file for owner in _OWNED)


def _last_failure(rows: Sequence[Supervised], depth: int) -> tuple[str, Failure] | None:
    """The child with the most restarts of those that failed."""
    children: list[Supervised] = []
    for row in rows:
        if row.depth <= depth:
            break
        if row.depth == depth + 1 and row.last_error is not None:
            children.append(row)
    worst = max(children, key=lambda row: row.restarts, default=None)
    return None if worst is None or worst.last_error is None else (worst.name, worst.last_error)


def _brief(error: Failure) -> str:
    return f"{error.type}: {error.message}"[:200]
