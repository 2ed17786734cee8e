"""Frames held back between BEGIN and COMMIT (STOMP 1.2, "BEGIN")."""

from typing import Generic, TypeVar

from chatcore.errors import ChatError, ErrorCode
from chathttp.stomp.errors import quoted

Item = TypeVar("Item")

MAX_OPEN = 8


class Transactions(Generic[Item]):
    """The open transactions of one connection, each with its items in order.

    Bounds: `max_frames` and `max_bytes` in each, `max_open` at a time. One that goes over is dropped whole, so
    that a COMMIT never runs a part that the client does not know of. All refusals raise `ChatError`.
    """

    __slots__ = ("_max_bytes", "_max_frames", "_max_open", "_open")

    def __init__(self, max_frames: int = 100, max_bytes: int = 262_144, max_open: int = MAX_OPEN) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._max_open = max_open
        self._open: dict[str, tuple[list[Item], int]] = {}

    def begin(self, transaction: str) -> None:
        """Raises `VALIDATION_ERROR` for one that is open already, and above `max_open`."""
        if transaction in self._open:
            raise ChatError(ErrorCode.VALIDATION_ERROR, f"transaction {quoted(transaction)} is open already")
        if len(self._open) >= self._max_open:
            raise ChatError(ErrorCode.VALIDATION_ERROR, f"a connection has at most {self._max_open} open transactions")
        self._open[transaction] = ([], 0)

    def add(self, transaction: str, item: Item, size: int) -> None:
        """Holds `item` of `size` octets. Raises `NOT_FOUND`, or `PAYLOAD_TOO_LARGE` and drops the transaction."""
        items, held = self._take(transaction)
        if len(items) >= self._max_frames or held + size > self._max_bytes:
            raise ChatError(
                ErrorCode.PAYLOAD_TOO_LARGE,
                f"a transaction has at most {self._max_frames} frames and {self._max_bytes} octets; it is aborted",
            )
        items.append(item)
        self._open[transaction] = (items, held + size)

    def commit(self, transaction: str) -> tuple[Item, ...]:
        """Ends the transaction and gives what it held, in order. Raises `NOT_FOUND`."""
        return tuple(self._take(transaction)[0])

    def abort(self, transaction: str) -> None:
        """Ends the transaction and forgets what it held. Raises `NOT_FOUND`."""
        self._take(transaction)

    def _take(self, transaction: str) -> tuple[list[Item], int]:
        try:
            return self._open.pop(transaction)
        except KeyError:
            raise ChatError(ErrorCode.NOT_FOUND, f"no transaction {quoted(transaction)} is open") from None
