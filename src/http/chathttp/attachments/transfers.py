"""How many files go through a node at once."""

from collections.abc import Generator
from contextlib import contextmanager

from attrs import frozen

from actors.attachments.vault import FileVault
from chatcore.errors import overloaded


class Transfers:
    """At most `limit` files go in or out at once; what comes then is `OVERLOADED`, and counted.

    Seconds: a transfer may take `time` in all, and an upload's next piece `stall_timeout`.
    """

    def __init__(self, limit: int, time: float, stall_timeout: float) -> None:
        self._limit = limit
        self.time = time
        self.stall_timeout = stall_timeout
        self.active = 0
        self.refused = 0

    @contextmanager
    def taking(self) -> Generator[None]:
        if self.active >= self._limit:
            self.refused += 1
            raise overloaded("Too many files are on their way, try again in a moment", retry_after=5.0)
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1


@frozen
class ServedFiles:
    """What `/files` stands on; there is none where clients go to S3."""

    vault: FileVault
    transfers: Transfers
