"""A snapshot as plain text, for scripts and for eyes without a terminal."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from .api.loop import Ended, Loop, Stall, Warning
from .api.messages import Snapshot
from .api.parts import Actors, Backend, Conversations, Failure, Sockets, Supervised
from .api.tasks import Nursery, Place, Scope, Task, TaskTree

_INDENT: Final = "  "


def plain(snapshot: Snapshot) -> str:
    """All of it, the warnings first."""
    return "\n".join(_lines(snapshot)) + "\n"


def seconds(value: float | None) -> str:
    """`1.5 s`, `12 ms`, `80 µs`; `-` for None."""
    if value is None:
        return "-"
    if value >= 1:
        return f"{value:.3g} s" if value < 1000 else f"{value:.0f} s"
    return f"{value * 1e3:.3g} ms" if value >= 0.001 else f"{value * 1e6:.0f} µs"


def place(at: Place | None) -> str:
    """`path:line function`, the path relative to the working directory where it is below it."""
    if at is None:
        return "-"
    path = Path(at.file)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{shown}:{at.line} {at.function}"


def _lines(snapshot: Snapshot) -> Iterator[str]:
    node = snapshot.node
    at = datetime.fromtimestamp(snapshot.at, UTC).isoformat(timespec="milliseconds")
    yield f"process {node.pid}, stackmentor {node.version}, {node.url}, at {at}"
    if snapshot.loop is not None and snapshot.loop.blocked is not None:
        yield from ("", "THE EVENT LOOP IS BLOCKED")
        yield from _stall(snapshot.loop.blocked)
    if snapshot.warnings is not None:
        yield from _part("warnings", _warnings(snapshot.warnings))
    if snapshot.loop is not None:
        yield from _part("event loop", _loop(snapshot.loop))
    if snapshot.supervision is not None:
        yield from _part("supervision", _supervision(snapshot.supervision))
    if snapshot.tasks is not None:
        yield from _part(f"tasks ({snapshot.tasks.total})", _tasks(snapshot.tasks))
    if snapshot.actors is not None:
        yield from _part(f"actors ({snapshot.actors.total})", _actors(snapshot.actors))
    if snapshot.conversations is not None:
        yield from _part(f"conversations ({snapshot.conversations.total})", _conversations(snapshot.conversations))
    if snapshot.sockets is not None:
        yield from _part(f"sockets ({snapshot.sockets.total})", _sockets(snapshot.sockets))
    if snapshot.backends is not None:
        yield from _part("store and bridge", _backends(snapshot.backends))
    if snapshot.ended is not None:
        yield from _part("recently ended", _ended(snapshot.ended))


def _part(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield from ("", title)
    empty = True
    for line in lines:
        empty = False
        yield _INDENT + line
    if empty:
        yield _INDENT + "none"


def _warnings(warnings: list[Warning]) -> Iterator[str]:
    for each in warnings:
        yield f"{each.code}: {each.subject}: {each.says}"
        if each.where is not None:
            yield f"{_INDENT}at {place(each.where)}"


def _loop(loop: Loop) -> Iterator[str]:
    lag = f"{seconds(loop.lag)}, p99 {seconds(loop.lag_p99)}, at most {seconds(loop.lag_max)} in the last minute"
    yield f"lag {lag}; {loop.tasks} tasks"
    for stall in loop.stalls[:5]:
        yield from _stall(stall)
    for step in loop.longest[:5]:
        yield f"step of {seconds(step.lasted)}: {step.task}, up to {place(step.where)}"


def _stall(stall: Stall) -> Iterator[str]:
    began = datetime.fromtimestamp(stall.at, UTC).isoformat(timespec="milliseconds")
    yield f"{stall.cause} of {seconds(stall.lasted)} from {began}: {stall.task or '?'} at {place(stall.where)}"
    for call in stall.stack[-8:]:
        yield f"{_INDENT}{place(call)}"


def _supervision(rows: list[Supervised]) -> Iterator[str]:
    for row in rows:
        about = [row.role, row.state]
        if row.restarts:
            about.append(f"{row.restarts} restarts")
        if row.max_restarts is not None:
            about.append(f"{row.strategy}, {row.intensity_left} of {row.max_restarts} left in {row.within:g} s")
        if row.live is not None:
            about.append(f"{row.live} live")
        yield f"{_INDENT * row.depth}{row.name}: {', '.join(about)}"
        if row.last_error is not None:
            for line in _failure(row.last_error):
                yield _INDENT * (row.depth + 1) + line


def _failure(failure: Failure) -> Iterator[str]:
    yield f"{failure.type}: {failure.message} at {place(failure.where)}"
    for inner in failure.inner:
        for line in _failure(inner):
            yield _INDENT + line


def _tasks(tree: TaskTree) -> Iterator[str]:
    for row in tree.rows:
        indent = _INDENT * row.depth
        if isinstance(row, Task):
            yield indent + _task(row)
            continue
        yield indent + _nursery(row)
        for group in row.more:
            yield f"{indent}{_INDENT}… {group.count} of {group.name}: {group.state} at {place(group.where)}"
    if tree.truncated:
        yield "… and more than fits: --root ID shows one part"


def _task(task: Task) -> str:
    since = ""
    if task.since is not None:
        since = f" for {'more than ' if task.at_least else ''}{seconds(task.since)}"
    trap = f" in {task.trap}" if task.trap else ""
    scopes = "".join(f" [{about}]" for about in map(_scope, task.scopes) if about)
    return f"{task.id} {task.name}: {task.state}{since}{trap} at {place(task.where)}{scopes}"


def _nursery(nursery: Nursery) -> str:
    about = _scope(nursery.scope)
    return f"nursery {nursery.id} of {nursery.children}" + (f" [{about}]" if about else "")


def _scope(scope: Scope) -> str:
    about = [] if scope.deadline is None else [f"deadline in {seconds(scope.deadline)}"]
    if scope.shielded:
        about.append("shielded")
    if scope.cancelled:
        about.append("cancelled")
    return ", ".join(about)


def _actors(actors: Actors) -> Iterator[str]:
    for each in actors.listed:
        yield (
            f"{each.name}: {each.state}, {each.depth} of {each.capacity} wait, oldest {seconds(each.oldest_age)},"
            f" {each.handled} handled"
            + ("" if each.rate is None else f" ({each.rate:.3g}/s)")
            + f", p50 {seconds(each.p50)}, p99 {seconds(each.p99)}, {each.refused} refused, {each.dropped} dropped"
            + f" (full: {each.full}), {each.restarts} restarts"
        )


def _conversations(conversations: Conversations) -> Iterator[str]:
    for each in conversations.listed:
        lag = "unknown" if each.lag is None else str(each.lag)
        yield (
            f"{each.id}: seq {each.seq}, rev {each.rev}, behind the database {lag}, {each.members} members,"
            f" {each.subscribers} subscribers, read {each.read}, delivered {each.delivered}"
            + (f", typing: {', '.join(each.typists)}" if each.typists else "")
        )


def _sockets(sockets: Sockets) -> Iterator[str]:
    for each in sockets.listed:
        yield (
            f"{each.id} {each.user or 'before CONNECT'}: {each.queued} of {each.limit} bytes wait (at most"
            f" {each.high_water}), {each.dropped} dropped, {each.subscriptions} subscriptions,"
            f" {each.sends_in_flight} in flight, silent for {seconds(each.silent)}"
            f" of {seconds(each.allowed)} ({each.heartbeat}), by {each.transport}"
            + (f", late in {each.late} looks" if each.late else "")
        )


def _backends(backends: list[Backend]) -> Iterator[str]:
    for each in backends:
        counts = ", ".join(f"{name} {value:g}" for name, value in each.figures.items())
        error = f" ({each.error})" if each.error else ""
        yield (
            f"{each.name}: {each.status}{error} for {seconds(each.since)},"
            f" round trip {seconds(each.round_trip)}, {counts}"
        )


def _ended(ended: list[Ended]) -> Iterator[str]:
    for each in ended:
        at = datetime.fromtimestamp(each.at, UTC).isoformat(timespec="milliseconds")
        yield f"{at} {each.kind} {each.name}: {each.why}"
        if each.failure is not None:
            for line in _failure(each.failure):
                yield _INDENT + line
