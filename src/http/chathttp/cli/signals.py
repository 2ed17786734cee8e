"""What SIGTERM and Ctrl-C do: drain first, and on a second Ctrl-C end at once."""

import signal
from collections.abc import Awaitable, Callable

import trio


async def drained_by_signals(main: Callable[[trio.Event], Awaitable[None]]) -> bool:
    """Runs ``main`` with an event that SIGTERM or SIGINT sets. False when a SIGINT after that cancelled it.

    A second SIGTERM changes nothing: process managers repeat it.
    """
    drain = trio.Event()
    finished = False
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                async for number in received:
                    if drain.is_set() and number == signal.SIGINT:
                        nursery.cancel_scope.cancel()
                    drain.set()

            nursery.start_soon(watch)
            await main(drain)
            finished = True
            nursery.cancel_scope.cancel()
    return finished
