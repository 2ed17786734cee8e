"""What the console costs, as it is kept and as a page shows it. Times are in seconds unless said otherwise."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from ops.bench.peers.report import DISTURBED

LOOKING: Final = {
    "nobody": "nobody attached",
    "overview": "loop, warnings, actors and sockets each second",
    "tasks": "loop and tasks each second, steps timed",
    "follow elsewhere": "following another conversation: the hooks are on, nothing is kept",
    "follow": "following every message",
}
INSTALLED: Final = {
    "nothing": "nothing",
    "nothing, again": "nothing, measured again: how much runs differ",
    "watchdog": "the watchdog, which always runs",
    "observer": "somebody attached, no steps timed",
    "clock of steps": "steps timed",
}


@frozen
class FanOut:
    """Medians of the rounds: the server's CPU a delivery, the share beside nobody's, and a delivery's time from the
    send, in milliseconds.
    """

    looking: str
    cpu: float
    share: float
    p50: float
    p99: float


@frozen
class Switch:
    """CPU of a switch of tasks, least and median of the rounds, and the share of the least beside nothing's."""

    installed: str
    least: float
    median: float
    share: float


@frozen
class Whole:
    """One snapshot of everything; `step` is the longest CPU time of one step of the loop."""

    conversations: int
    tasks: int
    took: float
    step: float


@frozen(kw_only=True)
class Cost:
    """`others` is the share of all cores that other processes had while it was measured."""

    date: str
    machine: str
    subscribers: int
    others: float
    fan_out: Sequence[FanOut]
    switches: Sequence[Switch]
    snapshot: Whole


def markdown(cost: Cost) -> str:
    busy = f" A busy machine: others had {cost.others:.0%} of the cores." if cost.others > DISTURBED else ""
    whole = cost.snapshot
    lines = [
        f"{cost.date}, {cost.machine}.{busy}",
        "",
        f"| a fan-out to {cost.subscribers:,}, one message at a time | server CPU a delivery | more | p50 | p99 |",
        "|---|--:|--:|--:|--:|",
        *(
            f"| {LOOKING[each.looking]} | {each.cpu * 1e6:.2f} µs | {_more(each.share)} | {each.p50:.1f} ms"
            f" | {each.p99:.1f} ms |"
            for each in cost.fan_out
        ),
        "",
        "| a switch of tasks | CPU | more |",
        "|---|--:|--:|",
        *(
            f"| {INSTALLED[each.installed]} | {each.least * 1e6:.2f} µs | {_more(each.share)} |"
            for each in cost.switches
        ),
        "",
        f"A snapshot of all of {whole.conversations:,} conversations and {whole.tasks:,} tasks takes"
        f" {whole.took * 1e3:.0f} ms in slices; the longest step of the loop is {whole.step * 1e3:.1f} ms of CPU.",
    ]
    return "\n".join(lines) + "\n"


def _more(share: float) -> str:
    return "" if share == 0 else f"{share:+.0%}"
