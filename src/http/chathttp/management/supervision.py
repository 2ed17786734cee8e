"""The supervision tree and the actors, as the console shows them."""

from collections.abc import Iterator

from actors.runtime.snapshot import ActorSnapshot, ActorState, ChildSnapshot, DynamicSnapshot, SupervisorSnapshot
from chatconsole.api.messages import View
from chatconsole.api.parts import Actor, Actors, Failure, Supervised
from chathttp.management.observer import Observer
from chathttp.management.places import failure
from chathttp.management.slices import Looking
from chathttp.management.sources import Sources

FULL_CONVERSATION = "refuse as OVERLOADED"
_STEP = 64
_TROUBLE = (ActorState.BACKOFF, ActorState.QUARANTINED, ActorState.CRASHED, ActorState.STOPPING)


def supervision(root: SupervisorSnapshot, limit: int) -> list[Supervised]:
    """At most `limit` rows, those of supervisors' children before those of actors."""
    return list(_supervisor(root, 0))[:limit]


def _error(snapshot: ActorSnapshot) -> Failure | None:
    return None if snapshot.error is None else failure(snapshot.error)


def _supervisor(told: SupervisorSnapshot, depth: int) -> Iterator[Supervised]:
    yield Supervised(
        depth=depth,
        name=told.name,
        role="supervisor",
        state=ActorState.RUNNING.value,
        restarts=told.restarts,
        strategy=told.strategy,
        intensity_left=told.intensity_left,
        max_restarts=told.max_restarts,
        within=told.within,
    )
    for child in told.children:
        yield from _child(child, depth + 1)


def _child(told: ChildSnapshot, depth: int) -> Iterator[Supervised]:
    child, inside = told.child, told.inside
    dynamic = isinstance(inside, DynamicSnapshot)
    yield Supervised(
        depth=depth,
        name=child.name,
        role="actors" if dynamic else "child",
        state=child.state.value,
        restarts=child.restarts,
        live=inside.live if isinstance(inside, DynamicSnapshot) else None,
        last_error=_error(child),
    )
    if isinstance(inside, SupervisorSnapshot):
        yield from _supervisor(inside, depth + 1)
    elif isinstance(inside, DynamicSnapshot):
        for each in inside.actors:
            if each.state in _TROUBLE or each.restarts:
                yield _actor_row(each, depth + 1)


def _actor_row(told: ActorSnapshot, depth: int) -> Supervised:
    return Supervised(depth, told.name, "actor", told.state.value, told.restarts, last_error=_error(told))


def actors(sources: Sources, observer: Observer, view: View, now: float) -> Looking[Actors]:
    """`now` is on Trio's clock."""
    dynamic = yield from sources.actors.dynamic(view.limit)
    singles = sources.actors.singles()
    listed = [_actor(told, full, dropped, observer, now) for told, full, dropped in singles if view.grep in told.name]
    yield
    for number, told in enumerate(dynamic.actors):
        if view.grep in told.name:
            listed.append(_actor(told, FULL_CONVERSATION, 0, observer, now))
        if number % _STEP == 0:
            yield
    listed.sort(key=lambda actor: (actor.oldest_age, actor.depth), reverse=True)
    return Actors(len(singles) + dynamic.live, listed[: view.limit])


def _actor(told: ActorSnapshot, full: str, dropped: int, observer: Observer, now: float) -> Actor:
    spans = observer.spans(told.name)
    return Actor(
        name=told.name,
        state=told.state.value,
        depth=told.mailbox_depth,
        capacity=told.mailbox_capacity,
        oldest_age=round(told.oldest_age, 4),
        busy_for=None if told.busy_since is None else round(now - told.busy_since, 4),
        handled=told.handled,
        refused=told.refused,
        dropped=dropped,
        full=full,
        restarts=told.restarts,
        rate=observer.rate(told.name, told.handled),
        p50=None if spans is None else spans[0],
        p99=None if spans is None else spans[1],
        last_error=_error(told),
    )
