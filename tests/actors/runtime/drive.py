"""What the tests of the actor runtime share."""

from collections.abc import Awaitable, Callable

import trio
from trio.testing import MockClock


def run_on_mock_clock(main: Callable[[], Awaitable[None]]) -> None:
    """Run `main` in a Trio run of its own whose clock jumps to the next deadline when all tasks wait."""
    trio.run(main, clock=MockClock(autojump_threshold=0))
