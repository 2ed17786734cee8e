"""The frames a server sends, encoded straight to octets.

Header names are the server's own words and need no escape; values may be a client's (see `echoed`).
"""

import json
from collections.abc import Mapping
from uuid import UUID

from chatcore.errors import ErrorCode
from chathttp.ids import id_text
from chathttp.stomp.acks import AckMode, make_ack_id
from chathttp.stomp.frame import Version
from chathttp.stomp.headers import echoed, plain_header_line
from chathttp.stomp.heartbeat import SERVER_OFFER

NO_HEADERS: Mapping[str, str] = {}


def connected(
    version: Version, heartbeat: tuple[int, int] = SERVER_OFFER, server: str = "stackmentor", session: str | None = None
) -> bytes:
    """CONNECTED; `heartbeat` is the server's own offer in milliseconds. A 1.0 client ignores what it does not know."""
    lines = [
        f"version:{version}\n",
        f"heart-beat:{heartbeat[0]},{heartbeat[1]}\n",
        plain_header_line("server", server),
    ]
    if session is not None:
        lines.append(plain_header_line("session", session))
    return f"CONNECTED\n{''.join(lines)}\n\0".encode()


def receipt(receipt_id: str, version: Version) -> bytes:
    return f"RECEIPT\nreceipt-id:{echoed(receipt_id, version)}\n\n\0".encode()


def posted(receipt_id: str, version: Version, message_id: UUID, seq: int) -> bytes:
    """RECEIPT for a message that is committed."""
    id_ = echoed(receipt_id, version)
    return f"RECEIPT\nreceipt-id:{id_}\nmessage-id:{id_text(message_id)}\nseq:{seq}\n\n\0".encode()


def error_body(code: ErrorCode, message: str, details: Mapping[str, str] | None = None) -> bytes:
    """The error JSON of the wire contract."""
    shape = {"errorCode": code, "message": message, "details": None if details is None else dict(details)}
    return json.dumps(shape, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def error(
    code: ErrorCode,
    message: str,
    version: Version,
    *,
    details: Mapping[str, str] | None = None,
    subscription: str | None = None,
    receipt_id: str | None = None,
    extra: Mapping[str, str] = NO_HEADERS,
) -> bytes:
    """ERROR with the code as `message` header and the error JSON as body.

    `subscription` is set for a refused SUBSCRIBE, `receipt_id` when the frame in error asked for a receipt,
    and `extra` has `version` when no version was agreed on.
    """
    headers = {"message": str(code)}
    if subscription is not None:
        headers["subscription"] = subscription
    if receipt_id is not None:
        headers["receipt-id"] = receipt_id
    body = error_body(code, message, details)
    lines = _lines(headers, version) + _lines(extra, version)
    head = f"ERROR\n{lines}content-type:application/json\ncontent-length:{len(body)}\n\n"
    return head.encode() + body + b"\0"


def _lines(headers: Mapping[str, str], version: Version) -> str:
    return "".join([f"{name}:{echoed(value, version)}\n" for name, value in headers.items()])


class MessageTemplate:
    """MESSAGE frames for one subscription id, destination, version and ack mode; the constant part is made once.

    `event` and `message_id` are the server's own words and must need no escape. In the client modes of
    1.2 the frame has an `ack` header (see `make_ack_id`); older clients acknowledge by `message-id`.
    """

    __slots__ = ("_ack_subscription", "_head", "_tail", "_version")

    def __init__(self, subscription: str, destination: str, version: Version, ack_mode: AckMode) -> None:
        id_ = echoed(subscription, version)
        self._head = (
            f"MESSAGE\nsubscription:{id_}\ndestination:{echoed(destination, version)}\ncontent-type:application/json\n"
        )
        self._version = version
        has_ack = version is Version.V12 and ack_mode is not AckMode.AUTO
        self._ack_subscription = id_ if has_ack else None

    def encode(
        self, event: str, message_id: str, seq: int, rev: int, body: bytes, extra: Mapping[str, str] = NO_HEADERS
    ) -> bytes:
        """The octets of one event at the conversation's `rev`; `body` is JSON."""
        more = self._more(rev, message_id, extra)
        head = (
            f"{self._head}event:{event}\nmessage-id:{message_id}\nseq:{seq}\nrev:{rev}\n{more}"
            f"content-length:{len(body)}\n\n"
        )
        return b"%b%b\0" % (head.encode(), body)

    def encode_signal(self, message_id: str, body: bytes, extra: Mapping[str, str] = NO_HEADERS) -> bytes:
        """The octets of a frame outside the conversation's order: typing, marks, presence, notifications.

        In a client mode its ACK is understood and moves nothing.
        """
        more = self._more(0, message_id, extra)
        head = f"{self._head}message-id:{message_id}\n{more}content-length:{len(body)}\n\n"
        return b"%b%b\0" % (head.encode(), body)

    def _more(self, rev: int, message_id: str, extra: Mapping[str, str]) -> str:
        lines = _lines(extra, self._version) if extra else ""
        if self._ack_subscription is not None:
            return f"ack:{make_ack_id(self._ack_subscription, rev, message_id)}\n{lines}"
        return lines
