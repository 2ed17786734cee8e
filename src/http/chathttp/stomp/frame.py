"""The frame: what both ends of a STOMP connection exchange."""

from collections.abc import Mapping
from enum import StrEnum

from attrs import frozen


class Version(StrEnum):
    """The protocol versions, as `accept-version` and `version` headers spell them."""

    V10 = "1.0"
    V11 = "1.1"
    V12 = "1.2"


CLIENT_COMMANDS = frozenset(
    {
        "CONNECT",
        "STOMP",
        "SEND",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "ACK",
        "NACK",
        "BEGIN",
        "COMMIT",
        "ABORT",
        "DISCONNECT",
    }
)
SERVER_COMMANDS = frozenset({"CONNECTED", "MESSAGE", "RECEIPT", "ERROR"})
COMMANDS = CLIENT_COMMANDS | SERVER_COMMANDS

BODY_COMMANDS = frozenset({"SEND", "MESSAGE", "ERROR"})
"""STOMP 1.2, "Body": only these may have one."""


@frozen
class Frame:
    """One STOMP frame with its header values unescaped.

    `headers` keeps the order of the wire and repeated names; `header` answers the first of a name
    (STOMP 1.2, "Repeated Header Entries").
    """

    command: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @classmethod
    def of(cls, command: str, headers: Mapping[str, str], body: bytes = b"") -> "Frame":
        return cls(command, tuple(headers.items()), body)

    def header(self, name: str) -> str | None:
        for key, value in self.headers:
            if key == name:
                return value
        return None


@frozen
class HeartBeat:
    """End-of-line octets between frames. A run of them that arrives together is one heart-beat."""
