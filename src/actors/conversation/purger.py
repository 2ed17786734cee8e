"""Deletes what deleted conversations have left."""

import trio

from actors.ports import GroupStore
from actors.rounds import RoundFigures, every


class Purger:
    """Looks each `interval` seconds, and then deletes `batch` messages at a time with a `pause` between, so that the
    database serves others too. Permanent; while the database is away it tries again at the next look. Several nodes
    may do so at once.
    """

    def __init__(self, groups: GroupStore, *, interval: float, batch: int, pause: float = 0.05) -> None:
        self.purged = 0
        """Messages that were deleted."""
        self.pending = False
        """That messages are known to be left."""
        self._rounds = RoundFigures()
        self._groups = groups
        self._interval = interval
        self._batch = batch
        self._pause = pause

    @property
    def failures(self) -> int:
        return self._rounds.failed

    async def run(self) -> None:
        await every(self._interval, self._purge, self._rounds, trio.Event)

    async def _purge(self) -> None:
        while purged := await self._groups.purge(self._batch):
            self.pending = True
            self.purged += purged
            await trio.sleep(self._pause)
        self.pending = False
