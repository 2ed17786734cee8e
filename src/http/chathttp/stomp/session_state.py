"""The server's side of one STOMP connection as a pure state machine."""

from enum import Enum, auto
from typing import assert_never

from attrs import frozen

from chatcore.errors import ChatError, ErrorCode
from chathttp.stomp import heartbeat, version
from chathttp.stomp.acks import AckMode, subscription_of_ack
from chathttp.stomp.commands import (
    Abort,
    Ack,
    Begin,
    Command,
    Commit,
    Connect,
    Disconnect,
    Nack,
    Refused,
    Send,
    Subscribe,
    Transactional,
    Unsubscribe,
)
from chathttp.stomp.errors import FrameTooLargeError, StompSyntaxError, quoted
from chathttp.stomp.frame import CLIENT_COMMANDS, Frame, Version
from chathttp.stomp.transactions import MAX_OPEN, Transactions

_MAX_NUMBER = 2**63 - 1


@frozen
class ConnectionLimits:
    """Bounds of one connection; `max_id_bytes` is for the ids that clients choose and the server echoes."""

    max_subscriptions: int = 100
    max_id_bytes: int = 256
    max_transactions: int = MAX_OPEN
    max_transaction_frames: int = 100
    max_transaction_bytes: int = 262_144


class _Phase(Enum):
    OPENED = auto()
    CONNECTED = auto()
    DISCONNECTED = auto()


@frozen
class Subscription:
    id: str
    destination: str
    ack: AckMode


class StompServerProtocol:
    """Takes a client's frames in order and gives what the session has to do.

    Owns the version, the subscription table (id → `Subscription`) and the open transactions. A malformed frame, or
    one out of place, raises `StompSyntaxError`: the session answers ERROR and closes. A refusal that
    leaves the connection as it is comes as `Refused`.

    `subprotocol` is the WebSocket subprotocol of the handshake, `heartbeat_offer` the server's own
    `heart-beat` in milliseconds.
    """

    __slots__ = (
        "_heartbeat_offer",
        "_limits",
        "_open_transactions",
        "_phase",
        "_subprotocol",
        "_subscriptions",
        "_version",
    )

    def __init__(
        self,
        limits: ConnectionLimits | None = None,
        subprotocol: str | None = None,
        heartbeat_offer: tuple[int, int] = heartbeat.SERVER_OFFER,
    ) -> None:
        self._limits = ConnectionLimits() if limits is None else limits
        self._subprotocol = subprotocol
        self._heartbeat_offer = heartbeat_offer
        self._phase = _Phase.OPENED
        self._version = Version.V12
        self._subscriptions: dict[str, Subscription] = {}
        self._open_transactions: Transactions[Transactional] | None = None

    @property
    def version(self) -> Version:
        """The agreed version; 1.2 before CONNECT."""
        return self._version

    @property
    def connected(self) -> bool:
        """True from a good CONNECT to a DISCONNECT."""
        return self._phase is _Phase.CONNECTED

    @property
    def subscriptions(self) -> dict[str, Subscription]:
        """A copy of the table."""
        return dict(self._subscriptions)

    def end_subscription(self, subscription_id: str) -> None:
        """The server refused or ended it: the id is free again."""
        self._subscriptions.pop(subscription_id, None)

    def receive(self, frame: Frame) -> Command | None:
        """What this frame asks for, or None when a transaction holds it back. Raises `StompSyntaxError`."""
        command = frame.command
        if command not in CLIENT_COMMANDS:
            raise StompSyntaxError(f"a client does not send {command}")
        match self._phase:
            case _Phase.OPENED:
                return self._connect(frame)
            case _Phase.DISCONNECTED:
                raise StompSyntaxError(f"{command} after DISCONNECT")
            case _Phase.CONNECTED:
                pass
            case _:
                assert_never(self._phase)
        if command == "SEND":
            return self._send(frame)
        try:
            return self._dispatch(frame)
        except ChatError as refusal:
            return Refused(refusal.code, refusal.message, frame.header("receipt"))

    def _dispatch(self, frame: Frame) -> Command | None:
        receipt = frame.header("receipt")
        match frame.command:
            case "SUBSCRIBE":
                return self._subscribe(frame)
            case "UNSUBSCRIBE":
                return self._unsubscribe(frame)
            case "ACK":
                return self._hold(frame, Ack(*self._acknowledged(frame), receipt))
            case "NACK":
                return self._hold(frame, Nack(*self._acknowledged(frame), receipt))
            case "BEGIN":
                self._transactions.begin(self._id(frame, "transaction"))
                return Begin(receipt)
            case "COMMIT":
                return Commit(self._transactions.commit(self._id(frame, "transaction")), receipt)
            case "ABORT":
                self._transactions.abort(self._id(frame, "transaction"))
                return Abort(receipt)
            case "DISCONNECT":
                self._phase = _Phase.DISCONNECTED
                return Disconnect(receipt)
            case command:
                raise StompSyntaxError(f"{command} on a connected session")

    @property
    def _transactions(self) -> Transactions[Transactional]:
        """Made when the first one is spoken of."""
        if self._open_transactions is None:
            limits = self._limits
            self._open_transactions = Transactions[Transactional](
                limits.max_transaction_frames, limits.max_transaction_bytes, limits.max_transactions
            )
        return self._open_transactions

    def _connect(self, frame: Frame) -> Connect:
        if frame.command not in ("CONNECT", "STOMP"):
            raise StompSyntaxError(f"CONNECT comes first, not {frame.command}")
        agreed = version.negotiate(frame.header("accept-version"), self._subprotocol)
        header = None if agreed is Version.V10 else frame.header("heart-beat")
        intervals = heartbeat.negotiate(header, self._heartbeat_offer)
        self._phase = _Phase.CONNECTED
        self._version = agreed
        return Connect(
            agreed,
            intervals,
            frame.header("Authorization") or frame.header("authorization"),
            frame.header("host"),
        )

    def _send(self, frame: Frame) -> Transactional | Refused | None:
        headers = dict(reversed(frame.headers))  # of a repeated name the first counts
        destination = headers.get("destination") or _required(frame, "destination")
        send = Send(destination, frame.body, headers.get("receipt"))
        return self._hold(frame, send) if "transaction" in headers else send

    def _subscribe(self, frame: Frame) -> Subscribe | Refused:
        destination = _required(frame, "destination")
        receipt = frame.header("receipt")
        if self._version is Version.V10 and frame.header("id") is None:
            subscription_id = self._id(frame, "destination")
        else:
            subscription_id = self._id(frame, "id")

        def refused(code: ErrorCode, message: str) -> Refused:
            return Refused(code, message, receipt, subscription=subscription_id)

        if subscription_id in self._subscriptions:
            return refused(ErrorCode.VALIDATION_ERROR, f"subscription {quoted(subscription_id)} exists already")
        if len(self._subscriptions) >= self._limits.max_subscriptions:
            return refused(
                ErrorCode.VALIDATION_ERROR, f"a connection has at most {self._limits.max_subscriptions} subscriptions"
            )
        try:
            ack = _ack_mode(frame)
            last_seq, last_rev = _number(frame, "last-seq"), _number(frame, "last-rev")
        except ValueError as error:
            return refused(ErrorCode.VALIDATION_ERROR, str(error))
        self._subscriptions[subscription_id] = Subscription(subscription_id, destination, ack)
        return Subscribe(subscription_id, destination, ack, last_seq, last_rev, receipt)

    def _unsubscribe(self, frame: Frame) -> Unsubscribe:
        if self._version is Version.V10 and frame.header("id") is None:
            subscription_id = self._id(frame, "destination")
        else:
            subscription_id = self._id(frame, "id")
        self._subscriptions.pop(subscription_id, None)
        return Unsubscribe(subscription_id, frame.header("receipt"))

    def _acknowledged(self, frame: Frame) -> tuple[str | None, str]:
        """Subscription id and ack id of an ACK or NACK. Raises `ChatError` for an id the server never gave."""
        match self._version:
            case Version.V12:
                ack_id = _required(frame, "id")
                subscription_id = subscription_of_ack(ack_id)
                if subscription_id is None:
                    raise ChatError(ErrorCode.VALIDATION_ERROR, f"id: {quoted(ack_id)} is no ack header of a MESSAGE")
                return subscription_id, ack_id
            case Version.V11:
                return _required(frame, "subscription"), _required(frame, "message-id")
            case Version.V10:
                return frame.header("subscription"), _required(frame, "message-id")
            case _:
                assert_never(self._version)

    def _hold(self, frame: Frame, command: Transactional) -> Transactional | Refused | None:
        transaction = frame.header("transaction")
        if transaction is None:
            return command
        size = len(frame.body) + sum(len(name) + len(value) for name, value in frame.headers)
        try:
            self._transactions.add(transaction, command, size)
        except ChatError as refusal:
            destination = command.destination if isinstance(command, Send) else None
            return Refused(refusal.code, refusal.message, command.receipt, destination=destination)
        return None

    def _id(self, frame: Frame, name: str) -> str:
        text = _required(frame, name)
        if len(text.encode()) > self._limits.max_id_bytes:
            raise FrameTooLargeError(f"{name} has at most {self._limits.max_id_bytes} octets")
        return text


def _required(frame: Frame, name: str) -> str:
    value = frame.header(name)
    if not value:
        raise StompSyntaxError(f"{frame.command} needs the header {name}")
    return value


def _ack_mode(frame: Frame) -> AckMode:
    """Raises `ValueError` with a message for the client."""
    word = frame.header("ack") or AckMode.AUTO
    try:
        return AckMode(word)
    except ValueError:
        raise ValueError(f"ack is auto, client or client-individual, not {quoted(word)}") from None


def _number(frame: Frame, name: str) -> int | None:
    """A header that counts, or None without it. Raises `ValueError` with a message for the client."""
    text = frame.header(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _MAX_NUMBER):
        raise ValueError(f"{name} is a number from 0 to {_MAX_NUMBER}, not {quoted(text)}")
    return int(text)
