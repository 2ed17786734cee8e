"""What nodes send each other: versioned envelopes around news, in MessagePack.

An envelope is an array of the version, the id of the node it is from (16 bytes), the kind, and the content as a map;
of what is followed there, also when it was sent. A node skips what it does not know, a version as well as a kind or
what comes after the last element, so that two releases can serve side by side; a content may gain optional fields
without a new version.
"""

from typing import Final
from uuid import UUID

import msgspec
from attrs import frozen

from actors.bridge.news import Advanced, Committed, MarksMoved, TypingMoved, WhoTypes
from actors.bridge.notices import Notices
from actors.bridge.staleness import Stale

VERSION: Final = 1


@frozen
class Notified:
    """One user's share of a `Notify`."""

    conversation_id: UUID
    body: bytes
    seq: int | None = None
    mention: bool = False


@frozen
class PresenceTold:
    """The user's first connection to the node has come, or his last one has ended."""

    online: bool


@frozen
class Beat:
    """The node is there and can tell."""


@frozen
class Farewell:
    """The node ends in good order: its silence means nothing."""


@frozen
class Traced:
    """The way of a message on the node that sends this, for the node `to`, which follows it.

    `began` is in seconds since 1970 by the sender's clock, `behind` the seconds from the publish until then by the
    clocks of both; of each of `hops` the name, the seconds after the first, and a remark.
    """

    to: UUID
    message_id: UUID
    began: float
    behind: float
    hops: tuple[tuple[str, float, str], ...]


Content = (
    Committed
    | Advanced
    | TypingMoved
    | WhoTypes
    | MarksMoved
    | Notified
    | Notices
    | PresenceTold
    | Beat
    | Farewell
    | Stale
    | Traced
)

_KINDS: Final[dict[type[Content], str]] = {
    Committed: "committed",
    Advanced: "advanced",
    TypingMoved: "typing",
    WhoTypes: "who-types",
    MarksMoved: "marks",
    Notified: "notified",
    Notices: "notices",
    PresenceTold: "presence",
    Beat: "beat",
    Farewell: "farewell",
    Stale: "stale",
    Traced: "traced",
}


class _Sealed(msgspec.Struct, array_like=True):
    version: int
    node: UUID
    kind: str
    content: msgspec.Raw
    told_at: object = None


class _Version(msgspec.Struct, array_like=True):
    version: int


@frozen
class Letter:
    """What another node has sent; `told_at`, in seconds since 1970, when it follows that."""

    node_id: UUID
    content: Content
    told_at: float | None = None


def kind_of(content: Content) -> str:
    return _KINDS[type(content)]


class Envelopes:
    """Seals for one node, and opens what it hears."""

    def __init__(self, node_id: UUID) -> None:
        self.unknown = 0
        """Envelopes of another version or kind that were skipped."""
        self.foreign = 0
        """Of them those of another version."""
        self.malformed = 0
        """Envelopes that were skipped because they are none."""
        self._node = node_id
        self._encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
        self._open = msgspec.msgpack.Decoder(_Sealed).decode
        self._open_version = msgspec.msgpack.Decoder(_Version).decode
        self._decoders = {kind: msgspec.msgpack.Decoder(content) for content, kind in _KINDS.items()}
        kind = self._encode((VERSION, node_id, "", None))
        self._own = kind[: kind.index(node_id.bytes) + len(node_id.bytes)]

    def seal(self, content: Content, told_at: float | None = None) -> bytes:
        if told_at is not None:
            return self._encode((VERSION, self._node, _KINDS[type(content)], content, told_at))
        return self._encode((VERSION, self._node, _KINDS[type(content)], content))

    def open(self, payload: bytes) -> Letter | None:
        """None for what is this node's own, and for what is skipped."""
        if payload.startswith(self._own):
            return None
        try:
            sealed = self._open(payload)
            decoder = self._decoders.get(sealed.kind)
            if sealed.version != VERSION or decoder is None:
                self.unknown += 1
                self.foreign += sealed.version != VERSION
                return None
            told_at = sealed.told_at if isinstance(sealed.told_at, float) else None
            return Letter(sealed.node, decoder.decode(sealed.content), told_at)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._skip(payload)
            return None

    def open_own(self, payload: bytes) -> Content:
        """What `seal` has made."""
        sealed = self._open(payload)
        return self._decoders[sealed.kind].decode(sealed.content)

    def _skip(self, payload: bytes) -> None:
        try:
            is_newer = self._open_version(payload).version != VERSION
        except (msgspec.DecodeError, UnicodeDecodeError):
            is_newer = False
        if is_newer:
            self.unknown += 1
            self.foreign += 1
        else:
            self.malformed += 1
