"""Which deliveries of one subscription still wait for an ACK, and how far its delivered mark may move."""

from collections import OrderedDict
from enum import StrEnum

MAX_UNACKED = 4_096


class AckMode(StrEnum):
    """The `ack` header of SUBSCRIBE (STOMP 1.2, "SUBSCRIBE ack Header")."""

    AUTO = "auto"
    CLIENT = "client"
    CLIENT_INDIVIDUAL = "client-individual"


class TooManyUnackedError(Exception):
    """The client leaves more than `max_unacked` deliveries open: to be treated as a slow consumer (close 1013)."""


def make_ack_id(subscription: str, rev: int, message_id: str) -> str:
    """The `ack` header of a MESSAGE in 1.2.

    Made of nothing but what the frame bears, so that one encoding serves all connections with this
    subscription id, and unique in each of them, since `rev` rises with every delivery of a subscription.
    """
    return f"{rev}.{message_id}.{subscription}"


def subscription_of_ack(ack_id: str) -> str | None:
    """The subscription id inside an ack id, or None for a text that is no ack id."""
    rev, _, rest = ack_id.partition(".")
    message_id, dot, subscription = rest.partition(".")
    return subscription if dot and message_id and subscription and rev.isascii() and rev.isdigit() else None


class UnackedDeliveries:
    """The open deliveries of one subscription in mode `client` or `client-individual`.

    `mark` is the `seq` the subscription starts after. Deliveries are told in the order in which they are sent;
    created messages come with rising `seq`, and one that does not rise is a change of an earlier message:
    it never holds the mark back. At most `max_unacked` are open.
    """

    __slots__ = ("_cumulative", "_highest", "_mark", "_max_unacked", "_open")

    def __init__(self, mode: AckMode, mark: int, max_unacked: int = MAX_UNACKED) -> None:
        if mode is AckMode.AUTO:
            raise ValueError("mode auto has no acknowledgements")
        self._cumulative = mode is AckMode.CLIENT
        self._mark = mark
        self._highest = mark
        self._max_unacked = max_unacked
        self._open: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def delivered(self, ack_id: str, seq: int) -> None:
        """Notes a delivery. Of one that is open already the first stays. Raises `TooManyUnackedError`."""
        rises = seq > self._highest
        if ack_id in self._open or not (rises or self._cumulative):
            return
        if len(self._open) >= self._max_unacked:
            raise TooManyUnackedError(f"more than {self._max_unacked} deliveries wait for an ACK")
        if rises:
            if not self._open:
                self._mark = max(self._mark, seq - 1)
            self._highest = seq
        self._open[ack_id] = self._highest

    def ack(self, ack_id: str) -> int | None:
        """The new delivered mark, or None when it does not move (an unknown or repeated id, an open one below).

        Cumulative: this delivery and all before it. Individual: this one alone, and the mark is the highest
        `seq` with nothing open at or below it.
        """
        reached = self._open.get(ack_id)
        if reached is None:
            return None
        if self._cumulative:
            while self._open.popitem(last=False)[0] != ack_id:
                pass
        else:
            del self._open[ack_id]
            reached = next(iter(self._open.values())) - 1 if self._open else self._highest
        if reached <= self._mark:
            return None
        self._mark = reached
        return reached
