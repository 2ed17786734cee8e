"""Work that a node does now and then, for ever."""

from collections.abc import Awaitable, Callable

import trio
from attrs import define

from chatcore.errors import ChatError


@define
class RoundFigures:
    """Since the start. `finished_at` is the time of Trio's clock at which the last round ended well, None before."""

    finished: int = 0
    failed: int = 0
    finished_at: float | None = None


async def every(
    seconds: float, work: Callable[[], Awaitable[object]], figures: RoundFigures, wake: Callable[[], trio.Event]
) -> None:
    """Do `work`, and again after so many seconds, or once the event that `wake` gives is set: it is asked for before
    each round, so that nothing which happens in a round is missed. A round that the database, or whoever else, refuses
    is counted, and made up for by the next one.
    """
    while True:
        woken = wake()
        try:
            await work()
        except ChatError:
            figures.failed += 1
        else:
            figures.finished += 1
            figures.finished_at = trio.current_time()
        with trio.move_on_after(seconds):
            await woken.wait()
