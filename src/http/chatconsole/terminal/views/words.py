"""How things are put in words by several views."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from chatconsole.api.loop import Stall
from chatconsole.api.parts import Failure
from chatconsole.api.tasks import Scope
from chatconsole.plain import place, seconds


def clock(at: float) -> str:
    """The time of day, by this machine's zone, of seconds since 1970."""
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")


def size(count: float) -> str:
    """`812 B`, `1.5 MB`."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def counted(count: int, of: str) -> str:
    """`no row`, `1 row`, `2 rows`."""
    return f"no {of}" if not count else f"1 {of}" if count == 1 else f"{count} {of}s"


def scope(told: Scope) -> str:
    """`deadline in 2 s, shielded, cancelled`; nothing for one that is plain."""
    about: list[str] = []
    if told.deadline is not None:
        about.append(f"deadline in {seconds(told.deadline)}" if told.deadline > 0 else "deadline over")
    if told.shielded:
        about.append("shielded")
    if told.cancelled:
        about.append("cancelled")
    return ", ".join(about)


def failure(told: Failure, depth: int = 0) -> Iterator[str]:
    """An exception with its stack, its members and its cause."""
    indent = "  " * depth
    yield f"{indent}{told.type}: {told.message}"
    if told.where is not None:
        yield f"{indent}at {place(told.where)}"
    for call in told.stack:
        yield f"{indent}  {place(call)}"
    for inner in told.inner:
        yield from failure(inner, depth + 1)
    if told.cause is not None:
        yield f"{indent}because of"
        yield from failure(told.cause, depth + 1)


def stall(told: Stall) -> Iterator[str]:
    yield f"{told.cause} of {seconds(told.lasted)} from {clock(told.at)}: {told.task or '?'}"
    yield f"at {place(told.where)}"
    for call in told.stack:
        yield f"  {place(call)}"


def text(lines: Iterable[str]) -> str:
    return "\n".join(lines)
