"""The sends of one connection and their receipts."""

from collections.abc import Callable

from chatload.worker.client_frames import MessageFrames
from chatload.worker.connection import Connection
from chatload.worker.server_frames import Receipted
from chatload.worker.tally import Tally


class Publisher:
    """Sends into its connection's room. What is not acknowledged is sent again after a reconnect, under the same
    `clientMessageId`: that is what the server's clients do.
    """

    __slots__ = ("_frames", "_mark", "_number", "_pending", "_settled", "_tally", "connection", "late")

    def __init__(
        self, connection: Connection, tally: Tally, run_id: str, size: int, settled: Callable[[int, int], None]
    ) -> None:
        """`settled` is told the connection's index and the number of each acknowledged message, 0 for a refused one."""
        self.connection = connection
        self.late = 0
        """Nanoseconds by which the latest send missed its time."""
        self._tally = tally
        self._settled = settled
        self._frames = MessageFrames(connection.room.plan.conversation_id, size)
        self._mark = f"{run_id}.{connection.plan.index}".encode()
        self._number = 0
        self._pending: dict[int, tuple[int, bytes, bytes]] = {}

    def __len__(self) -> int:
        """How many are not answered."""
        return len(self._pending)

    def send(self, due: int, now: int) -> None:
        """A message that is due at `due`, which `clientMessageId` carries to whoever gets it."""
        self._number += 1
        key = b"%b.%d.%d" % (self._mark, self._number, due)
        frame = self._frames.frame(self._number, key)
        self._pending[self._number] = (due, key, frame)
        self._tally.sent += 1
        if due >= self._tally.measured_from:
            self.late = max(self.late, now - due)
        if self.connection.ready:
            self.connection.write(frame)

    def send_again(self) -> None:
        """The connection is back."""
        for _, _, frame in self._pending.values():
            self.connection.write(frame)

    def acknowledged(self, receipt: Receipted, now: int) -> None:
        entry = self._pending.pop(int(receipt.receipt), None)
        if entry is None:
            self._tally.errors["UNEXPECTED_RECEIPT"] += 1
            return
        due, key, _ = entry
        self._tally.acknowledged += 1
        self._tally.timed("receipt", due, now)
        self.connection.room.acknowledged(receipt.seq, key)
        self._settled(self.connection.plan.index, receipt.seq)

    def refused(self, receipt: bytes) -> None:
        """The error itself is counted by the caller."""
        if receipt and self._pending.pop(int(receipt), None) is not None:
            self._settled(self.connection.plan.index, 0)
