"""One listener from which several processes accept, each its share."""

import mmap
import os
import socket
import tempfile
from contextlib import suppress
from typing import Final

import trio

SHARED_BATCH: Final = 16
"""Connections that one process accepts before it looks again whether it has more than its share."""
SLACK: Final = 16
"""Connections that one process may have above another before it gives way."""
GIVE_WAY_SECONDS: Final = 0.005
_SLOT_BYTES: Final = 8


def open_board(processes: int) -> int:
    """A descriptor of the memory in which `processes` tell each other how many connections they have."""
    with tempfile.TemporaryFile() as file:
        file.truncate(processes * _SLOT_BYTES)
        return os.dup(file.fileno())


class ListenerShare:
    """One process's part in a listener. Takes over `listener` and `board`, the descriptors that all have inherited.

    A waiting connection wakes all processes, and the quickest would take nearly all. So whoever has more connections
    than another by `SLACK` waits for `GIVE_WAY_SECONDS` before it accepts: long enough for the others to do so, and so
    short that nothing is lost when the one with the fewest is stuck.
    """

    def __init__(self, listener: int, board: int, index: int) -> None:
        self._listener = socket.socket(fileno=listener)
        self._listener.setblocking(False)
        self._memory = mmap.mmap(board, 0)
        os.close(board)
        self._counts = memoryview(self._memory).cast("Q")
        """Of each process 1 and its connections, 0 while it does not accept; each writes its own only."""
        self._index = index
        self._connections = 0
        self.leaving = False
        """This process ends and the others stay: from the first moment of its drain it leaves what comes to them."""

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    def listener(self) -> socket.socket:
        """A descriptor of its own for the caller, who closes it."""
        return self._listener.dup()

    def hold(self, connections: int) -> None:
        """This process accepts, and has so many now."""
        self._connections = connections
        self._counts[self._index] = connections + 1

    def step_back(self) -> None:
        """This process accepts no more."""
        self._counts[self._index] = 0

    @property
    def is_ahead(self) -> bool:
        """Whether another that accepts has fewer connections by more than `SLACK`."""
        return any(
            count and self._connections > count - 1 + SLACK
            for index, count in enumerate(self._counts)
            if index != self._index
        )

    async def give_way(self) -> None:
        if self.is_ahead:
            await trio.sleep(GIVE_WAY_SECONDS)

    def close(self) -> None:
        """The listener stays open in the other processes."""
        self.step_back()
        self._counts.release()
        self._memory.close()
        with suppress(OSError):
            self._listener.close()
